package directory

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"firstday.dev/api"
)

// AuditPage is how many entries a page of a search holds.
const AuditPage = 100

// SearchAudit gives entries of the audit log, the newest first, at most [AuditPage].
func (d *Directory) SearchAudit(ctx context.Context, q api.AuditQuery) ([]api.AuditEntry, error) {
	var where []string
	var args []any
	also := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	// The first of these finds the fewest, and it is its index that is used: SQLite
	// cannot know which that is. What is computed has none.
	condition := "%s = $%%d"
	for _, c := range []struct{ column, value string }{{"subject", q.Subject}, {"actor", q.Actor}, {"action", q.Action}} {
		if !storable(c.value) {
			return nil, api.Refuse(api.CodeBadRequest, "%.70q is no %s", c.value, c.column)
		}
		if c.value != "" {
			also(fmt.Sprintf(condition, c.column), c.value)
			condition = "%s || '' = $%%d"
		}
	}
	if !q.From.IsZero() {
		also("at >= $%d", millis(q.From))
	}
	if !q.Until.IsZero() {
		also("at < $%d", millis(q.Until))
	}
	if q.Before > 0 {
		also("(at, seq) < ((SELECT at FROM audit WHERE seq = $%[1]d), $%[1]d)", q.Before)
	}
	query := `SELECT seq, at, actor, action, subject, detail, hash FROM audit`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, AuditPage)
	return d.auditEntries(ctx, fmt.Sprintf("%s ORDER BY at DESC, seq DESC LIMIT $%d", query, len(args)), args...)
}

func (d *Directory) auditEntries(ctx context.Context, query string, args ...any) (list []api.AuditEntry, err error) {
	rows, err := d.store.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e api.AuditEntry
		var at int64
		var detail string
		var hash []byte
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Subject, &detail, &hash); err != nil {
			return nil, err
		}
		e.Time, e.Detail, e.Hash = fromMillis(at), json.RawMessage(detail), hex.EncodeToString(hash)
		list = append(list, e)
	}
	return list, rows.Err()
}
