package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/authdb"
)

var (
	appleList = authdb.Verdict{State: authdb.Apple, Window: authdb.AppleUI}
	ourList   = authdb.Verdict{State: authdb.Ours, Window: authdb.UI, NeedsBundle: true}
)

// allWell is a Mac on which ours may come at once.
func allWell() loginSeen {
	return loginSeen{
		Seats: Seats{Window: "w1", Idle: time.Hour}, boot: "b1", build: "24A335", awake: time.Hour, allowed: true, list: appleList, key: "k",
	}
}

func flown(fault string) loginRecord {
	return loginRecord{Build: "24A335", Flight: loginFlight{Key: "k", Boot: "b1", Fault: fault}}
}

func TestLoginWindowIsJudged(t *testing.T) {
	armed := flown("")
	armed.Armed = true
	off := func(by LoginAuthority, boot string) *LoginOff { return &LoginOff{By: by, Reason: "why", Boot: boot} }
	with := func(r loginRecord, change func(*loginRecord)) loginRecord { change(&r); return r }
	type outcome struct {
		State            LoginWindowState
		By               LoginAuthority
		Reason           string
		Arm, Disarm, Fly bool
		Restart          string
		Forget           bool
		Misses           int
		Armed            bool
	}
	for name, c := range map[string]struct {
		record loginRecord
		see    func(*loginSeen)
		want   outcome
	}{
		"all is well":                      {flown(""), nil, outcome{State: LoginWindowOn, Arm: true, Restart: "w1", Armed: true}},
		"before the preflight":             {loginRecord{Build: "24A335"}, nil, outcome{State: LoginWindowPending, Reason: "the plug-in was not looked at yet", Fly: true}},
		"the preflight of another plug-in": {flown(""), func(s *loginSeen) { s.key = "k2" }, outcome{State: LoginWindowPending, Reason: "the plug-in was not looked at yet", Fly: true}},
		"the preflight of another start":   {flown(""), func(s *loginSeen) { s.boot = "b2" }, outcome{State: LoginWindowPending, Reason: "the plug-in was not looked at yet", Fly: true}},
		"the preflight has failed":         {flown("bad"), nil, outcome{State: LoginWindowOff, By: LoginByPreflight, Reason: "bad"}},
		"the preflight fails later": {with(armed, func(r *loginRecord) { r.Flight.Fault = "bad" }), func(s *loginSeen) { s.list = ourList },
			outcome{State: LoginWindowOff, By: LoginByPreflight, Reason: "bad", Disarm: true, Restart: "w1"}},
		"somebody is logged in":                  {flown(""), func(s *loginSeen) { s.Seats = Seats{People: 1} }, outcome{State: LoginWindowOn, Arm: true, Armed: true}},
		"somebody waits behind the login window": {flown(""), func(s *loginSeen) { s.People = 1 }, outcome{State: LoginWindowOn, Arm: true, Armed: true}},
		"somebody is logging in":                 {flown(""), func(s *loginSeen) { s.Idle = time.Second }, outcome{State: LoginWindowPending, Reason: "somebody may be logging in"}},
		"no plug-in":                             {flown(""), func(s *loginSeen) { s.absent = true }, outcome{State: LoginWindowNone}},
		"the organisation does not want it":      {flown(""), func(s *loginSeen) { s.wanted = "no" }, outcome{State: LoginWindowOff, By: LoginByOrganisation, Reason: "no"}},
		"nor any more":                           {armed, func(s *loginSeen) { s.wanted, s.list = "no", ourList }, outcome{State: LoginWindowOff, By: LoginByOrganisation, Reason: "no", Disarm: true, Restart: "w1"}},
		"nor any more, and somebody is logged in": {armed, func(s *loginSeen) { s.wanted, s.list, s.People = "no", ourList, 1 },
			outcome{State: LoginWindowOff, By: LoginByOrganisation, Reason: "no", Disarm: true}},
		"nor any more, and somebody types": {armed, func(s *loginSeen) { s.wanted, s.list, s.Idle = "no", ourList, 0 },
			outcome{State: LoginWindowOff, By: LoginByOrganisation, Reason: "no", Disarm: true}},
		"another build of macOS": {armed, func(s *loginSeen) { s.build, s.allowed, s.list = "25A1", false, ourList },
			outcome{State: LoginWindowOff, By: LoginByRing, Reason: "build 25A1 is not among those that the organisation allows", Disarm: true, Restart: "w1"}},
		"an update of macOS put Apple's back": {with(armed, func(r *loginRecord) { r.Misses = 1 }), func(s *loginSeen) { s.build, s.boot, s.key = "25A1", "b2", "k2" },
			outcome{State: LoginWindowPending, Reason: "the plug-in was not looked at yet", Fly: true}},
		"an administrator": {armed, func(s *loginSeen) { s.off = off(LoginByAdministrator, "b0") }, outcome{State: LoginWindowOff, By: LoginByAdministrator, Reason: "why"}},
		"an administrator, and it is still there": {armed, func(s *loginSeen) { s.off, s.list = off(LoginByAdministrator, "b0"), ourList },
			outcome{State: LoginWindowOff, By: LoginByAdministrator, Reason: "why", Disarm: true, Restart: "w1"}},
		"the guard, which was seen":       {armed, func(s *loginSeen) { s.off = off(LoginByGuard, "b1"); s.off.Greeted = true }, outcome{State: LoginWindowOff, By: LoginByGuard, Reason: "why"}},
		"the guard, before hello":         {armed, func(s *loginSeen) { s.off = off(LoginByGuard, "b1") }, outcome{State: LoginWindowOff, By: LoginByGuard, Reason: "why", Misses: 1}},
		"the guard, in an earlier start":  {flown(""), func(s *loginSeen) { s.off = off(LoginByGuard, "b0") }, outcome{State: LoginWindowOn, Arm: true, Restart: "w1", Forget: true, Armed: true}},
		"the second watchdog":             {armed, func(s *loginSeen) { s.off = off(LoginByWatch, "b1") }, outcome{State: LoginWindowOff, By: LoginByWatch, Reason: "why", Misses: 1}},
		"an installer":                    {armed, func(s *loginSeen) { s.off = off(LoginByInstaller, "b1") }, outcome{State: LoginWindowPending, Reason: "an installation is at work"}},
		"an installation":                 {flown(""), func(s *loginSeen) { s.settling = true }, outcome{State: LoginWindowPending, Reason: "an installation is at work"}},
		"an installation, while it is on": {armed, func(s *loginSeen) { s.settling, s.list = true, ourList }, outcome{State: LoginWindowOn, Armed: true}},
		"taken away by hand":              {armed, nil, outcome{State: LoginWindowOff, By: LoginByWatchdog, Reason: "somebody else has put macOS' own login window back; it is tried again at the next start of macOS", Misses: 1}},
		"taken away by hand again": {with(armed, func(r *loginRecord) { r.Misses = 1 }), nil, outcome{State: LoginWindowOff, By: LoginByWatchdog,
			Reason: "it has failed 2 times on build 24A335 of macOS, the last time because somebody else has put macOS' own login window back", Misses: 2}},
		"mended by ourselves": {armed, func(s *loginSeen) { s.mended, s.plugin = errors.New("bad"), errors.New("bad") }, outcome{State: LoginWindowOff, By: LoginByPreflight, Reason: "bad"}},
		"another product": {flown(""), func(s *loginSeen) { s.list = authdb.Verdict{State: authdb.Foreign, Window: "Jamf:X"} },
			outcome{State: LoginWindowOff, By: LoginByOther, Reason: "another product shows the login window: Jamf:X"}},
		"a list that nobody knows": {flown(""), func(s *loginSeen) { s.list = authdb.Verdict{State: authdb.Damaged} },
			outcome{State: LoginWindowOff, By: LoginByOther, Reason: "the list of login mechanisms is damaged"}},
		"files that others may change": {flown(""), func(s *loginSeen) { s.plugin = errors.New("others") }, outcome{State: LoginWindowOff, By: LoginByPreflight, Reason: "others"}},
		"held in this start": {with(flown(""), func(r *loginRecord) { r.Held, r.Why = "b1", "it failed" }), nil,
			outcome{State: LoginWindowOff, By: LoginByWatchdog, Reason: "it failed; it is tried again at the next start of macOS"}},
		"held in an earlier start": {with(flown(""), func(r *loginRecord) { r.Held, r.Why, r.Misses = "b0", "it failed", 1 }), nil,
			outcome{State: LoginWindowOn, Arm: true, Restart: "w1", Armed: true, Misses: 1}},
		"too many, on another build": {with(flown(""), func(r *loginRecord) { r.Misses, r.Build = 2, "24A1" }), nil, outcome{State: LoginWindowOn, Arm: true, Restart: "w1", Armed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := allWell()
			if c.see != nil {
				c.see(&s)
			}
			next, v := c.record.judge(s)
			got := outcome{v.State, v.By, v.Reason, v.arm, v.disarm, v.fly, v.restart, v.forget, next.Misses, next.Armed}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if v.restart != "" && s.People > 0 {
				t.Error("people are thrown out")
			}
			if v.Faulty() && v.Problem() == "" || v.State != LoginWindowOff && v.Problem() != "" {
				t.Errorf("%+v: %q", v.LoginWindowStatus, v.Problem())
			}
		})
	}
}

