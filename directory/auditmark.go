package directory

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"firstday.dev/api"
)

// AuditMark is how far the audit log was verified: as long as nothing is wrong,
// what was verified is what was written.
type AuditMark struct {
	api.AuditProof
	// Time is when the log was verified to its end; zero: never yet.
	Time time.Time
	// Wrong says what is not as it was written; empty: nothing.
	Wrong string
}

// auditMark is verified in the background, from where the last time ended.
type auditMark struct {
	mu    sync.Mutex
	mark  AuditMark
	began time.Time     // when it was begun with the first entry
	wake  chan struct{} // holds one: somebody looks
}

// auditAnew is after how long the log is verified from its first entry on again:
// what was verified long ago may be changed, too.
const auditAnew = 24 * time.Hour

// AuditMark gives how far the log was verified, and has the rest verified in the
// background. News of the audit tell when that is done.
func (d *Directory) AuditMark() AuditMark {
	select {
	case d.auditMark.wake <- struct{}{}:
	default: // it is being done
	}
	d.auditMark.mu.Lock()
	defer d.auditMark.mu.Unlock()
	return d.auditMark.mark
}

// keepAuditMark verifies the log whenever somebody looks.
func (d *Directory) keepAuditMark(ctx context.Context) {
	for {
		select {
		case <-d.auditMark.wake:
		case <-ctx.Done():
			return
		}
		before := d.auditMark.mark
		after, err := d.verifyAudit(ctx, before)
		if err != nil {
			if ctx.Err() == nil {
				d.Log.WarnContext(ctx, "the audit log cannot be verified now", "error", err)
			}
			continue // who looks again has it tried again
		}
		d.auditMark.mu.Lock()
		d.auditMark.mark = after
		d.auditMark.mu.Unlock()
		if after.Wrong != "" && before.Wrong == "" {
			d.Log.ErrorContext(ctx, "the audit log was changed", "error", after.Wrong)
		}
		if after.AuditProof != before.AuditProof || after.Wrong != before.Wrong || before.Time.IsZero() {
			d.news.tell(TopicAudit)
		}
	}
}

// verifyAudit goes on from a mark to the log's end, or begins anew when that is long
// ago. What was wrong stays so: a log that was cut is whole again, as far as it goes.
func (d *Directory) verifyAudit(ctx context.Context, mark AuditMark) (AuditMark, error) {
	if mark.Wrong != "" {
		return mark, nil
	}
	now := d.now()
	proof := mark.AuditProof
	head, err := d.readAuditProof(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`)
	if err != nil {
		return mark, err
	}
	wrong := func(err error) (AuditMark, error) {
		return AuditMark{AuditProof: proof, Time: now, Wrong: err.Error()}, nil
	}
	if proof.Entries > 0 {
		still, err := d.readAuditProof(ctx, `SELECT seq, hash FROM audit WHERE seq = $1`, proof.Entries)
		if err != nil {
			return mark, err
		}
		if still != proof {
			return wrong(fmt.Errorf("%w: entry %d is another one than it was", api.ErrAudit, proof.Entries))
		}
	}
	if now.Sub(d.auditMark.began) > auditAnew {
		proof, d.auditMark.began = api.AuditProof{}, now // to come to the same entry again
	}
	for proof.Entries < head.Entries {
		page, err := d.auditPage(ctx, proof.Entries)
		if err != nil {
			return mark, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Seq > head.Entries {
				break
			}
			if err := proof.Follow(&e); err != nil {
				if !errors.Is(err, api.ErrAudit) {
					return mark, err
				}
				return wrong(err)
			}
		}
	}
	if proof != head {
		return wrong(fmt.Errorf("%w: it ends with entry %d, not with entry %d as it did", api.ErrAudit, proof.Entries, head.Entries))
	}
	return AuditMark{AuditProof: proof, Time: now}, nil
}

func (d *Directory) readAuditProof(ctx context.Context, query string, args ...any) (api.AuditProof, error) {
	var p api.AuditProof
	var hash []byte
	err := d.store.read.QueryRowContext(ctx, query, args...).Scan(&p.Entries, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	p.Hash = hex.EncodeToString(hash)
	return p, err
}
