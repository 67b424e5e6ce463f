package directory

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// SetDeviceSSAP switches the sign-in off on one device, whatever the settings say,
// or lets it be as they say again. The device hears of it at its check-in, like of
// a setting; accounts that are there stay.
func (d *Directory) SetDeviceSSAP(ctx context.Context, actor string, id uuid.UUID, off bool) error {
	return d.change(ctx, func(t *transaction) error { return t.setSSAP(actor, id, off) })
}

func (t *transaction) setSSAP(actor string, id uuid.UUID, off bool) error {
	if err := t.touch(id); err != nil { // a lock, too
		return err
	}
	var state api.DeviceState
	var was int
	err := t.QueryRowContext(t.ctx, `SELECT state, ssap_off FROM devices WHERE id = $1`, id.String()).Scan(&state, &was)
	if errors.Is(err, sql.ErrNoRows) {
		return api.Refuse(api.CodeNotFound, "there is no device %s", id)
	}
	if err != nil || was == bit(off) {
		return err
	}
	if state != api.DeviceActive && state != api.DevicePending {
		return api.Refuse(api.CodeConflict, "the device is %s", state)
	}
	if _, err := t.exec(`UPDATE devices SET ssap_off = $1 WHERE id = $2`, bit(off), id.String()); err != nil {
		return err
	}
	action, kind := "device.ssap-on", api.EventOn
	if off {
		action, kind = "device.ssap-off", api.EventOff
	}
	t.audit(actor, action, "device:"+id.String(), nil)
	if err := t.event(id, kind, "", actor, nil); err != nil {
		return err
	}
	return t.enlist(id)
}
