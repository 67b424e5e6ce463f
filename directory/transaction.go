package directory

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// transaction is a change of the database, with its entries for the audit log
// and word of it for everybody who waits.
type transaction struct {
	*sql.Tx
	ctx     context.Context
	d       *Directory
	entries []api.AuditEntry
	news    []string
	topics  []Topic // those that neither entries nor news tell of
}

// newsSettings is the news that settings changed; other news is a device's id.
const newsSettings = "settings"

// change runs f in a transaction. f may run several times.
func (d *Directory) change(ctx context.Context, f func(*transaction) error) error {
	var t *transaction
	var topics []Topic
	err := d.store.update(ctx, func(tx *sql.Tx) error {
		t = &transaction{Tx: tx, ctx: ctx, d: d}
		if err := f(t); err != nil {
			return err
		}
		topics = t.changedTopics()
		return t.finish(topics)
	})
	if err != nil {
		return err
	}
	for _, news := range t.news {
		d.views.forget(news)
	}
	if len(topics) > 0 {
		d.news.tell(topics...)
	}
	return nil
}

// audit notes who did what to which thing.
func (t *transaction) audit(actor, action, subject string, detail map[string]any) {
	e := api.AuditEntry{Time: t.d.now(), Actor: actor, Action: action, Subject: subject, Detail: json.RawMessage("{}")}
	if detail != nil {
		b, err := json.Marshal(detail)
		if err != nil {
			panic(err) // of words, numbers and settings
		}
		e.Detail = b
	}
	t.entries = append(t.entries, e)
}

// exec runs a statement and gives how many rows it changed.
func (t *transaction) exec(query string, args ...any) (int64, error) {
	return changed(t.ExecContext(t.ctx, query, args...))
}

// touch gives a device a new revision: what it knows is old.
func (t *transaction) touch(id uuid.UUID) error {
	revision, err := nextRevision(t.ctx, t.Tx)
	if err != nil {
		return err
	}
	t.news = append(t.news, id.String())
	_, err = t.exec(`UPDATE devices SET revision = $1 WHERE id = $2`, revision, id.String())
	return err
}

// finish comes last: the audit log's head is a lock that all wait for.
func (t *transaction) finish(topics []Topic) error {
	for _, e := range t.entries {
		if err := appendAudit(t.ctx, t.Tx, e); err != nil {
			return err
		}
	}
	if !t.d.store.postgres {
		return nil
	}
	told := t.news
	if len(topics) > 0 {
		told = append(told, topicsText(topics))
	}
	for _, news := range told {
		if _, err := t.ExecContext(t.ctx, `SELECT pg_notify($1, $2)`, channel, news); err != nil {
			return err
		}
	}
	return nil
}
