package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"firstday.dev/api"
)

// Settings gives the settings in force, and their revision.
func (d *Directory) Settings(ctx context.Context) (*api.VersionedSettings, error) {
	s, err := d.readSettings(ctx)
	if err != nil {
		return nil, err
	}
	return &api.VersionedSettings{Settings: s.Settings, Revision: s.revision}, nil
}

func (d *Directory) readSettings(ctx context.Context) (settingsView, error) {
	return readSettings(ctx, d.store.read)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readSettings(ctx context.Context, q querier) (settingsView, error) {
	v := settingsView{Settings: api.DefaultSettings()}
	var document string
	err := q.QueryRowContext(ctx, `SELECT revision, document FROM settings ORDER BY revision DESC LIMIT 1`).Scan(&v.revision, &document)
	if errors.Is(err, sql.ErrNoRows) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if v.Settings, err = parseSettings(document); err != nil {
		return v, fmt.Errorf("reading the settings: %w", err)
	}
	return v, nil
}

// SetSettings replaces the settings, if they still are of the revision that
// the caller saw: of two people who change them at once, one is told.
func (d *Directory) SetSettings(ctx context.Context, actor string, s *api.VersionedSettings) (*api.VersionedSettings, error) {
	if err := s.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	document, err := json.Marshal(&s.Settings)
	if err != nil {
		return nil, err
	}
	out := &api.VersionedSettings{Settings: s.Settings}
	err = d.change(ctx, func(t *transaction) error {
		revision, err := nextRevision(ctx, t.Tx) // a lock, too
		if err != nil {
			return err
		}
		old, err := readSettings(ctx, t)
		if err != nil {
			return err
		}
		if old.revision != s.Revision {
			return api.Refuse(api.CodeConflict, "the settings have revision %d by now", old.revision)
		}
		out.Revision = revision
		if _, err := t.exec(`INSERT INTO settings (revision, changed_at, changed_by, document) VALUES ($1, $2, $3, $4)`, revision, millis(d.now()), actor, string(document)); err != nil {
			return err
		}
		t.news = append(t.news, newsSettings)
		t.audit(actor, "settings.set", "settings", map[string]any{"from": old.Settings, "to": s.Settings})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
