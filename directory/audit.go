package directory

import (
	"context"
	"database/sql"
	"iter"

	"firstday.dev/api"
)

// appendAudit writes the next entry of the log: e has no number and hash yet.
func appendAudit(ctx context.Context, tx *sql.Tx, e api.AuditEntry) error {
	var previous []byte
	if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash`).Scan(&e.Seq, &previous); err != nil {
		return err
	}
	hash, err := e.Chain(previous)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO audit (seq, at, actor, action, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.Seq, millis(e.Time), e.Actor, e.Action, e.Subject, string(e.Detail), hash); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit_head SET hash = $1 WHERE id = 1`, hash)
	return err
}

// auditPage is how many entries are read at a time: reading a long log holds up
// nobody.
const auditPage = 500

// Audit gives the entries after a number, in order.
func (d *Directory) Audit(ctx context.Context, after int64) iter.Seq2[api.AuditEntry, error] {
	return func(yield func(api.AuditEntry, error) bool) {
		for {
			page, err := d.auditPage(ctx, after)
			if err != nil {
				yield(api.AuditEntry{}, err)
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

func (d *Directory) auditPage(ctx context.Context, after int64) ([]api.AuditEntry, error) {
	return d.auditEntries(ctx, `SELECT seq, at, actor, action, subject, detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, after, auditPage)
}
