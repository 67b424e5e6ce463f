package directory

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// maxReason bounds the reason for a reveal, in bytes.
const maxReason = 500

// Escrow keeps the next password of a device's break-glass account, or notes
// that the account has it. The directory cannot read it: only who has the
// recovery key can.
func (d *Directory) Escrow(ctx context.Context, device uuid.UUID, r *api.EscrowRequest) (*api.EscrowResponse, error) {
	if err := r.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	out := &api.EscrowResponse{Number: r.Confirm}
	err := d.change(ctx, func(t *transaction) error {
		if err := t.touch(device); err != nil { // a lock, too
			return err
		}
		if _, err := t.settingsOf(device); err != nil && api.CodeOf(err) != api.CodeDevicePending {
			return err
		}
		actor, subject := "device:"+device.String(), "device:"+device.String()
		if r.Confirm > 0 {
			n, err := t.exec(`UPDATE escrows SET confirmed = 1 WHERE device = $1 AND number = $2`, device.String(), r.Confirm)
			if err == nil && n == 0 {
				return api.Refuse(api.CodeNotFound, "there is no escrow %d of the device", r.Confirm)
			}
			t.audit(actor, "device.escrow", subject, map[string]any{"number": r.Confirm})
			return err
		}
		if err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM escrows WHERE device = $1`, device.String()).Scan(&out.Number); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO escrows (device, number, account, sealed, recovery_key, created_at, confirmed, revealed_at) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`,
			device.String(), out.Number, r.Account, r.Sealed, r.RecoveryKey, millis(d.now()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Reveal gives the password of a device's break-glass account, sealed: the one
// it has, and any that was on its way. The device is told to change it when
// whoever has it now has had the time to use it, see revealedLife.
func (d *Directory) Reveal(ctx context.Context, actor string, device uuid.UUID, r *api.RevealRequest) (list []api.Escrow, err error) {
	if strings.TrimSpace(r.Reason) == "" || len(r.Reason) > maxReason || strings.ContainsFunc(r.Reason, unicode.IsControl) {
		return nil, api.Refuse(api.CodeBadRequest, "the reason is missing, longer than %d bytes, or holds control characters", maxReason)
	}
	err = d.change(ctx, func(t *transaction) error {
		if err := t.touch(device); err != nil {
			return err
		}
		if list, err = t.escrows(device); err != nil {
			return err
		}
		if len(list) == 0 {
			return api.Refuse(api.CodeNotFound, "nothing is in escrow for device %s", device)
		}
		t.audit(actor, "device.reveal", "device:"+device.String(), map[string]any{"account": list[0].Account, "reason": r.Reason})
		if err := t.event(device, api.EventRevealed, "", actor, map[string]string{"account": list[0].Account, "reason": r.Reason}); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE escrows SET revealed_at = $1 WHERE device = $2 AND revealed_at = 0`, millis(d.now()), device.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// escrows gives those of a device that may be in use, the newest first.
func (t *transaction) escrows(device uuid.UUID) (list []api.Escrow, err error) {
	rows, err := t.QueryContext(t.ctx, `SELECT account, sealed, recovery_key, created_at, confirmed FROM escrows WHERE device = $1
		AND number >= (SELECT COALESCE(MAX(number), 0) FROM escrows WHERE device = $1 AND confirmed = 1) ORDER BY number DESC`, device.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e api.Escrow
		var created int64
		if err := rows.Scan(&e.Account, &e.Sealed, &e.RecoveryKey, &created, &e.Confirmed); err != nil {
			return nil, err
		}
		e.CreatedAt = fromMillis(created)
		list = append(list, e)
	}
	return list, rows.Err()
}

// revealedLife is how long a password works that somebody has seen. A device that
// is online would change it in seconds else, before it is typed.
const revealedLife = 24 * time.Hour

// kept is what a device's present password is.
type kept struct {
	sealedTo string // the recovery key; empty: there is none in escrow
	revealed int64  // when somebody saw it first, in milliseconds; 0: nobody did
}

func (d *Directory) kept(ctx context.Context, device uuid.UUID) (k kept, err error) {
	err = d.store.read.QueryRowContext(ctx, `SELECT recovery_key, revealed_at FROM escrows WHERE device = $1 AND confirmed = 1 ORDER BY number DESC LIMIT 1`, device.String()).Scan(&k.sealedTo, &k.revealed)
	if errors.Is(err, sql.ErrNoRows) {
		return kept{}, nil
	}
	return k, err
}

// ends tells whether the device is to make another one.
func (k kept) ends(now time.Time, recoveryKey string) bool {
	if recoveryKey == "" {
		return false // nowhere to put it
	}
	return k.sealedTo != recoveryKey || k.revealed != 0 && now.Sub(fromMillis(k.revealed)) >= revealedLife
}
