package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/eventid"
	"firstday.dev/agent/preflight"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/filelock"
	"firstday.dev/internal/statefile"
)

// How often the service looks who sits at the Mac, and how often at all the rest
// where nothing happens.
const (
	loginPause = 5 * time.Second
	loginRest  = time.Minute
)

// loginSurface is how the plug-in names itself (loginplugin/native/core.c).
const loginSurface = "login-window"

// loginKeeper arms and disarms our login window, as long as the service runs.
type loginKeeper struct {
	*Agent
	window attended
	memory *loginMemory
	wake   chan struct{} // holds one: something has changed
	tell   func(*LoginWindowStatus)
}

// attended is a login window at which somebody may be busy who touches nothing of it.
type attended struct {
	LoginWindow
	signIn *atomic.Pointer[signin.Machine] // nil in it: there is none yet
}

// Seats takes who signs in, on their phone perhaps, for somebody at the keyboard.
func (w attended) Seats() (Seats, error) {
	s, err := w.LoginWindow.Seats()
	if m := w.signIn.Load(); m != nil && m.UnderWay() {
		s.Idle = 0
	}
	return s, err
}

// keepLoginWindow gives nil where there is no such login window.
func (a *Agent) keepLoginWindow(tell func(*LoginWindowStatus)) *loginKeeper {
	w := a.System.LoginWindow()
	if w == nil {
		return nil
	}
	return &loginKeeper{a, attended{w, new(atomic.Pointer[signin.Machine])}, new(loginMemory), make(chan struct{}, 1), tell}
}

// leftAlone tells whether there is a login window that nobody is at.
func (s Seats) leftAlone() bool { return s.Window != "" && s.Idle >= idleTimeout }

// follows tells it which sign-in the surfaces show.
func (k *loginKeeper) follows(m *signin.Machine) {
	if k != nil {
		k.window.signIn.Store(m)
	}
}