// course is a Mac over a time: what the judge wants done is done.
type course struct {
	t       *testing.T
	record  *loginRecord
	seen    loginSeen
	windows int
	starts  int // of macOS
	misses  []string
	ended   []string // login windows
}

func newCourse(t *testing.T) *course {
	r := flown("")
	return &course{t: t, record: &r, seen: allWell(), windows: 1, starts: 1}
}

func (c *course) look() *loginVerdict {
	c.t.Helper()
	next, v := c.record.judge(c.seen)
	if v.fly {
		c.record.Flight = loginFlight{Key: c.seen.key, Boot: c.seen.boot}
		next, v = c.record.judge(c.seen)
	}
	c.record = next
	if v.missed != "" {
		c.misses = append(c.misses, v.missed)
	}
	switch {
	case v.arm:
		c.seen.list = ourList
	case v.disarm:
		c.seen.list = appleList
	}
	if v.restart != "" {
		if c.seen.People > 0 || v.restart != c.seen.Window {
			c.t.Errorf("%s is ended, with %d people", v.restart, c.seen.People)
		}
		c.ended = append(c.ended, v.restart)
		c.window()
	}
	return v
}

// window is another login window.
func (c *course) window() {
	c.windows++
	c.seen.Window = fmt.Sprintf("w%d", c.windows)
}

