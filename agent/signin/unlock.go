package signin

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

// unlocking is the part of the flow in which people come back with a PIN: the
// screen asks for it whenever somebody has one, whatever is offered to others.
// A right PIN opens; if the password behind it is an old one, or the PIN is spent
// or lost, the password is asked for once, and kept anew.
type unlocking struct {
	users []pin.User // who has a PIN
	user  pin.User   // who comes back
	pin   string     // that is right, but keeps an old password
	back  bool       // they are in, in the state Done
	asked bool       // somebody is at it: what is offered to others waits
	left  int        // tries
	weak  error      // what is wrong with a new PIN
}

// opened is what came of a PIN, or of the password asked for instead.
type opened struct {
	password string // of the user
	err      error
}

func (opened) event() {}

// What is to be done.
type (
	tryPIN struct {
		user   pin.User
		digits string
	}
	renewPIN struct {
		user             pin.User
		password, digits string
	}
)

func (tryPIN) effect()   {}
func (renewPIN) effect() {}

// How long a screen stays that somebody has left.
const unlockLife = 2 * time.Minute

// rest is the state in which nobody does anything.
func (f *flow) rest() State {
	switch {
	case f.offer.open:
		return Ready
	case f.returns():
		return Unlock
	default:
		return Hidden
	}
}

// returns tells whether somebody may come back with a PIN.
func (f *flow) returns() bool { return len(f.users) > 0 && f.allowed() }

// allowed tells whether there may be PINs. Where the settings are not known,
// there may not.
func (f *flow) allowed() bool {
	return f.pins && (f.offer.settings.PIN == api.PINOffered || f.offer.settings.PIN == api.PINRequired)
}

// stays tells whether somebody may go on as the directory says now. Whose PIN is
// lost has none any more.
func (f *flow) stays() bool {
	if f.state == Renew {
		return f.allowed()
	}
	return f.returns() && (f.asked || !f.offer.open)
}

// forget is for who has gone.
func (f *flow) forget() {
	f.unlocking = unlocking{users: f.users}
}

// goodPIN takes a new PIN, or says what is wrong with it.
func (f *flow) goodPIN(fields map[string]string) bool {
	digits := fields[FieldPIN]
	f.weak = pin.Weak([]byte(digits), f.serial)
	switch {
	case f.weak != nil:
		f.code = api.CodePIN
	case subtle.ConstantTimeCompare([]byte(digits), []byte(fields[FieldPINAgain])) != 1:
		f.code = api.CodePINsDiffer
	}
	return f.code == ""
}

// takePIN begins with a PIN that opens an account.
func (f *flow) takePIN(fields map[string]string) []effect {
	if fields[FieldPIN] == "" {
		return nil
	}
	f.asked = true
	user, ok := f.chosen(fields[FieldAccount])
	if !ok {
		f.code = api.CodePINWrong // it does not say who is here
		return []effect{setAlarm{unlockLife}}
	}
	f.user, f.state = user, Opening
	return []effect{tryPIN{user, fields[FieldPIN]}}
}

// chosen finds who comes back: the only one who has a PIN, or who is named.
func (f *flow) chosen(name string) (pin.User, bool) {
	if len(f.users) == 1 {
		return f.users[0], true
	}
	i := slices.IndexFunc(f.users, func(u pin.User) bool { return sameAccount(u.Name, name) })
	if i < 0 {
		return pin.User{}, false
	}
	return f.users[i], true
}

// takeRenewal begins with the password, and a PIN that is new if the old one is
// of no use.
func (f *flow) takeRenewal(fields map[string]string) []effect {
	password := fields[FieldPassword]
	if password == "" {
		return nil
	}
	digits := f.pin
	if digits == "" {
		if !f.goodPIN(fields) {
			return nil
		}
		digits = fields[FieldPIN]
	}
	f.code, f.state = "", Opening
	return []effect{renewPIN{f.user, password, digits}}
}

// staleError is a PIN that is right and keeps an old password.
type staleError struct{ digits string }

func (staleError) Error() string { return "the password was changed since the PIN was set" }

// errNotThePassword: what was typed for it is not the account's.
var errNotThePassword = errors.New("the password is wrong")

// opened goes on by what came of it.
func (f *flow) opened(e opened) []effect {
	var miss *pin.WrongError
	var stale staleError
	f.code, f.left = "", 0
	switch {
	case e.err == nil:
		f.account, f.password = f.user.Name, e.password
		f.forget()
		f.state, f.back = Done, true
		return []effect{setAlarm{doneLife}}
	case errors.As(e.err, &stale):
		f.state, f.code, f.pin = Renew, api.CodePINStale, stale.digits
	case errors.Is(e.err, errNotThePassword):
		f.state, f.code = Renew, api.CodeCredentials
	case errors.As(e.err, &miss) && miss.Left > 0:
		f.state, f.code, f.left = Unlock, api.CodePINWrong, miss.Left
	case errors.As(e.err, &miss), errors.Is(e.err, pin.ErrSpent):
		f.state, f.code = Renew, api.CodePINSpent
	case errors.Is(e.err, api.CodePINLost), errors.Is(e.err, api.CodeUserDisabled):
		return f.fail(codeOf(e.err)) // no password helps
	case errors.Is(e.err, pin.ErrLost), errors.Is(e.err, pin.ErrNone):
		f.state, f.code = Renew, api.CodePINLost
	case errors.Is(e.err, devicekey.ErrLockedOut):
		f.state, f.code = Unlock, api.CodePINLocked
	case errors.Is(e.err, devicekey.ErrNoTPM), errors.Is(e.err, pin.ErrUncounted):
		f.state, f.code = Unlock, api.CodePINUnavailable
	default:
		f.state, f.code = Unlock, codeOf(e.err)
	}
	if !f.stays() {
		return f.leave(Ready)
	}
	return []effect{setAlarm{unlockLife}}
}
