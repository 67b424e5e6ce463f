package agent

import (
	"fmt"
	"time"

	"firstday.dev/agent/authdb"
)

const (
	// helloTime is what our login window gets to say hello.
	helloTime = time.Minute
	// helloLooks is how often it must have been missing: a service that was held up
	// may not have heard.
	helloLooks = 3
	// idleTimeout is how long nobody has touched the device who is not in the middle
	// of a login.
	idleTimeout = 30 * time.Second
	// maxMisses on one build of macOS are too many.
	maxMisses = 2
)

// loginRecord is what the service has seen of the login window, over all its starts.
type loginRecord struct {
	Schema int    `json:"schema"`
	Build  string `json:"build"` // of macOS, of which the following is true
	// Misses are the login windows of ours that did not come up, or were taken away.
	Misses int `json:"misses"`
	// Armed: the database names our plug-in, because we wrote it there.
	Armed bool `json:"armed,omitempty"`
	// Before is the login window that was there when that was written: it has read
	// macOS' own list.
	Before string `json:"before,omitempty"`
	// Held is the start of macOS in which ours does not come back, and why.
	Held string `json:"held,omitempty"`
	Why  string `json:"why,omitempty"`
	// Due is what must say hello.
	Due loginDue `json:"due,omitzero"`
	// Restart is the login window that does not show what it should, and is started
	// anew as soon as that throws nobody out.
	Restart string `json:"restart,omitempty"`
	// Flight is the last preflight.
	Flight loginFlight `json:"flight,omitzero"`
	// Told is what was said of it last.
	Told LoginWindowStatus `json:"told"`
}

// loginDue is a login window that should be ours.
type loginDue struct {
	Boot   string        `json:"boot"`
	Window string        `json:"window"`
	Since  time.Duration `json:"since"` // seen first, by LoginWindow.Awake
	Looks  int           `json:"looks"`
	Said   bool          `json:"said,omitempty"` // hello
}

// loginFlight is what a preflight came to.
type loginFlight struct {
	Key   string `json:"key"`             // of the plug-in, the agent and macOS
	Boot  string `json:"boot"`            // in which start of macOS
	Fault string `json:"fault,omitempty"` // empty: it has passed
}

// holds tells whether it need not be made again: each start of macOS makes its own.
func (f loginFlight) holds(key, boot string) bool { return f.Key == key && f.Boot == boot && key != "" }

// loginSeen is what there is to judge by.
type loginSeen struct {
	Seats
	boot, build string
	awake       time.Duration
	wanted      string         // why the organisation does not want ours; empty: it does
	allowed     bool           // on this build
	off         *LoginOff      // who has switched it off
	list        authdb.Verdict // what the database holds
	mended      error          // why macOS' own was put back just now
	plugin      error          // why the plug-in cannot be named; nil: it can
	absent      bool           // there is none
	key         string         // of what a preflight is about
	hello       loginHello
	settling    bool  // an installation is at work, or to be finished
	full        error // why nothing can be written down now
}

// loginVerdict is how our login window is, and what has to be done about it.
type loginVerdict struct {
	LoginWindowStatus
	arm, disarm bool
	restart     string // the login window to be started anew
	fly         bool   // the preflight is to be made first
	forget      bool   // who had switched it off has had their time
	missed      string // a login window of ours did not come up: why
}

// judge weighs what was seen. It gives what is to be remembered.
func (r *loginRecord) judge(s loginSeen) (*loginRecord, *loginVerdict) {
	next, v := *r, new(loginVerdict)
	if next.Build != s.build { // another macOS is another chance
		next.Build, next.Misses, next.Held, next.Why = s.build, 0, "", ""
		next.Armed = next.Armed && s.list.State == authdb.Ours
	}
	if s.off != nil && !s.off.lasts(s.boot) {
		s.off, v.forget = nil, true
	}
	next.settleList(&s, v)
	next.await(&s, v)
	v.LoginWindowStatus = LoginWindowStatus{
		State: LoginWindowOn, Build: s.build, Shows: s.list.State, Window: s.list.Window, Misses: next.Misses, Hello: s.hello.At,
	}
	next.decide(&s, v)
	v.act(&next, &s)
	return &next, v
}

// miss notes that ours did not come up, which ends it in this start of macOS.
func (r *loginRecord) miss(boot, why string, v *loginVerdict) {
	r.Misses++
	r.Held, r.Why = boot, why
	r.Due = loginDue{}
	v.missed = why
}

