package directory

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"firstday.dev/api"
)

// SettingsPage is how many changes a page of the settings' history holds.
const SettingsPage = 50

// storedSettings are those of a revision, as they were written.
type storedSettings struct {
	revision, at int64
	by, document string
}

func scanStored(row scanner) (s storedSettings, err error) {
	return s, row.Scan(&s.revision, &s.at, &s.by, &s.document)
}

// SettingsHistory gives the changes of the settings, the last first, from before
// that revision on; 0: the last. There are at most [SettingsPage].
func (d *Directory) SettingsHistory(ctx context.Context, before int64) ([]*api.SettingsChange, error) {
	// One more: what the oldest of the page was a change of.
	stored, err := readRows(ctx, d.store.read, scanStored, `SELECT revision, changed_at, changed_by, document FROM settings
		WHERE $1 <= 0 OR revision < $1 ORDER BY revision DESC LIMIT $2`, before, SettingsPage+1)
	if err != nil {
		return nil, err
	}
	var list []*api.SettingsChange
	for i, s := range stored[:min(len(stored), SettingsPage)] {
		now, err := parseSettings(s.document)
		if err != nil {
			return nil, fmt.Errorf("settings %d: %w", s.revision, err)
		}
		was := api.DefaultSettings()
		if i+1 < len(stored) {
			if was, err = parseSettings(stored[i+1].document); err != nil {
				return nil, fmt.Errorf("settings %d: %w", stored[i+1].revision, err)
			}
		}
		c := &api.SettingsChange{Revision: s.revision, ChangedAt: fromMillis(s.at), ChangedBy: s.by}
		if c.Changes, err = changesOf(&was, &now); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func parseSettings(document string) (api.Settings, error) {
	s := api.DefaultSettings()
	err := json.Unmarshal([]byte(document), &s)
	return s, err
}

// SettingsAt gives the settings of a revision; 0: those of a new directory.
func (d *Directory) SettingsAt(ctx context.Context, revision int64) (*api.VersionedSettings, error) {
	if revision == 0 {
		return &api.VersionedSettings{Settings: api.DefaultSettings()}, nil
	}
	var document string
	err := d.store.read.QueryRowContext(ctx, `SELECT document FROM settings WHERE revision = $1`, revision).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there are no settings of revision %d", revision)
	}
	if err != nil {
		return nil, err
	}
	s, err := parseSettings(document)
	if err != nil {
		return nil, fmt.Errorf("settings %d: %w", revision, err)
	}
	return &api.VersionedSettings{Settings: s, Revision: revision}, nil
}

// RevertSettings goes back to the settings of an earlier revision: they are set
// anew, if those in force still are of the revision that the caller saw.
func (d *Directory) RevertSettings(ctx context.Context, actor string, r *api.RevertRequest) (*api.VersionedSettings, error) {
	s, err := d.SettingsAt(ctx, r.To)
	if err != nil {
		return nil, err
	}
	s.Revision = r.Revision
	return d.SetSettings(ctx, actor, s)
}

// changesOf tells settings apart, by key.
func changesOf(was, now *api.Settings) ([]api.SettingChange, error) {
	before, err := flatten(was)
	if err != nil {
		return nil, err
	}
	after, err := flatten(now)
	if err != nil {
		return nil, err
	}
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	changes := []api.SettingChange{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if before[key] != after[key] {
			changes = append(changes, api.SettingChange{Key: key, From: before[key], To: after[key]})
		}
	}
	return changes, nil
}

// flatten gives each setting as JSON, by its key.
func flatten(s *api.Settings) (map[string]string, error) {
	logo := s.Logo
	plain := *s
	plain.Logo = nil
	b, err := json.Marshal(&plain)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	flat := make(map[string]string)
	for key, value := range all {
		var inner map[string]json.RawMessage
		if json.Unmarshal(value, &inner) != nil {
			flat[key] = string(value)
			continue
		}
		for name, value := range inner {
			flat[key+"."+name] = string(value)
		}
	}
	if len(logo) > 0 {
		sum := sha256.Sum256(logo)
		flat["logo"] = fmt.Sprintf("%d bytes, SHA-256 %s", len(logo), hex.EncodeToString(sum[:]))
	}
	return flat, nil
}
