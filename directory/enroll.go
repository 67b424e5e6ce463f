package directory

import (
	"context"
	"crypto/ecdsa"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// enrolment is a request to enrol on its way.
type enrolment struct {
	*api.EnrollRequest
	remote string // address it came from
	public *ecdsa.PublicKey
	hash   []byte // of the public key

	// What it came to:
	id      uuid.UUID
	state   api.DeviceState
	refused *api.Error
}

// Enroll takes a device that brings a connect key. A device that asks again
// with the same key of its own gets the same answer, and takes no further use:
// its first answer may have been lost. Refusals are of type *[api.Error].
func (d *Directory) Enroll(ctx context.Context, r *api.EnrollRequest, remote string) (*api.EnrollResponse, error) {
	if err := r.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	public, err := parseRequest(r.CertificateRequest)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	e := &enrolment{EnrollRequest: r, remote: remote, public: public}
	if e.hash, err = keyHash(public); err != nil {
		return nil, err
	}
	if err := d.change(ctx, e.decide); err != nil {
		return nil, err
	}
	if e.refused != nil {
		return nil, e.refused
	}
	certificates, err := d.ca.deviceCertificates(e.id, public)
	if err != nil {
		return nil, err
	}
	answer, err := d.answer(ctx, e.id)
	if err != nil {
		return nil, err
	}
	return &api.EnrollResponse{DeviceID: e.id, State: e.state, Certificates: certificates, CheckIn: *answer}, nil
}

// decide takes the device or refuses it. What is refused with a known key stands
// in the key's ledger: that is how theft shows.
func (e *enrolment) decide(t *transaction) error {
	e.refused = nil
	if known, err := e.sameDevice(t); known || err != nil {
		return err
	}
	k, err := scanKey(t.QueryRowContext(t.ctx, `SELECT `+keyColumns+` FROM connect_keys WHERE hash = $1`, secretHash(e.ConnectKey)))
	if errors.Is(err, sql.ErrNoRows) {
		return api.Refuse(api.CodeKeyUnknown, "no such connect key")
	}
	if err != nil {
		return err
	}
	place, err := e.admit(t, k)
	if err != nil && !errors.As(err, &e.refused) {
		return err
	}
	t.topics = append(t.topics, TopicKeys, TopicOrders)
	use := api.ConnectKeyUse{Time: t.d.now(), Serial: e.Facts.Serial, Remote: e.remote}
	if e.refused != nil {
		use.Refusal = e.refused.Code
		t.audit("device:?", "device.refuse", "key:"+k.ID.String(), map[string]any{"code": use.Refusal, "serial": use.Serial, "remote": use.Remote})
		return recordUse(t.ctx, t.Tx, k.ID, use)
	}
	if err := e.add(t, k); err != nil {
		return err
	}
	if place != nil {
		if err := e.take(t, place); err != nil {
			return err
		}
	}
	use.Device = e.id
	return recordUse(t.ctx, t.Tx, k.ID, use)
}

// admit takes a use of the key, and finds the device's place in the key's order, if
// it is of one.
func (e *enrolment) admit(t *transaction, k *api.ConnectKey) (*orderPlace, error) {
	var place *orderPlace
	if k.OrderID != uuid.Nil { // first: why the order's keys were revoked is what tells
		var err error
		if place, err = e.findPlace(t, k.OrderID); err != nil {
			return nil, err
		}
	}
	if err := refusal(k, e.EnrollRequest, t.d.now()); err != nil {
		return nil, err
	}
	if place != nil && place.again {
		return place, nil
	}
	return place, takeUse(t, k)
}

// sameDevice finds the device by its own key.
func (e *enrolment) sameDevice(t *transaction) (bool, error) {
	var id string
	err := t.QueryRowContext(t.ctx, `SELECT id, state FROM devices WHERE key_hash = $1`, e.hash).Scan(&id, &e.state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e.id = parseUUID(id)
	return true, allowed(e.state)
}

// allowed refuses devices that are none any more.
func allowed(state api.DeviceState) error {
	switch state {
	case api.DeviceRemoved:
		return api.Refuse(api.CodeDeviceRemoved, "it was removed")
	case api.DeviceReplaced:
		return api.Refuse(api.CodeDeviceReplaced, "the same hardware enrolled again")
	}
	return nil
}

// add makes the device's row. The same hardware again is linked to what it was
// before; where that has somebody's account, an admin decides: else whoever
// holds a connect key could push an employee's device out by its serial number.
func (e *enrolment) add(t *transaction, k *api.ConnectKey) error {
	revision, err := nextRevision(t.ctx, t.Tx) // a lock, too: one enrolment at a time
	if err != nil {
		return err
	}
	former, inUse, err := e.former(t)
	if err != nil {
		return err
	}
	if e.id, err = uuid.NewV7(); err != nil {
		return err
	}
	e.state = api.DeviceActive
	if k.Approval || inUse {
		e.state = api.DevicePending
	}
	facts, err := json.Marshal(&e.Facts)
	if err != nil {
		return err
	}
	now := millis(t.d.now())
	n, err := t.exec(`INSERT INTO devices (id, key_hash, state, revision, platform, serial, name, facts, connect_key, package_id, enrolled_at, seen_at, replaces)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (key_hash) DO NOTHING`,
		e.id.String(), e.hash, e.state, revision, e.Facts.Platform, e.Facts.Serial, e.Facts.Name, string(facts), k.ID.String(), uuidText(e.PackageID), now, now, uuidText(former))
	if err != nil {
		return fmt.Errorf("adding the device: %w", err)
	}
	if n == 0 {
		return errAgain
	}
	if former != uuid.Nil && e.state == api.DeviceActive {
		if err := t.replace(former, e.id); err != nil {
			return err
		}
	}
	if err := t.event(e.id, api.EventEnrolled, "", "device:"+e.id.String(), map[string]string{
		"state": string(e.state), "key": k.ID.String(), "package": uuidText(e.PackageID), "remote": e.remote, "replaces": uuidText(former),
	}); err != nil {
		return err
	}
	if err := t.enlist(e.id); err != nil {
		return err
	}
	t.audit("device:"+e.id.String(), "device.enroll", "device:"+e.id.String(), map[string]any{
		"state": e.state, "key": k.ID, "package": uuidText(e.PackageID), "serial": e.Facts.Serial, "platform": e.Facts.Platform, "remote": e.remote, "replaces": uuidText(former),
	})
	return nil
}

// former finds the device that this hardware was, and whether people use it.
func (e *enrolment) former(t *transaction) (uuid.UUID, bool, error) {
	if e.Facts.Serial == "" {
		return uuid.Nil, false, nil
	}
	var id string
	var users int
	err := t.QueryRowContext(t.ctx, `SELECT id, (SELECT COUNT(*) FROM bindings b WHERE b.device = d.id AND b.slot IS NOT NULL) FROM devices d
		WHERE platform = $1 AND serial = $2 AND state = $3 ORDER BY enrolled_at DESC, id DESC LIMIT 1`, e.Facts.Platform, e.Facts.Serial, api.DeviceActive).Scan(&id, &users)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	return parseUUID(id), users > 0, err
}

// setState changes a device's state, and tells it.
func (t *transaction) setState(id uuid.UUID, state api.DeviceState) error {
	if _, err := t.exec(`UPDATE devices SET state = $1 WHERE id = $2`, state, id.String()); err != nil {
		return err
	}
	if err := t.enlist(id); err != nil {
		return err
	}
	return t.touch(id)
}