// settleList finds out what has become of the list that we wrote.
func (r *loginRecord) settleList(s *loginSeen, v *loginVerdict) {
	if s.list.State == authdb.Ours {
		r.Armed = true // whoever wrote it
		return
	}
	if !r.Armed {
		return
	}
	r.Armed, r.Due = false, loginDue{}
	switch {
	case s.mended != nil: // by ourselves, just now
	case s.off == nil && s.full != nil: // who did it could not say so, and it may be no fault
		r.Held, r.Why = s.boot, "macOS' own login window was put back, and nothing could be written that says by whom"
	case s.off == nil:
		r.miss(s.boot, "somebody else has put macOS' own login window back", v)
	case s.off.By == LoginByWatch:
		r.miss(s.boot, s.off.Reason, v)
	case s.off.By == LoginByGuard && !s.off.Greeted:
		r.miss(s.boot, "the login window fell back to macOS' own before it reached the agent", v)
	}
}

// await has the login window that should be ours say hello: the dead man's switch.
func (r *loginRecord) await(s *loginSeen, v *loginVerdict) {
	if !r.Armed || s.Window == "" || s.Window == r.Before {
		r.Due = loginDue{}
		return
	}
	if r.Due.Boot != s.boot || r.Due.Window != s.Window {
		r.Due = loginDue{Boot: s.boot, Window: s.Window, Since: s.awake}
	}
	r.Due.Looks = min(r.Due.Looks+1, helloLooks)
	if r.Due.Said = r.Due.Said || s.hello.greets(s.boot, s.Window); r.Due.Said {
		return
	}
	if s.awake-r.Due.Since >= helloTime && r.Due.Looks >= helloLooks {
		r.miss(s.boot, fmt.Sprintf("it did not come up within %v", helloTime), v)
		r.Restart = s.Window
	}
}

// decide says in what state it is: first who does not want it, then what is in its
// way.
func (r *loginRecord) decide(s *loginSeen, v *loginVerdict) {
	off := func(by LoginAuthority, why string) { v.State, v.By, v.Reason = LoginWindowOff, by, why }
	switch {
	case s.absent:
		v.State = LoginWindowNone
	case s.wanted != "":
		off(LoginByOrganisation, s.wanted)
	case s.off != nil && s.off.By == LoginByAdministrator:
		off(LoginByAdministrator, s.off.Reason)
		v.Since = s.off.Since
	case s.list.State == authdb.Foreign:
		off(LoginByOther, "another product shows the login window: "+s.list.Window)
	case r.Misses >= maxMisses:
		off(LoginByWatchdog, fmt.Sprintf("it has failed %d times on build %s of macOS, the last time because %s", r.Misses, s.build, r.Why))
	case s.off != nil && s.off.By != LoginByInstaller:
		off(s.off.By, s.off.Reason)
		v.Since = s.off.Since
	case r.Held == s.boot && r.Held != "":
		off(LoginByWatchdog, r.Why+"; it is tried again at the next start of macOS")
	case !s.allowed:
		off(LoginByRing, fmt.Sprintf("build %s is not among those that the organisation allows", s.build))
	case s.plugin != nil:
		off(LoginByPreflight, s.plugin.Error())
	case s.list.State == authdb.Damaged:
		off(LoginByOther, (&authdb.DamagedError{Faults: s.list.Faults}).Error())
	case s.off != nil || s.settling && s.list.State == authdb.Apple:
		v.State, v.Reason = LoginWindowPending, "an installation is at work"
	case !r.Flight.holds(s.key, s.boot):
		v.State, v.Reason, v.fly = LoginWindowPending, "the plug-in was not looked at yet", true
	case r.Flight.Fault != "":
		off(LoginByPreflight, r.Flight.Fault)
	case s.list.State == authdb.Apple && s.Window != "" && s.Idle < idleTimeout:
		v.State, v.Reason = LoginWindowPending, "somebody may be logging in"
	}
}

// act says what is to be done.
func (v *loginVerdict) act(r *loginRecord, s *loginSeen) {
	switch {
	case v.State == LoginWindowOn && s.list.State == authdb.Apple:
		v.arm = true
		r.Armed, r.Restart, r.Before = true, s.Window, s.Window
	case v.State != LoginWindowOn && s.list.State == authdb.Ours:
		v.disarm = true
		r.Armed, r.Due, r.Restart, r.Before = false, loginDue{}, s.Window, ""
	}
	if r.Restart != s.Window {
		r.Restart = "" // it has gone by itself
	}
	if r.Restart != "" && s.People == 0 && (s.Idle >= idleTimeout || v.missed != "") {
		v.restart, r.Restart = r.Restart, ""
	}
}