// look has it look soon.
func (k *loginKeeper) look() {
	if k == nil {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// greeted notes that the plug-in of the login window that waits has said hello, for
// itself and for the second watchdog. Whoever may connect can say so; it is for what
// does not work, not for who does not want it to.
func (k *loginKeeper) greeted(ctx context.Context, surface string) {
	if k == nil || surface != loginSurface {
		return
	}
	seats, err := k.window.Seats()
	if err == nil {
		k.memory.hear(loginHello{Schema: stateSchema, Boot: k.System.BootID(), Window: seats.Window, At: stamp()})
		err = k.memory.writeHello(k.System.Layout().LoginHello())
	}
	if err != nil {
		k.log().WarnContext(ctx, "that the login window said hello was not kept", "error", err)
	}
	k.look()
}

// greeting names the login window that has said hello last.
func (k *loginKeeper) greeting() string {
	if k == nil {
		return ""
	}
	return k.memory.heard(loginHello{}).Window
}

// run looks until the context ends. Between two looks at everything it only looks
// who sits there, which costs little.
func (k *loginKeeper) run(ctx context.Context) {
	if k == nil {
		return
	}
	var last *LoginWindowStatus
	var seats Seats
	for rest := time.Duration(0); ; rest += or(k.loginPause, loginPause) {
		now, err := k.window.Seats()
		changed := err != nil || now.Window != seats.Window || now.People != seats.People || now.leftAlone() != seats.leftAlone()
		waits := now.Window != "" && last != nil && (last.State == LoginWindowOn || last.State == LoginWindowPending)
		if seats = now; changed || waits || rest == 0 || rest >= loginRest {
			rest = 0
			if s := k.check(ctx); ctx.Err() == nil && (last == nil || *s != *last) {
				k.tell(s)
				last = s
			}
		}
		select {
		case <-time.After(or(k.loginPause, loginPause)):
		case <-k.wake:
			rest = -or(k.loginPause, loginPause) // as if it were the first look
		case <-ctx.Done():
			return
		}
	}
}

func (k *loginKeeper) check(ctx context.Context) *LoginWindowStatus {
	s, err := k.checkLoginWindow(ctx, k.window, k.memory)
	if err != nil && ctx.Err() == nil {
		k.log().WarnContext(ctx, "the login window was not looked after", "error", err)
		s = &LoginWindowStatus{State: LoginWindowOff, By: LoginByPreflight, Reason: "it cannot be looked after: " + err.Error()}
	}
	return s
}

// loginLockTime is how long another look is waited for, its preflight included.
const loginLockTime = 2 * time.Minute

// lockLoginWindow keeps two looks from each other: the service's and a command's.
func (a *Agent) lockLoginWindow(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, loginLockTime)
	defer cancel()
	for {
		f, err := filelock.Open(a.System.Layout().LoginWindowLock())
		if !errors.Is(err, filelock.ErrBusy) {
			return f, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("the login window: %w", ErrBusy)
		}
	}
}

// checkLoginWindow looks at everything once, and does what is to be done about it. The
// memory is the service's; who has none brings an empty one.
func (a *Agent) checkLoginWindow(ctx context.Context, w LoginWindow, memory *loginMemory) (*LoginWindowStatus, error) {
	lock, err := a.lockLoginWindow(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	layout := a.System.Layout()
	_ = memory.writeHello(layout.LoginHello()) // it was said when it failed first
	record := memory.recall(layout.LoginWindow(), a.loginRecord(ctx))
	// A list that is half ours, or names what cannot be loaded, does not wait.
	o, err := a.database(w).Settle(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("the authorization database: %w", err)
	}
	seen, err := a.seeLogin(w, o.Verdict)
	if err != nil {
		return nil, err
	}
	seen.mended, seen.hello = o.Why, memory.heard(seen.hello)
	if record.Armed && seen.list.State != authdb.Ours && seen.off == nil {
		seen.full = record.write(layout.LoginWindow())
	}
	next, v := record.judge(seen)
	if v.fly {
		record.Flight = loginFlight{Key: seen.key, Boot: seen.boot, Fault: faultOf(a.loginChecks(ctx, w))}
		if ctx.Err() != nil { // what was cut short is no fault
			return nil, ctx.Err()
		}
		next, v = record.judge(seen)
	}
	if err := a.followLogin(ctx, w, memory, record, next, v); err != nil {
		return nil, err
	}
	return &v.LoginWindowStatus, nil
}

func faultOf(checks []preflight.Check) string {
	if err := preflight.Failure(checks); err != nil {
		return err.Error()
	}
	return ""
}

// loginRecord gives a new record where there is none that can be read: Apple's login
// window is what a lost one costs at most.
func (a *Agent) loginRecord(ctx context.Context) *loginRecord {
	r := new(loginRecord)
	err := statefile.Read(a.System.Layout().LoginWindow(), r)
	if err == nil && r.Schema == stateSchema {
		return r
	}
	if err == nil {
		err = fmt.Errorf("it has schema %d; this build reads %d", r.Schema, stateSchema)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		a.log().WarnContext(ctx, "what was known of the login window is lost", "error", err)
	}
	return new(loginRecord)
}

func (r *loginRecord) write(path string) error {
	r.Schema = stateSchema
	return statefile.Write(path, r)
}

// seeLogin looks at all there is to judge by, but for what is in the database.
func (a *Agent) seeLogin(w LoginWindow, list authdb.Verdict) (s loginSeen, err error) {
	layout := a.System.Layout()
	s = loginSeen{list: list, boot: a.System.BootID(), awake: w.Awake(), hello: readLoginHello(layout.LoginHello()), settling: a.settling()}
	if s.build, err = w.Build(); err != nil {
		return s, fmt.Errorf("the build of macOS: %w", err)
	}
	if s.Seats, err = w.Seats(); err != nil {
		return s, fmt.Errorf("looking who is logged in: %w", err)
	}
	if s.off, err = readLoginOff(layout.LoginWindowOff()); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return s, err
		}
		// Somebody wanted it to be off, whoever it was.
		s.off = &LoginOff{By: LoginByAdministrator, Reason: err.Error()}
	}
	s.wanted, s.allowed, err = a.loginWanted(s.build)
	if err != nil {
		return s, err
	}
	key, err := w.Key()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.absent = true
	case err != nil:
		s.plugin = err
	default:
		s.plugin = w.Loadable(context.Background())
		s.key = digest([]byte(key + " " + a.Version + " " + s.build))
	}
	return s, nil
}

