package directory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Entry is a line of the audit log. Its hash covers all of it and the entry
// before: none can be changed, left out or added later without all that follow.
type Entry struct {
	Seq     int64     `json:"seq"` // from 1, without gaps
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"` // such as token:ann or device:3f…
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Detail  any       `json:"detail,omitempty"`
	Hash    string    `json:"hash"` // SHA-256, lower-case hex
}

// ErrAudit: the audit log is not what was written.
var ErrAudit = errors.New("the audit log was changed")

// auditHash chains an entry, of which detail is JSON, to the one before.
func auditHash(previous []byte, seq, at int64, actor, action, subject, detail string) ([]byte, error) {
	// An array of strings and numbers has one encoding only.
	b, err := json.Marshal([]any{hex.EncodeToString(previous), seq, at, actor, action, subject, detail})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

func appendAudit(ctx context.Context, tx *sql.Tx, e Entry) error {
	detail := "{}"
	if e.Detail != nil {
		b, err := json.Marshal(e.Detail)
		if err != nil {
			return err
		}
		detail = string(b)
	}
	var seq int64
	var previous []byte
	if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash`).Scan(&seq, &previous); err != nil {
		return err
	}
	hash, err := auditHash(previous, seq, millis(e.Time), e.Actor, e.Action, e.Subject, detail)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO audit (seq, at, actor, action, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		seq, millis(e.Time), e.Actor, e.Action, e.Subject, detail, hash); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit_head SET hash = $1 WHERE id = 1`, hash)
	return err
}

// auditPage is how many entries are read at a time: reading a long log holds up
// nobody.
const auditPage = 1000

// Audit gives the entries after a number, in order.
func (d *Directory) Audit(ctx context.Context, after int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			page, err := d.auditPage(ctx, after)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if len(page) < auditPage {
				return
			}
		}
	}
}

func (d *Directory) auditPage(ctx context.Context, after int64) (page []Entry, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT seq, at, actor, action, subject, detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, after, auditPage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Entry
		var at int64
		var detail string
		var hash []byte
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Subject, &detail, &hash); err != nil {
			return nil, err
		}
		e.Time, e.Detail, e.Hash = fromMillis(at), json.RawMessage(detail), hex.EncodeToString(hash)
		page = append(page, e)
	}
	return page, rows.Err()
}

// AuditProof is what a verified log came to. Who keeps it can tell later that
// the log still begins with what was verified.
type AuditProof struct {
	Entries int64  `json:"entries"`
	Hash    string `json:"hash"` // of the last entry
}

// VerifyAudit reads a log as [Directory.Audit] gives it, in JSON lines, from
// its first entry on. Errors wrap ErrAudit.
func VerifyAudit(r io.Reader) (AuditProof, error) {
	var proof AuditProof
	var previous []byte
	dec := json.NewDecoder(r)
	for {
		var e struct {
			Entry
			Detail json.RawMessage `json:"detail"`
		}
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return proof, nil
		}
		if err != nil {
			return proof, fmt.Errorf("%w: after entry %d: %w", ErrAudit, proof.Entries, err)
		}
		if e.Seq != proof.Entries+1 {
			return proof, fmt.Errorf("%w: entry %d follows entry %d", ErrAudit, e.Seq, proof.Entries)
		}
		hash, err := auditHash(previous, e.Seq, millis(e.Time), e.Actor, e.Action, e.Subject, string(e.Detail))
		if err != nil {
			return proof, err
		}
		if want, err := hex.DecodeString(e.Hash); err != nil || !bytes.Equal(hash, want) {
			return proof, fmt.Errorf("%w: entry %d does not have its hash", ErrAudit, e.Seq)
		}
		previous = hash
		proof = AuditProof{e.Seq, e.Hash}
	}
}
