package signin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
)

// Directory is what a sign-in asks of the organisation's directory.
// [api.Client] is one.
type Directory interface {
	SignIn(context.Context, *api.SignInRequest) (*api.SignInResponse, error)
	WhoSignedIn(context.Context, *api.TokenRequest) (*api.TokenResponse, error)
	ConfirmPassword(context.Context, *api.PasswordRequest) error
	CompleteSignIn(context.Context, *api.CompleteRequest) error
	CancelSignIn(context.Context, *api.CancelRequest) error
}

// Machine is the sign-in of one device. It lives as long as Run does.
type Machine struct {
	Directory Directory
	Accounts  *Accounts
	Device    func() Device // for the surfaces; may be called at any time
	Log       *slog.Logger
	// Pack writes what an account is logged on with; nil: no surface of this
	// system can do that, and so there are no PINs.
	Pack func(account string, password []byte) ([]byte, error)

	once   sync.Once
	events chan told

	mu      sync.Mutex
	shown   Screen
	others  Screen        // for other sessions than the owner, if they are kept apart
	owner   string        // the session that is shown the sign-in
	apart   bool          // others are not
	changed chan struct{} // closed when there is another screen
}

func (m *Machine) init() {
	m.once.Do(func() {
		m.events, m.changed = make(chan told), make(chan struct{})
		m.shown = Screen{Serial: 1, State: Hidden}
		m.others = m.shown
	})
}

// Screen gives what surfaces show now, in the session in which it was begun.
func (m *Machine) Screen() Screen {
	m.init()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.described(AnySession)
}

// UnderWay tells whether somebody is in the middle of it, at this device or on their
// phone.
func (m *Machine) UnderWay() bool {
	s := m.Screen().State
	return working(s) || s == PIN
}

// described adds what the machine does not decide by.
func (m *Machine) described(session string) Screen {
	s := *m.view(session)
	if m.Device != nil {
		s.Device = m.Device()
	}
	return s
}

// Next waits for another screen than that of the serial number, for whoever is in
// the session in which it was begun.
func (m *Machine) Next(ctx context.Context, serial int64) (Screen, error) {
	return m.NextIn(ctx, AnySession, serial)
}

