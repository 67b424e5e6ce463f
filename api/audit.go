package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// AuditEntry is a line of the audit log. Its hash covers all of it and the entry
// before: none can be changed, left out or added later without all that follow.
type AuditEntry struct {
	Seq     int64           `json:"seq"` // from 1, without gaps
	Time    time.Time       `json:"time"`
	Actor   string          `json:"actor"` // such as token:ann or device:3f…
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail"`
	Hash    string          `json:"hash"` // SHA-256, lower-case hex
}

// ErrAudit: the audit log is not what was written.
var ErrAudit = errors.New("the audit log was changed")

// Chain gives the hash of the entry after one with the hash previous, which the
// first entry's is not: that follows nothing.
func (e *AuditEntry) Chain(previous []byte) ([]byte, error) {
	// An array of strings and numbers has one encoding only.
	b, err := json.Marshal([]any{hex.EncodeToString(previous), e.Seq, e.Time.UnixMilli(), e.Actor, e.Action, e.Subject, string(e.Detail)})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// AuditProof is what a verified log came to. Who keeps it can tell later that
// the log still begins with what was verified.
type AuditProof struct {
	Entries int64  `json:"entries"`
	Hash    string `json:"hash"` // of the last entry
}

// Follow verifies the entry after those that were verified. Errors wrap ErrAudit.
func (p *AuditProof) Follow(e *AuditEntry) error {
	if e.Seq != p.Entries+1 {
		return fmt.Errorf("%w: entry %d follows entry %d", ErrAudit, e.Seq, p.Entries)
	}
	previous, err := hex.DecodeString(p.Hash)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	hash, err := e.Chain(previous)
	if err != nil {
		return err
	}
	if want, err := hex.DecodeString(e.Hash); err != nil || !bytes.Equal(hash, want) {
		return fmt.Errorf("%w: entry %d does not have its hash", ErrAudit, e.Seq)
	}
	*p = AuditProof{e.Seq, e.Hash}
	return nil
}

// VerifyAudit reads an audit log in JSON lines, from its first entry on. Errors
// wrap ErrAudit.
func VerifyAudit(r io.Reader) (AuditProof, error) {
	var proof AuditProof
	dec := json.NewDecoder(r)
	for {
		var e AuditEntry
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return proof, nil
		}
		if err != nil {
			return proof, fmt.Errorf("%w: after entry %d: %w", ErrAudit, proof.Entries, err)
		}
		if err := proof.Follow(&e); err != nil {
			return proof, err
		}
	}
}

// AuditQuery asks for entries of the audit log; what is empty asks for nothing.
type AuditQuery struct {
	Actor, Action, Subject string
	From, Until            time.Time // Until is after the last
	Before                 int64     // those before the entry of the number
}

// Finds tells whether an entry is one of those that are asked for.
func (q *AuditQuery) Finds(e *AuditEntry) bool {
	is := func(wanted, found string) bool { return wanted == "" || wanted == found }
	return is(q.Actor, e.Actor) && is(q.Action, e.Action) && is(q.Subject, e.Subject) &&
		!e.Time.Before(q.From) && (q.Until.IsZero() || e.Time.Before(q.Until)) && (q.Before == 0 || e.Seq < q.Before)
}
