package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

// PINs keeps the PINs of this device. [pin.Store] does.
type PINs interface {
	// Ready tells by a trial why there can be none.
	Ready() error
	Set(ctx context.Context, u pin.User, password, digits []byte) error
	Unlock(ctx context.Context, u pin.User, digits []byte) (password []byte, err error)
	Forget(ctx context.Context, id string) error
	Users() ([]pin.User, error)
}

// begun is the flow as the service starts. PINs need a store that tells whether a
// password is an account's: behind a PIN there may be an old one.
func (m *Machine) begun() flow {
	f := flow{state: Hidden}
	_, verifies := m.Accounts.Store.(accounts.Changer)
	f.pins = m.Accounts.PINs != nil && m.Pack != nil && verifies
	if m.Device != nil {
		f.serial = m.Device().Serial
	}
	return f
}

// returning gives who has a PIN.
func (l *loop) returning() []pin.User {
	if !l.flow.pins {
		return nil
	}
	users, err := l.Accounts.PINs.Users()
	if err != nil {
		l.Log.WarnContext(l.ctx, "who has a PIN is not known", "error", err)
	}
	return users
}

// readyWait is how long who signs in waits to hear whether there can be a PIN.
// It was looked into while they were at their phone.
const readyWait = 5 * time.Second

// errNotReady: the TPM takes too long.
var errNotReady = errors.New("it takes too long to find out whether there can be a PIN")

// pinsReady begins to find out whether this device can keep PINs.
func (l *loop) pinsReady() func(context.Context) error {
	if !l.flow.pins {
		return func(context.Context) error { return nil }
	}
	told := make(chan error, 1)
	go func() { told <- l.Accounts.PINs.Ready() }()
	return func(ctx context.Context) error {
		var err error
		select {
		case err = <-told:
		case <-time.After(readyWait):
			err = errNotReady
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			l.Log.WarnContext(ctx, "this device cannot keep a PIN", "error", err)
		}
		return err
	}
}

// givePIN gives an account its PIN. Without one its password works.
func (a *Accounts) givePIN(ctx context.Context, o *access, pinDigits string) error {
	found, err := a.Store.Find(ctx, o.account)
	if err == nil {
		password, digits := []byte(o.password), []byte(pinDigits)
		defer clear(password)
		defer clear(digits)
		err = a.PINs.Set(ctx, pin.User{Name: found.Name, ID: found.ID}, password, digits)
	}
	if err != nil {
		a.Log.WarnContext(ctx, "the account has no PIN; its password works", "account", o.account, "error", err)
	}
	return err
}

// tryPIN gives the password of who knows their PIN.
func (m *Machine) tryPIN(ctx context.Context, try tryPIN) opened {
	if err := m.whose(ctx, try.user); err != nil {
		return opened{err: err}
	}
	digits := []byte(try.digits)
	defer clear(digits)
	password, err := m.Accounts.PINs.Unlock(ctx, try.user, digits)
	defer clear(password)
	if err != nil {
		m.Log.WarnContext(ctx, "a PIN did not open an account", "account", try.user.Name, "error", err)
		return opened{err: err}
	}
	works, err := m.works(ctx, try.user, password)
	switch {
	case err != nil:
		return opened{err: err}
	case !works:
		m.Log.InfoContext(ctx, "the password behind a PIN is an old one", "account", try.user.Name)
		return opened{err: staleError{try.digits}}
	}
	m.Log.InfoContext(ctx, "a PIN opened an account", "account", try.user.Name)
	return opened{password: string(password)}
}

// renewPIN is for who knows their password: it is kept behind the PIN. Where that
// fails they are let in all the same.
func (m *Machine) renewPIN(ctx context.Context, renew renewPIN) opened {
	if err := m.whose(ctx, renew.user); err != nil {
		return opened{err: err}
	}
	password, digits := []byte(renew.password), []byte(renew.digits)
	defer clear(password)
	defer clear(digits)
	works, err := m.works(ctx, renew.user, password)
	switch {
	case err != nil:
		return opened{err: err}
	case !works:
		return opened{err: errNotThePassword}
	}
	if err := m.Accounts.PINs.Set(ctx, renew.user, password, digits); err != nil {
		m.Log.WarnContext(ctx, "the PIN was not set anew; the password works", "account", renew.user.Name, "error", err)
	}
	return opened{password: renew.password}
}

// whose makes sure that the account is still the one the PIN was set for.
func (m *Machine) whose(ctx context.Context, u pin.User) error {
	found, err := m.Accounts.Store.Find(ctx, u.Name)
	switch {
	case errors.Is(err, accounts.ErrNotFound), err == nil && found.ID != u.ID:
		err = api.Refuse(api.CodePINLost, "%s is another account, or none", u.Name)
		return errors.Join(err, m.Accounts.PINs.Forget(ctx, u.ID))
	case err != nil:
		return refusal(err)
	case found.Disabled:
		return api.Refuse(api.CodeUserDisabled, "the account %s is disabled", u.Name)
	}
	return nil
}

func (m *Machine) works(ctx context.Context, u pin.User, password []byte) (bool, error) {
	return m.Accounts.Store.(accounts.Changer).PasswordWorks(ctx, u.Name, password)
}

func sameAccount(a, b string) bool { return strings.EqualFold(a, strings.TrimSpace(b)) }
