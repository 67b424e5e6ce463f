package directory

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// binding is a row of those that a device has.
type binding struct {
	user     uuid.UUID
	state    api.BindingState
	slot     int // 0: none
	provider string
	signin   string
}

func (t *transaction) bindings(device uuid.UUID) (list []binding, err error) {
	rows, err := t.QueryContext(t.ctx, `SELECT b.user_id, b.state, COALESCE(b.slot, 0), u.issuer, b.signin FROM bindings b JOIN users u ON u.id = b.user_id WHERE b.device = $1`, device.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b binding
		if err := rows.Scan(&b.user, &b.state, &b.slot, &b.provider, &b.signin); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// claim takes a slot of the device for who has signed in. Of any number who try
// no more succeed than there are slots: the database has each but once.
func (t *transaction) claim(s *signIn) (*api.TokenResponse, error) {
	// The device's row is the lock. Two who were faster than it meet at the slot.
	if _, err := t.exec(`UPDATE devices SET revision = revision WHERE id = $1`, s.device.String()); err != nil {
		return nil, err
	}
	user, err := t.d.findUser(t.ctx, t, s.user.String())
	if err != nil {
		return nil, err
	}
	settings, err := t.eligible(s.device, user)
	if err != nil {
		return nil, err
	}
	if err := t.release(`device = $1 AND claimed_until <= $2`, s.device.String(), millis(t.d.now())); err != nil {
		return nil, err
	}
	present, err := t.bindings(s.device)
	if err != nil {
		return nil, err
	}
	state, slot, err := place(present, s, settings.Users)
	if err != nil {
		return nil, err
	}
	ticket, hash := newSecret("")
	if err := t.hold(s, state, slot, hash); err != nil {
		return nil, err
	}
	out := &api.TokenResponse{
		User: user.Person, Ticket: ticket, ExpiresIn: int(api.TicketLife.Seconds()),
		Password: settings.Password, Permission: settings.Permission, PIN: settings.PIN,
	}
	if user.Provider != "" {
		out.Password = api.ChoosePassword // nobody here can verify another one
	}
	return out, nil
}

// place finds the slot for who has signed in: their own, or the first free one
// of so many; 0: any number.
func place(present []binding, s *signIn, limit int) (api.BindingState, int, error) {
	taken := make(map[int]bool)
	for _, b := range present {
		if b.slot > 0 {
			taken[b.slot] = true
		}
		if b.user != s.user || b.slot == 0 {
			continue
		}
		switch {
		case b.state == api.Bound && b.signin == s.id.String():
			return "", 0, api.Refuse(api.CodeTicket, "sign-in %s is complete", s.id)
		case b.state == api.Bound:
			return "", 0, api.Refuse(api.CodeAlreadyBound, "user %s", s.user)
		default:
			return b.state, b.slot, nil
		}
	}
	if limit > 0 && len(taken) >= limit {
		return "", 0, api.Refuse(api.CodeSlotTaken, "%d of %d slots", len(taken), limit)
	}
	slot := 1
	for taken[slot] {
		slot++
	}
	return api.Claimed, slot, nil
}

// hold writes the claim down.
func (t *transaction) hold(s *signIn, state api.BindingState, slot int, ticket []byte) error {
	now := t.d.now()
	n, err := t.exec(`INSERT INTO bindings (device, user_id, state, slot, account, account_id, signin, ticket, claimed_until, confirmed, changed_at, changed_by)
		SELECT $1, $2, $3, $4, '', '', $5, $6, $7, 0, $8, $9 WHERE NOT EXISTS (SELECT 1 FROM bindings WHERE device = $1 AND slot = $4 AND user_id <> $2)
		ON CONFLICT (device, user_id) DO UPDATE SET state = $3, slot = $4, signin = $5, ticket = $6, claimed_until = $7, confirmed = 0, changed_at = $8, changed_by = $9`,
		s.device.String(), s.user.String(), state, slot, s.id.String(), ticket, millis(now.Add(api.TicketLife)), millis(now), "user:"+s.user.String())
	if err != nil {
		return err
	}
	if n == 0 {
		return errAgain
	}
	if s.state != signInRedeemed {
		t.audit("user:"+s.user.String(), "signin.claim", "device:"+s.device.String(), map[string]any{"signin": s.id, "slot": slot})
		if err := t.signInEvent(s.device, s.user, ""); err != nil {
			return err
		}
	}
	_, err = t.exec(`UPDATE sign_ins SET state = $1, expires_at = $2 WHERE id = $3`, signInRedeemed, millis(now.Add(api.TicketLife)), s.id.String())
	return err
}

// release takes claims back that the condition chooses. Who had an account here
// before is unbound again.
func (t *transaction) release(condition string, args ...any) error {
	for _, query := range []string{
		`DELETE FROM bindings WHERE state = 'claimed' AND account = '' AND ` + condition,
		`UPDATE bindings SET state = 'unbound', slot = NULL, ticket = NULL WHERE state = 'claimed' AND ` + condition,
		`UPDATE bindings SET ticket = NULL WHERE state = 'awaiting' AND ` + condition,
	} {
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// errTicket refuses tickets without telling why.
var errTicket = api.Refuse(api.CodeTicket, "no such ticket of this device")

// ConfirmPassword tells whether the password is that of the one who has signed
// in, where the settings want it asked.
func (d *Directory) ConfirmPassword(ctx context.Context, device uuid.UUID, r *api.PasswordRequest) error {
	if err := r.Check(); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	var user uuid.UUID
	var until int64
	hash := secretHash(r.Ticket)
	err := d.store.read.QueryRowContext(ctx, `SELECT user_id, claimed_until FROM bindings WHERE device = $1 AND ticket = $2`, device.String(), hash).Scan(&user, &until)
	if errors.Is(err, sql.ErrNoRows) || err == nil && until <= millis(d.now()) {
		return errTicket
	}
	if err != nil {
		return err
	}
	if err := d.confirmLogin(ctx, user, r.Password); err != nil {
		known, _ := d.FindUser(ctx, user.String())
		d.noteTry(ctx, device, known, "", err)
		return err
	}
	return d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE bindings SET confirmed = 1 WHERE device = $1 AND ticket = $2`, device.String(), hash)
		if err == nil && n == 0 {
			return errTicket
		}
		return err
	})
}

// CompleteSignIn binds the user: the account is made. A device that was offline
// for longer than its ticket holds may come late, as long as nobody else has
// claimed the slot.
func (d *Directory) CompleteSignIn(ctx context.Context, device uuid.UUID, r *api.CompleteRequest) error {
	if err := r.Check(); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	hash := secretHash(r.Ticket)
	return d.change(ctx, func(t *transaction) error {
		var state api.BindingState
		var user uuid.UUID
		var confirmed bool
		var provider string
		err := t.QueryRowContext(ctx, `SELECT b.state, b.user_id, b.confirmed, u.issuer FROM bindings b JOIN users u ON u.id = b.user_id WHERE b.device = $1 AND b.ticket = $2`,
			device.String(), hash).Scan(&state, &user, &confirmed, &provider)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errTicket
		case err != nil:
			return err
		case state == api.Bound:
			return nil // the answer was lost
		}
		settings, err := t.settingsOf(device)
		if err != nil {
			return err
		}
		if settings.Password == api.VerifyPassword && provider == "" && !confirmed {
			return api.Refuse(api.CodePasswordRequired, "user %s", user)
		}
		n, err := t.exec(`UPDATE bindings SET state = $1, account = $2, account_id = $3, changed_at = $4, changed_by = $5 WHERE device = $6 AND ticket = $7`,
			api.Bound, r.Account, r.AccountID, millis(d.now()), "user:"+user.String(), device.String(), hash)
		if err != nil {
			return err
		}
		if n == 0 {
			return errAgain
		}
		t.audit("user:"+user.String(), "user.bind", "device:"+device.String(), map[string]any{"account": r.Account, "accountId": r.AccountID})
		if err := t.touch(device); err != nil {
			return err
		}
		return t.belong(device, user, api.EventBound, "user:"+user.String(), r.Account)
	})
}

// Bind gives a user a device, whatever the settings say of how many it may
// have: the account is made ready, and waits for them to sign in.
func (d *Directory) Bind(ctx context.Context, actor string, device uuid.UUID, name string) error {
	return d.change(ctx, func(t *transaction) error {
		u, err := d.findUser(ctx, t, name)
		if err != nil {
			return err
		}
		if err := t.touch(device); err != nil { // a lock, too
			return err
		}
		if _, err := t.settingsOf(device); err != nil && api.CodeOf(err) != api.CodeDevicePending {
			return err
		}
		present, err := t.bindings(device)
		if err != nil {
			return err
		}
		_, slot, err := place(present, &signIn{user: u.ID}, 0)
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO bindings (device, user_id, state, slot, account, account_id, signin, ticket, claimed_until, confirmed, changed_at, changed_by)
			VALUES ($1, $2, $3, $4, '', '', '', NULL, 0, 0, $5, $6) ON CONFLICT (device, user_id) DO UPDATE SET state = $3, slot = $4, ticket = NULL, changed_at = $5, changed_by = $6`,
			device.String(), u.ID.String(), api.Awaiting, slot, millis(d.now()), actor)
		if err != nil {
			return err
		}
		t.audit(actor, "device.bind", "device:"+device.String(), map[string]any{"user": u.ID, "name": u.Name})
		return t.belong(device, u.ID, api.EventAssigned, actor, "")
	})
}

// belong notes a change of whose a device is, which has been touched before.
func (t *transaction) belong(device, user uuid.UUID, kind api.EventKind, actor, account string) error {
	var name string
	if err := t.QueryRowContext(t.ctx, `SELECT name FROM users WHERE id = $1`, user.String()).Scan(&name); err != nil {
		return err
	}
	if err := t.event(device, kind, "", actor, map[string]string{"user": name, "account": account}); err != nil {
		return err
	}
	return t.enlist(device)
}

// Unbind takes a device from a user: their account there is disabled, never
// deleted, and the slot is free.
func (d *Directory) Unbind(ctx context.Context, actor string, device uuid.UUID, name string) error {
	return d.change(ctx, func(t *transaction) error {
		u, err := d.findUser(ctx, t, name)
		if err != nil {
			return err
		}
		if err := t.touch(device); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE bindings SET state = $1, slot = NULL, ticket = NULL, changed_at = $2, changed_by = $3 WHERE device = $4 AND user_id = $5 AND state <> $1`,
			api.Unbound, millis(d.now()), actor, device.String(), u.ID.String())
		if err != nil {
			return err
		}
		if n == 0 {
			return api.Refuse(api.CodeNotFound, "device %s does not have the user %s", device, u.Name)
		}
		t.audit(actor, "device.unbind", "device:"+device.String(), map[string]any{"user": u.ID, "name": u.Name})
		return t.belong(device, u.ID, api.EventUnbound, actor, "")
	})
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// bindingOf is a binding with the device that it is of.
type bindingOf struct {
	api.Binding
	device uuid.UUID
}

const (
	bindingQuery = `SELECT b.device, u.id, u.name, u.email, u.full_name, b.state, b.account, b.account_id, b.changed_at, b.changed_by FROM bindings b JOIN users u ON u.id = b.user_id `
	bindingOrder = ` ORDER BY COALESCE(b.slot, 1000000), u.name`
)

func scanBindingOf(row scanner) (b bindingOf, err error) {
	var changed int64
	err = row.Scan(&b.device, &b.User.ID, &b.User.Name, &b.User.Email, &b.User.FullName, &b.State, &b.Account, &b.AccountID, &changed, &b.ChangedBy)
	b.ChangedAt = fromMillis(changed)
	return b, err
}

func scanBinding(row scanner) (api.Binding, error) {
	b, err := scanBindingOf(row)
	return b.Binding, err
}

// readBindings gives what a device, and who administers, must know of its users.
func readBindings(ctx context.Context, q rowsQuerier, device uuid.UUID) ([]api.Binding, error) {
	return readRows(ctx, q, scanBinding, bindingQuery+`WHERE b.device = $1`+bindingOrder, device.String())
}
