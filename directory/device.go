package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"firstday.dev/api"
)

const deviceQuery = `SELECT d.id, d.state, d.facts, d.enrolled_at, d.seen_at, d.connect_key, d.package_id, d.replaces, d.ssap_off, k.batch, k.tags
	FROM devices d JOIN connect_keys k ON k.id = d.connect_key `

func scanDevice(row scanner) (*api.Device, error) {
	var v api.Device
	var facts, packageID, replaces, tags string
	var enrolled, seen int64
	if err := row.Scan(&v.ID, &v.State, &facts, &enrolled, &seen, &v.KeyID, &packageID, &replaces, &v.SSAPOff, &v.Batch, &tags); err != nil {
		return nil, err
	}
	v.EnrolledAt, v.SeenAt, v.PackageID, v.Replaces = fromMillis(enrolled), fromMillis(seen), parseUUID(packageID), parseUUID(replaces)
	if err := errors.Join(json.Unmarshal([]byte(facts), &v.Facts), json.Unmarshal([]byte(tags), &v.Tags)); err != nil {
		return nil, fmt.Errorf("device %s: %w", v.ID, err)
	}
	return &v, nil
}

// DevicePage is how many devices a page of the list holds.
const DevicePage = 100

// Devices lists devices by name, those after the one named, at most
// [DevicePage]. Replaced and removed ones are not listed.
func (d *Directory) Devices(ctx context.Context, afterName string, after uuid.UUID) (list []*api.Device, err error) {
	if !storable(afterName) {
		return nil, api.Refuse(api.CodeBadRequest, "%.70q is no name", afterName)
	}
	rows, err := d.store.read.QueryContext(ctx, deviceQuery+`WHERE d.state IN ($1, $2) AND (d.name > $3 OR d.name = $3 AND d.id > $4) ORDER BY d.name, d.id LIMIT $5`,
		api.DeviceActive, api.DevicePending, afterName, uuidText(after), DevicePage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scanDevice(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// Device gives one device, whatever its state.
func (d *Directory) Device(ctx context.Context, id uuid.UUID) (*api.Device, error) {
	v, err := scanDevice(d.store.read.QueryRowContext(ctx, deviceQuery+`WHERE d.id = $1`, id.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no device %s", id)
	}
	if err != nil {
		return nil, err
	}
	v.Users, err = readBindings(ctx, d.store.read, id)
	return v, err
}

// ApproveDevice lets a device in that waits. What the same hardware was before
// is replaced then.
func (d *Directory) ApproveDevice(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error { return t.approveDevice(actor, id) })
}

func (t *transaction) approveDevice(actor string, id uuid.UUID) error {
	return t.changeState(actor, id, "device.approve", api.EventApproved, api.DeviceActive, api.DevicePending)
}

// RemoveDevice ends a device's enrolment at once and for ever: to come back it
// enrols anew, with another key of its own.
func (d *Directory) RemoveDevice(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error { return t.removeDevice(actor, id) })
}

func (t *transaction) removeDevice(actor string, id uuid.UUID) error {
	return t.changeState(actor, id, "device.remove", api.EventRemoved, api.DeviceRemoved, api.DeviceActive, api.DevicePending, api.DeviceReplaced)
}

// changeState brings a device into a state from one of others. One that is in
// it already is left alone.
func (t *transaction) changeState(actor string, id uuid.UUID, action string, kind api.EventKind, to api.DeviceState, from ...api.DeviceState) error {
	if err := t.touch(id); err != nil { // a lock, too
		return err
	}
	var state api.DeviceState
	var replaces string
	err := t.QueryRowContext(t.ctx, `SELECT state, replaces FROM devices WHERE id = $1`, id.String()).Scan(&state, &replaces)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return api.Refuse(api.CodeNotFound, "there is no device %s", id)
	case err != nil:
		return err
	case state == to:
		return nil
	case !slices.Contains(from, state):
		return api.Refuse(api.CodeConflict, "the device is %s", state)
	}
	if former := parseUUID(replaces); to == api.DeviceActive && former != uuid.Nil {
		if err := t.replace(former, id); err != nil {
			return err
		}
	}
	t.audit(actor, action, "device:"+id.String(), map[string]any{"from": state})
	if err := t.event(id, kind, "", actor, nil); err != nil {
		return err
	}
	return t.setState(id, to)
}

// replace ends the enrolment of what the same hardware was before.
func (t *transaction) replace(former, by uuid.UUID) error {
	if err := t.setState(former, api.DeviceReplaced); err != nil {
		return err
	}
	return t.event(former, api.EventReplaced, "", "device:"+by.String(), map[string]string{"by": by.String()})
}