// boot is another start of macOS.
func (c *course) boot() {
	c.starts++
	c.seen.boot, c.seen.awake = fmt.Sprintf("b%d", c.starts), 0
	c.window()
}

// pass lets time pass, with a look every five seconds.
func (c *course) pass(d time.Duration) (last *loginVerdict) {
	c.t.Helper()
	for ; d >= 0; d -= 5 * time.Second {
		last = c.look()
		c.seen.awake += 5 * time.Second
	}
	return last
}

func (c *course) hello() { c.seen.hello = loginHello{Boot: c.seen.boot, Window: c.seen.Window} }

// Ours has a minute to say hello. The second miss on a build of macOS is the last.
func TestDeadMansSwitch(t *testing.T) {
	c := newCourse(t)
	if v := c.look(); v.State != LoginWindowOn || len(c.ended) != 1 {
		t.Fatalf("%+v, ended %q", v, c.ended)
	}
	if v := c.pass(55 * time.Second); v.State != LoginWindowOn || v.Shows != authdb.Ours {
		t.Fatalf("too early: %+v", v)
	}
	v := c.pass(5 * time.Second)
	if v.State != LoginWindowOff || v.By != LoginByWatchdog || c.seen.list.State != authdb.Apple || len(c.ended) != 2 || v.Misses != 1 {
		t.Fatalf("%+v, ended %q", v, c.ended)
	}
	c.pass(time.Hour)
	c.window() // somebody logged in and out
	if c.pass(time.Hour); len(c.misses) != 1 || c.seen.list.State != authdb.Apple {
		t.Fatalf("it came back in the same start of macOS: %q", c.misses)
	}
	c.boot()
	c.pass(10 * time.Second)
	if c.seen.list.State != authdb.Ours {
		t.Fatal("it did not come back in the next")
	}
	c.pass(2 * time.Minute)
	for range 5 {
		c.boot()
		c.pass(2 * time.Minute)
	}
	if c.seen.list.State != authdb.Apple || c.record.Misses != 2 || len(c.misses) != 2 {
		t.Errorf("after two: %+v, %q", c.record, c.misses)
	}
	c.seen.build, c.seen.key = "24B1", "k2" // an update
	c.boot()
	if c.pass(10 * time.Second); c.seen.list.State != authdb.Ours {
		t.Errorf("another macOS: %+v", c.record)
	}
}

