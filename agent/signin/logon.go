package signin

import (
	"context"
	"errors"
	"time"
)

// logonLife is how long what an account is logged on with is kept, for a surface
// to ask for it.
const logonLife = time.Minute

// loggedOnLife is how long a sign-in is shown that somebody was logged on with. They
// have gone, unless Windows refuses them: then they read what to do.
const loggedOnLife = 15 * time.Second

// ErrNoLogon: there is nothing to log on with, any more.
var ErrNoLogon = errors.New("there is nothing to log on with")

// Logon gives what the account is logged on with that the screen of the serial
// number shows: once, within a minute of its making, and to the surface alone at
// which the password or the PIN was typed. Who has it wipes it. It gives
// ErrNoLogon if there is none, or another screen is shown.
func (m *Machine) Logon(ctx context.Context, serial, surface int64) ([]byte, error) {
	var packed []byte
	err := m.tell(ctx, wanted{serial, surface, &packed})
	return packed, err
}

// wanted is a surface that wants to log on.
type wanted struct {
	serial, surface int64
	packed          *[]byte
}

func (wanted) event() {}

// logon is what the account that was just made is logged on with.
type logon struct {
	packed []byte      // none: empty
	late   *time.Timer // goes off when nobody wanted it
}

func newLogon() *logon {
	l := &logon{late: time.NewTimer(0)}
	l.late.Stop()
	return l
}

func (l *logon) forget() {
	clear(l.packed)
	l.packed = nil
	l.late.Stop()
}

// keepLogon packs the password of the account that was just made, and forgets
// that of one before. It is of use to nobody else.
func (l *loop) keepLogon() {
	l.logon.forget()
	if l.flow.state != Done {
		return
	}
	password := []byte(l.flow.password)
	defer clear(password)
	l.flow.password = ""
	if len(password) == 0 || l.Pack == nil {
		return
	}
	packed, err := l.Pack(l.flow.account, password)
	if err != nil {
		l.Log.WarnContext(l.ctx, "nobody is logged on by the surface", "account", l.flow.account, "error", err)
		return
	}
	l.logon.packed = packed
	l.logon.late.Reset(logonLife)
}

func (l *loop) giveLogon(w wanted) error {
	if w.serial != l.shown.Serial || w.surface != l.flow.typist || len(l.logon.packed) == 0 {
		return ErrNoLogon
	}
	*w.packed, l.logon.packed = l.logon.packed, nil
	l.logon.forget()
	l.Log.InfoContext(l.ctx, "a surface logs on", "account", l.flow.account)
	l.do(setAlarm{loggedOnLife})
	l.show()
	return nil
}
