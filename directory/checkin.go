package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// CheckIn takes what the device says of itself and answers as soon as there is
// another version than the device has, at the latest when its wait is over. One
// that brings nothing new does not touch the database.
func (d *Directory) CheckIn(ctx context.Context, id uuid.UUID, r *api.CheckInRequest) (*api.CheckInResponse, error) {
	if err := r.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if r.Facts != nil {
		if err := d.learn(ctx, id, r.Facts); err != nil {
			return nil, err
		}
	}
	d.seen.note(id, sight{d.now(), r.Version})
	answer, err := d.await(ctx, id, r.Version, time.Duration(r.Wait)*time.Second)
	if err != nil || r.CertificateRequest == nil {
		return answer, err
	}
	answer.Certificates, err = d.renew(ctx, id, r.CertificateRequest)
	return answer, err
}

// await waits for another version than the device has.
func (d *Directory) await(ctx context.Context, id uuid.UUID, version int64, wait time.Duration) (*api.CheckInResponse, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	d.metrics.waiting.Inc()
	defer d.metrics.waiting.Dec()
	for {
		device, settings := d.views.device(id), d.views.current()
		answer, err := d.answer(ctx, id)
		if err != nil || answer.Version != version {
			return answer, err
		}
		select {
		case <-device.changed:
		case <-settings.changed:
		case <-timer.C:
			return d.still(ctx, id, version) // made again: very many are not kept for as long as they wait
		case <-d.closing.Done():
			return d.still(ctx, id, version)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// still is the answer where there may be no news: the device has the logo then.
func (d *Directory) still(ctx context.Context, id uuid.UUID, version int64) (*api.CheckInResponse, error) {
	answer, err := d.answer(ctx, id)
	if err == nil && answer.Version == version {
		answer.Logo = nil
	}
	return answer, err
}

// answer is all that a device must know, as of now.
func (d *Directory) answer(ctx context.Context, id uuid.UUID) (*api.CheckInResponse, error) {
	device, err := d.views.device(id).get(func() (deviceView, error) { return d.readDeviceView(ctx, id) })
	if err != nil {
		return nil, err
	}
	if err := allowed(device.state); err != nil {
		return nil, err
	}
	settings, err := d.views.current().get(func() (settingsView, error) { return d.readSettings(ctx) })
	if err != nil {
		return nil, err
	}
	platform, err := settings.For(device.platform) // a copy's
	if err != nil {
		return nil, err
	}
	platform.SSAP = platform.SSAP && !device.off
	return &api.CheckInResponse{
		Time: d.now(), Version: max(device.revision, settings.revision), State: device.state,
		Organisation: d.Organisation, Settings: *platform,
		Free: device.state == api.DeviceActive && (platform.Users == 0 || holders(device.users) < platform.Users), Users: device.users,
		RecoveryKey: settings.RecoveryKey, Rotate: device.password.ends(d.now(), settings.RecoveryKey),
		Logo: settings.Logo,
	}, nil
}

// holders tells how many of a device's users have a slot.
func holders(users []api.Binding) (n int) {
	for _, b := range users {
		if b.State != api.Unbound {
			n++
		}
	}
	return n
}

func (d *Directory) readDeviceView(ctx context.Context, id uuid.UUID) (deviceView, error) {
	var v deviceView
	err := d.store.read.QueryRowContext(ctx, `SELECT state, platform, revision, ssap_off FROM devices WHERE id = $1`, id.String()).Scan(&v.state, &v.platform, &v.revision, &v.off)
	if errors.Is(err, sql.ErrNoRows) {
		return v, api.Refuse(api.CodeDeviceRemoved, "there is no device %s", id)
	}
	if err != nil {
		return v, err
	}
	if v.password, err = d.kept(ctx, id); err != nil {
		return v, err
	}
	v.users, err = readBindings(ctx, d.store.read, id)
	v.users = slices.DeleteFunc(v.users, func(b api.Binding) bool { return b.State == api.Claimed })
	return v, err
}

// learn writes down a device's facts.
func (d *Directory) learn(ctx context.Context, id uuid.UUID, f *api.Facts) error {
	facts, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return d.change(ctx, func(t *transaction) error {
		var platform api.Platform
		var text string
		err := t.QueryRowContext(ctx, `SELECT platform, facts FROM devices WHERE id = $1`, id.String()).Scan(&platform, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return api.Refuse(api.CodeDeviceRemoved, "there is no device %s", id)
		}
		if err != nil {
			return err
		}
		if platform != f.Platform {
			return api.Refuse(api.CodeBadRequest, "the device runs %s, its facts are of %s", platform, f.Platform)
		}
		t.topics = append(t.topics, TopicDevices)
		if _, err := t.exec(`UPDATE devices SET facts = $1, name = $2, seen_at = $3 WHERE id = $4`, string(facts), f.Name, millis(d.now()), id.String()); err != nil {
			return err
		}
		var before api.Facts
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return fmt.Errorf("device %s: %w", id, err)
		}
		if err := t.noteTrouble(id, before.Problems, f.Problems); err != nil {
			return err
		}
		return t.enlist(id)
	})
}

// renew issues the next certificate for the key that the device enrolled with.
func (d *Directory) renew(ctx context.Context, id uuid.UUID, request []byte) ([][]byte, error) {
	public, err := parseRequest(request)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	hash, err := keyHash(public)
	if err != nil {
		return nil, err
	}
	var found int
	if err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM devices WHERE id = $1 AND key_hash = $2`, id.String(), hash).Scan(&found); err != nil {
		return nil, fmt.Errorf("looking for the device's key: %w", err)
	}
	if found == 0 {
		return nil, api.Refuse(api.CodeBadRequest, "the request is by another key than the device's")
	}
	return d.ca.deviceCertificates(id, public)
}