func TestHelloKeepsIt(t *testing.T) {
	for name, say := range map[string]func(*course){
		"at once":                        func(c *course) { c.hello() },
		"late":                           func(c *course) { c.pass(50 * time.Second); c.hello() },
		"and the service starts anew":    func(c *course) { c.pass(50 * time.Second); c.hello(); r := *c.record; c.record = &r },
		"before it was seen":             func(c *course) { c.boot(); c.hello() },
		"and the clock is set":           func(c *course) { c.hello(); c.seen.hello.At = time.Unix(0, 0) },
		"and somebody logs in meanwhile": func(c *course) { c.pass(30 * time.Second); c.seen.Seats = Seats{People: 1} },
		"and Setup Assistant goes first": func(c *course) {
			c.seen.Seats = Seats{People: 1}
			c.pass(time.Hour)
			c.window()
			c.seen.People = 0
			c.hello()
		},
	} {
		c := newCourse(t)
		c.look()
		say(c)
		if c.pass(time.Hour); len(c.misses) > 0 || c.seen.list.State != authdb.Ours {
			t.Errorf("%s: %q", name, c.misses)
		}
	}
}

// Another login window's hello, and one of an earlier start of macOS, are none.
func TestHelloOfAnother(t *testing.T) {
	for name, say := range map[string]func(*course){
		"window": func(c *course) { c.hello(); c.window() },
		"start":  func(c *course) { c.seen.hello = loginHello{Boot: "b0", Window: c.seen.Window} },
	} {
		c := newCourse(t)
		c.look()
		say(c)
		if c.pass(2 * time.Minute); len(c.misses) != 1 {
			t.Errorf("%s: %q", name, c.misses)
		}
	}
}

// A login window that was there before ours was written into the list shows Apple's,
// and says nothing.
func TestWindowsBeforeItAreNotDue(t *testing.T) {
	c := newCourse(t)
	c.seen.People = 1 // whose session waits
	if v := c.pass(time.Hour); v.State != LoginWindowOn || len(c.misses) > 0 || len(c.ended) > 0 {
		t.Errorf("%+v, %q, %q", v, c.misses, c.ended)
	}
	c.seen.People = 0
	if c.pass(10 * time.Second); len(c.ended) != 1 {
		t.Errorf("nobody is logged in any more: %q", c.ended)
	}
	if c.pass(2 * time.Minute); len(c.misses) != 1 {
		t.Errorf("the next one is due: %q", c.misses)
	}
}

// A service that was held up has not listened: one look after a long time is not
// enough.
func TestOneLookIsNotEnough(t *testing.T) {
	c := newCourse(t)
	c.look()
	c.look()
	c.seen.awake += time.Hour
	if v := c.look(); v.missed != "" {
		t.Error("missed at the second look")
	}
	if v := c.look(); v.missed == "" {
		t.Error("not missed at the third")
	}
}

// A sleeping Mac does not wait, whatever its clocks say: Awake stands.
func TestSleepDoesNotCount(t *testing.T) {
	c := newCourse(t)
	c.look()
	for range 1000 {
		c.look()
	}
	if len(c.misses) > 0 {
		t.Error(c.misses)
	}
}

// Without a login window nothing is due, and nobody is ended.
func TestNothingIsDueWhileSomebodyWorks(t *testing.T) {
	c := newCourse(t)
	c.seen.Seats = Seats{People: 2, Idle: time.Hour}
	if v := c.pass(3 * time.Hour); v.State != LoginWindowOn || len(c.misses)+len(c.ended) > 0 {
		t.Errorf("%+v", v)
	}
	c.seen.wanted = "no" // the toggle: at once, and nobody is thrown out
	if v := c.look(); v.State != LoginWindowOff || c.seen.list.State != authdb.Apple || len(c.ended) > 0 {
		t.Errorf("%+v, %q", v, c.ended)
	}
}

func TestLoginWindowProblems(t *testing.T) {
	for want, s := range map[string]LoginWindowStatus{
		"":                                    {State: LoginWindowOn},
		"our login window is off: x":          {State: LoginWindowOff, By: LoginByWatchdog, Reason: "x"},
		"macOS shows its own login window: x": {State: LoginWindowOff, By: LoginByRing, Reason: "x"},
		"an administrator of this Mac has switched off our login window":      {State: LoginWindowOff, By: LoginByAdministrator},
		"an administrator of this Mac has switched off our login window: may": {State: LoginWindowOff, By: LoginByAdministrator, Reason: "may"},
	} {
		if got := s.Problem(); got != want || s.Faulty() != (s.By == LoginByWatchdog) || strings.Contains(got, "\n") {
			t.Errorf("%+v: %q", s, got)
		}
	}
}