// NextIn is Next for a session of the system: those of others it is not shown.
func (m *Machine) NextIn(ctx context.Context, session string, serial int64) (Screen, error) {
	m.init()
	for {
		m.mu.Lock()
		s, changed := m.described(session), m.changed
		m.mu.Unlock()
		if s.Serial != serial {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// ErrStale: the action answers a screen that is not shown any more.
var ErrStale = errors.New("the screen has changed meanwhile")

// Act takes what a person did on a surface, and returns when the screen shows
// what came of it at once. It gives ErrStale if the action came too late.
func (m *Machine) Act(ctx context.Context, a Action) error { return m.tell(ctx, pressed{a}) }

// Heard takes what the directory says of this device.
func (m *Machine) Heard(ctx context.Context, r *api.CheckInResponse) error {
	o := offer{organisation: r.Organisation, settings: r.Settings}
	awaited := slices.ContainsFunc(r.Users, func(b api.Binding) bool { return b.State == api.Awaiting })
	switch {
	case r.State == api.DevicePending:
		o.why = api.CodeDevicePending
	case r.State != api.DeviceActive:
		o.why = api.CodeDeviceRemoved
	case !r.Settings.SSAP:
		o.why = api.CodeSwitchedOff
	case !r.Free && !awaited:
		o.why = api.CodeSlotTaken
	default:
		o.open = true
	}
	return m.tell(ctx, heard{o})
}

// Withdraw takes that the directory offers nothing to this device, and why, if
// that is known.
func (m *Machine) Withdraw(ctx context.Context, why api.Code) error {
	return m.tell(ctx, heard{offer{why: why}})
}

// Reached takes whether the directory answers.
func (m *Machine) Reached(ctx context.Context, online bool) error {
	return m.tell(ctx, connection{online})
}

// Elsewhere takes that the pages cannot be shown on this device, or not any more:
// a sign-in that needs them starts again, with a code for a phone.
func (m *Machine) Elsewhere(ctx context.Context) error { return m.tell(ctx, pagesLost{}) }

// told is an event, and where to say that it was taken, or why not.
type told struct {
	event
	taken chan<- error
}

// tell returns when the event was taken.
func (m *Machine) tell(ctx context.Context, e event) error {
	m.init()
	taken := make(chan error, 1)
	select {
	case m.events <- told{e, taken}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-taken // it never takes long
}

// Run drives the sign-in until the context ends. What a kill interrupted it
// brings to its end first.
func (m *Machine) Run(ctx context.Context) {
	m.init()
	l := &loop{Machine: m, ctx: ctx, flow: m.begun(), alarm: time.NewTimer(0), results: make(chan result), logon: newLogon()}
	l.alarm.Stop()
	defer l.logon.forget()
	defer l.group.Wait()
	defer l.end()
	if m.Accounts.Interrupted() {
		l.flow.state = Creating
		l.begin(func(ctx context.Context) event { return resumed{m.Accounts.Resume(ctx, m.Directory)} })
		l.show()
	}
	for {
		select {
		case t := <-m.events:
			t.taken <- l.hear(t.event)
		case r := <-l.results:
			if r.job == l.job {
				l.take(r.event)
			}
		case <-l.alarm.C:
			l.ends = time.Time{}
			l.take(timeUp{})
		case <-l.logon.late.C:
			l.logon.forget()
			l.show()
		case <-ctx.Done():
			return
		}
	}
}

// loop owns the flow, and does what it says.
type loop struct {
	*Machine
	ctx   context.Context
	flow  flow
	alarm *time.Timer
	ends  time.Time // when the alarm goes off; zero: it does not
	logon *logon

	group   sync.WaitGroup
	results chan result
	job     int // the present one's number
	cancel  context.CancelFunc
}

// result is what came of a job.
type result struct {
	job int
	event
}

// hear takes an event from outside, unless it comes too late.
func (l *loop) hear(e event) error {
	if p, ok := e.(pressed); ok && p.Serial != 0 && p.Serial != l.view(p.Session).Serial {
		return ErrStale
	}
	if w, ok := e.(wanted); ok {
		return l.giveLogon(w)
	}
	l.take(e)
	return nil
}

func (l *loop) take(e event) {
	before := l.flow.state
	l.flow.users = l.returning()
	todo := l.flow.step(e)
	if l.flow.state != before {
		l.Log.InfoContext(l.ctx, "sign-in", "state", l.flow.state, "code", l.flow.code)
		if l.flow.state == Done {
			eventid.SignedIn.Log(l.ctx, l.Log, "somebody has signed in", "account", l.flow.account)
		}
		switch {
		case !timed(l.flow.state):
			l.alarm.Stop()
			l.ends = time.Time{}
		case before == Creating: // it may have gone off meanwhile, unheard
			l.alarm.Reset(time.Until(l.ends))
		}
		if !working(l.flow.state) {
			l.end()
		}
		l.keepLogon()
	}
	for _, effect := range todo {
		l.do(effect)
	}
	l.show()
}

// working tells states in which a job may go on.
func working(s State) bool {
	return s == Starting || s == Waiting || s == Number || s == Password || s == Creating || s == Opening
}

// timed tells states that have not for ever: the alarm that was set on the way
// goes on.
func timed(s State) bool {
	return s == Waiting || s == Number || s == Password || s == PIN || s == Creating
}

// show lets the surfaces see the screen, if it is another one.
func (l *loop) show() {
	screen := l.flow.screen()
	if screen.State != Creating { // which ends when it is done
		screen.Ends = l.ends
	}
	screen.CanLogon = len(l.logon.packed) > 0
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.part(screen, l.flow.othersScreen(), l.flow.session, l.flow.owned && !l.flow.atRest()) {
		return
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func equal(a, b *Screen) bool {
	return slices.Equal(a.Fields, b.Fields) && slices.Equal(a.Actions, b.Actions) && a.State == b.State && a.Title == b.Title && a.Message == b.Message &&
		a.UserCode == b.UserCode && a.QR == b.QR && a.Here == b.Here && a.Beside == b.Beside && a.Page == b.Page && slices.Equal(a.Origins, b.Origins) && slices.EqualFunc(a.Anchors, b.Anchors, bytes.Equal) && a.Code == b.Code && a.Help == b.Help && a.Text == b.Text && a.Online == b.Online && a.Account == b.Account &&
		a.Why == b.Why && a.CanLogon == b.CanLogon && a.Ends.Equal(b.Ends)
}

func (l *loop) do(e effect) {
	switch e := e.(type) {
	case askStart:
		l.begin(func(ctx context.Context) event {
			answer, err := l.Directory.SignIn(ctx, &api.SignInRequest{SameDevice: e.sameDevice})
			return startedAs{answer, err}
		})
	case askToken:
		request := &api.TokenRequest{DeviceCode: l.flow.started.DeviceCode, Number: e.number, Wait: int(tokenWait / time.Second)}
		template := l.flow.offer.settings.AccountName
		l.begin(func(ctx context.Context) event {
			ready := l.pinsReady()
			answer, err := l.await(ctx, request)
			if err == nil {
				err = l.Accounts.Check(ctx, answer.User, template)
			}
			if err != nil {
				return signedIn{err: err}
			}
			return signedIn{answer, nil, ready(ctx), l.Accounts.rulesFor(ctx, answer, template)}
		})
	case askConfirm:
		request := &api.PasswordRequest{Ticket: l.flow.token.Ticket, Password: api.Secret(e.password)}
		l.begin(func(ctx context.Context) event { return confirmed{l.Directory.ConfirmPassword(ctx, request)} })
	case makeIt:
		l.begin(func(ctx context.Context) event {
			o, err := l.Accounts.Make(ctx, l.Directory, e.order)
			switch {
			case err != nil:
				return created{err: err}
			case e.pin == "":
				return created{access: *o, typed: true}
			}
			return created{*o, true, nil, l.Accounts.givePIN(ctx, o, e.pin)}
		})
	case tryPIN:
		l.begin(func(ctx context.Context) event { return l.tryPIN(ctx, e) })
	case renewPIN:
		l.begin(func(ctx context.Context) event { return l.renewPIN(ctx, e) })
	case askCancel:
		l.end()
		l.group.Go(func() { l.cancelSignIn(e.deviceCode) })
	case setAlarm:
		l.alarm.Reset(e.after)
		l.ends = time.Now().Add(e.after)
	}
}

// begin starts a job, and ends the one before.
func (l *loop) begin(work func(context.Context) event) {
	l.end()
	ctx, cancel := context.WithCancel(l.ctx)
	l.cancel = cancel
	job := l.job
	l.group.Go(func() {
		defer cancel()
		e := work(ctx)
		select {
		case l.results <- result{job, e}:
		case <-ctx.Done():
		}
	})
}

// end ends the present job: whatever comes of it is not heard any more.
func (l *loop) end() {
	l.job++
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// How long one question who has signed in may wait for its answer, and how long
// to pause when the directory does not answer.
const (
	tokenWait  = time.Minute
	firstPause = time.Second
	longPause  = 15 * time.Second
)

// await asks until somebody has signed in, or nobody can any more. A connection
// that breaks does not end it.
func (l *loop) await(ctx context.Context, r *api.TokenRequest) (*api.TokenResponse, error) {
	pause := firstPause
	for {
		answer, err := l.Directory.WhoSignedIn(ctx, r)
		code := codeOf(err)
		var wait time.Duration
		var refused *api.Error
		switch {
		case err == nil:
			return answer, nil
		case code == api.CodeAuthorizationPending:
			pause = firstPause
			continue
		case code == api.CodeOffline, code == api.CodeUnavailable, code == api.CodeInternal, code == api.CodeTooMany, code == api.CodeSlowDown:
			wait = pause/2 + rand.N(pause)
			pause = min(2*pause, longPause)
		default:
			return nil, err
		}
		if errors.As(err, &refused) {
			wait = max(wait, seconds(refused.RetryAfter))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// cancelTimeout bounds the telling of the directory. What it does not hear ends
// by itself.
const cancelTimeout = 10 * time.Second

func (l *loop) cancelSignIn(code api.Secret) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), cancelTimeout)
	defer cancel()
	if err := l.Directory.CancelSignIn(ctx, &api.CancelRequest{DeviceCode: code}); err != nil {
		l.Log.WarnContext(ctx, "the directory was not told that the sign-in ended", "error", err)
	}
}