// loginWanted tells why the organisation does not want our login window on this Mac,
// and whether it allows it on a build of macOS. What the directory said last holds.
func (a *Agent) loginWanted(build string) (why string, allowed bool, err error) {
	raw, err := os.ReadFile(a.System.Layout().Enrollment())
	if errors.Is(err, fs.ErrNotExist) {
		return "the agent is not installed", false, nil
	}
	if err != nil {
		return "", false, err
	}
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		return "the enrollment is damaged", false, nil //nolint:nilerr // the reason is what is asked for
	}
	r, err := readRecord(a.System.Layout().Device(), e.Directory)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", false, err
	case err != nil:
		return "what the directory said is damaged", false, nil //nolint:nilerr // as above
	case r == nil:
		return "this Mac is not enrolled", false, nil
	case r.Heard.State != api.DeviceActive:
		return fmt.Sprintf("for the directory this Mac is %s", r.Heard.State), false, nil
	case r.Heard.Settings.Window != api.WindowInstead:
		return "macos.signInWindow of its settings is not instead", false, nil
	}
	return "", r.Heard.Settings.AllowsBuild(build), nil
}

// followLogin does what the verdict asks for. What leads back to macOS' own window is
// written down before; what leads away from it, after: whoever is killed in between
// counts nothing twice, and ends no window in vain. Where it cannot be written, nothing
// leads away any more; what leads back does, and is remembered.
func (a *Agent) followLogin(ctx context.Context, w LoginWindow, memory *loginMemory, record, next *loginRecord, v *loginVerdict) error {
	layout := a.System.Layout()
	if v.missed != "" {
		eventid.LoginWindowMissed.Log(ctx, a.log(), "the login window of ours has failed", "reason", v.missed, "build", v.Build, "times", v.Misses)
	}
	if v.forget {
		if err := a.System.RemoveAll(layout.LoginWindowOff()); err != nil {
			return err
		}
	}
	if v.arm {
		began := *record
		if began.Before = next.Before; began != *record {
			if err := began.write(layout.LoginWindow()); err != nil {
				return err
			}
		}
		o, err := a.armLoginWindow(ctx, w)
		if err != nil {
			return fmt.Errorf("our login window was not put into the authorization database: %w", err)
		}
		v.Shows, v.Window = o.Verdict.State, o.Verdict.Window
	}
	told := record.Told
	next.Told = v.LoginWindowStatus
	if *next != *record || memory.record != nil {
		err := next.write(layout.LoginWindow())
		if memory.keep(next, err) {
			a.log().WarnContext(ctx, "what is known of the login window was not written down", "error", err)
		}
	}
	if v.disarm {
		o, err := a.database(w).Disable(ctx)
		if err != nil {
			return fmt.Errorf("macOS' own login window was not put back: %w", err)
		}
		v.Shows, v.Window = o.Verdict.State, o.Verdict.Window
	}
	v.log(ctx, a, told)
	if v.restart != "" {
		return a.restartLoginWindow(ctx, w)
	}
	return nil
}

// armLoginWindow gives in to whoever switches it off in the same moment.
func (a *Agent) armLoginWindow(ctx context.Context, w LoginWindow) (authdb.Outcome, error) {
	d := a.database(w)
	o, err := d.Enable(ctx, unlessOff{w, a.System.Layout().LoginWindowOff()})
	if err != nil {
		return o, err
	}
	if err := (unlessOff{w, a.System.Layout().LoginWindowOff()}).Loadable(ctx); err != nil {
		_, failed := d.Disable(ctx)
		return o, errors.Join(err, failed)
	}
	return o, nil
}

// unlessOff vouches for the plug-in unless somebody has switched it off.
type unlessOff struct {
	authdb.Plugin
	path string
}

func (u unlessOff) Loadable(ctx context.Context) error {
	if _, err := os.Lstat(u.path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New("it was switched off just now"), err)
	}
	return u.Plugin.Loadable(ctx)
}

// log tells the system's log what has become of our login window.
func (v *loginVerdict) log(ctx context.Context, a *Agent, before LoginWindowStatus) {
	if v.State == before.State && v.By == before.By && v.Reason == before.Reason {
		return
	}
	switch {
	case v.State == LoginWindowOn:
		eventid.LoginWindowOn.Log(ctx, a.log(), "the next login window is ours", "build", v.Build)
	case v.Faulty():
		eventid.LoginWindowBroken.Log(ctx, a.log(), "macOS shows its own login window", "by", v.By, "reason", v.Reason)
	case v.State == LoginWindowOff && (before.State == LoginWindowOn || v.Problem() != ""):
		eventid.LoginWindowOff.Log(ctx, a.log(), "macOS shows its own login window", "by", v.By, "reason", v.Reason)
	}
}
