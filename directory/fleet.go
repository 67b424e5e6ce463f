package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Bounds of what a device is found by, in bytes: an entry of an index of
// PostgreSQL has at most 2,704.
const (
	maxFleetName  = 256
	maxFleetWords = 1000
)

// enlist makes a device's row of the fleet anew, or takes it away. Who calls it
// has changed the device's own row before: that is the lock.
func (t *transaction) enlist(id uuid.UUID) error {
	var state api.DeviceState
	var platform api.Platform
	var text, key, packageID string
	var off, enrolled, seen int64
	err := t.QueryRowContext(t.ctx, `SELECT state, platform, facts, ssap_off, connect_key, package_id, enrolled_at, seen_at FROM devices WHERE id = $1`, id.String()).
		Scan(&state, &platform, &text, &off, &key, &packageID, &enrolled, &seen)
	if err != nil {
		return fmt.Errorf("listing device %s: %w", id, err)
	}
	if state != api.DeviceActive && state != api.DevicePending {
		return t.delist(id)
	}
	var facts api.Facts
	if err := json.Unmarshal([]byte(text), &facts); err != nil {
		return fmt.Errorf("device %s: %w", id, err)
	}
	users, err := readBindings(t.ctx, t, id)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(b api.Binding) bool { return b.State != api.Bound && b.State != api.Awaiting })
	people := slices.ContainsFunc(users, func(b api.Binding) bool { return b.State == api.Bound })
	if _, err := t.exec(`INSERT INTO fleet (device, state, platform, people, trouble, ssap_off, connect_key, package_id, name, serial, enrolled_at, seen_at, words)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (device) DO UPDATE SET state = $2, people = $4, trouble = $5, ssap_off = $6, name = $9, serial = $10, seen_at = $12, words = $13`,
		id.String(), state, platform, bit(people), bit(len(facts.Problems) > 0), off, key, packageID,
		folded(facts.Name, maxFleetName), folded(facts.Serial, maxFleetName), enrolled, seen, fleetWords(&facts, users)); err != nil {
		return fmt.Errorf("listing device %s: %w", id, err)
	}
	return t.noteProblems(id, facts.Problems)
}

func (t *transaction) delist(id uuid.UUID) error {
	for _, query := range []string{`DELETE FROM fleet WHERE device = $1`, `DELETE FROM device_problems WHERE device = $1`} {
		if _, err := t.exec(query, id.String()); err != nil {
			return err
		}
	}
	return nil
}

// noteProblems writes down what a device's agent reports now.
func (t *transaction) noteProblems(id uuid.UUID, problems []string) error {
	if _, err := t.exec(`DELETE FROM device_problems WHERE device = $1`, id.String()); err != nil {
		return err
	}
	for _, p := range problems {
		if _, err := t.exec(`INSERT INTO device_problems (device, problem) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id.String(), p); err != nil {
			return err
		}
	}
	return nil
}

// folded is a text as lists are sorted and searched by it.
func folded(text string, most int) string { return cut(strings.ToLower(text), most) }

// cut shortens a text to so many bytes, between characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// fleetWords is what a device is searched by: what people know of it first, since
// its end may be cut off.
func fleetWords(f *api.Facts, users []api.Binding) string {
	texts := []string{f.Name, f.Serial}
	for _, b := range users {
		texts = append(texts, b.User.Name, b.User.Email, b.User.FullName)
	}
	texts = append(texts, f.Manufacturer, f.Model, f.OS, f.OSVersion)
	return folded(strings.Join(texts, "\n"), maxFleetWords)
}

// enlistUser is for when what devices are searched by changed with a user. Who
// finds the devices' rows taken waits, as with the user's own.
func (t *transaction) enlistUser(id uuid.UUID) error {
	devices, err := readRows(t.ctx, t, scanID, `SELECT device FROM bindings WHERE user_id = $1 AND state IN ($2, $3) ORDER BY device`, id.String(), api.Bound, api.Awaiting)
	if err != nil {
		return err
	}
	for _, device := range devices {
		if _, err := t.exec(`UPDATE devices SET revision = revision WHERE id = $1`, device.String()); err != nil {
			return err
		}
		if err := t.enlist(device); err != nil {
			return err
		}
	}
	return nil
}

func scanID(row scanner) (id uuid.UUID, err error) { return id, row.Scan(&id) }

// fillBatch is how many devices of an older version one transaction lists.
const fillBatch = 500

// fillFleet lists what an older version, or a replica of one, left unlisted.
func (d *Directory) fillFleet(ctx context.Context) error {
	last := uuid.Nil
	for {
		ids, err := readRows(ctx, d.store.read, scanID, `SELECT d.id FROM devices d LEFT JOIN fleet f ON f.device = d.id
			WHERE d.id > $1 AND d.state IN ($2, $3) AND f.device IS NULL ORDER BY d.id LIMIT $4`, last.String(), api.DeviceActive, api.DevicePending, fillBatch)
		if err != nil {
			return fmt.Errorf("looking for devices that are not listed: %w", err)
		}
		if len(ids) == 0 {
			return d.fillTags(ctx)
		}
		last = ids[len(ids)-1]
		if err := d.change(ctx, func(t *transaction) error {
			for _, id := range ids {
				if _, err := t.exec(`UPDATE devices SET revision = revision WHERE id = $1`, id.String()); err != nil {
					return err
				}
				if err := t.enlist(id); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}

// fillTags does the same for the tags of connect keys.
func (d *Directory) fillTags(ctx context.Context) error {
	keys, err := readRows(ctx, d.store.read, scanTags, `SELECT id, tags FROM connect_keys k WHERE tags NOT IN ('[]', 'null') AND NOT EXISTS (SELECT 1 FROM connect_key_tags t WHERE t.connect_key = k.id)`)
	if err != nil || len(keys) == 0 {
		return err
	}
	return d.change(ctx, func(t *transaction) error {
		for _, k := range keys {
			if err := t.noteTags(k.ID, k.Tags); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanTags(row scanner) (*api.ConnectKey, error) {
	var k api.ConnectKey
	var tags string
	if err := row.Scan(&k.ID, &tags); err != nil {
		return nil, err
	}
	return &k, json.Unmarshal([]byte(tags), &k.Tags)
}

// noteTags lets devices be found by the tags of the key that brought them.
func (t *transaction) noteTags(key uuid.UUID, tags []string) error {
	for _, tag := range tags {
		if _, err := t.exec(`INSERT INTO connect_key_tags (tag, connect_key) VALUES ($1, $2) ON CONFLICT DO NOTHING`, tag, key.String()); err != nil {
			return err
		}
	}
	return nil
}

// mustExist refuses what is asked of no device.
func (d *Directory) mustExist(ctx context.Context, id uuid.UUID) error {
	var found int
	err := d.store.read.QueryRowContext(ctx, `SELECT 1 FROM devices WHERE id = $1`, id.String()).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return api.Refuse(api.CodeNotFound, "there is no device %s", id)
	}
	return err
}
