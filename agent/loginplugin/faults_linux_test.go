//go:build amd64

package loginplugin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/authdb"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmac"
	"firstday.dev/simulate/employee"
)

// moments are those of a sign-in, in their order.
var moments = []string{"hello", "ready", "waiting", "number", "password", "account before it is made", "account made", "account bound", "result sent"}

// held are those at which the agent waits for the test: steps of its accounts'.
var held = map[string]string{"account before it is made": "create before", "account made": "furnish after", "account bound": "enable before"}

// fault is what happens to the agent or the directory in one of them.
type fault struct {
	name string
	// happens makes it happen; why is the documented reason of Apple's window, empty if
	// the person goes on and is logged on.
	happens func(*visitor)
	why     []string
	// within is how long that may take (docs/macos-login.md).
	within time.Duration
	// mends is what is done once the window is gone.
	mends func(*visitor)
}

// The shipped plug-in, the agent as a process of its own, and a real directory: in
// each moment of a sign-in the agent is killed, held up, or started anew, or the
// directory is gone. There is one result, or Apple's window in the time that is
// documented; the account is whole, or not there, and who waits gets in after all.
func TestShippedFaultsOfTheRealAgent(t *testing.T) {
	program := testmac.Build(t)
	lost, broken := []string{"no-agent", "agent-lost"}, []string{"agent-broken"}
	for i, f := range []fault{
		{name: "killed", happens: func(v *visitor) { v.device.Kill() }, why: lost, within: 20 * time.Second, mends: func(v *visitor) { v.device.Hold(""); v.device.Start() }},
		{name: "stopped", happens: func(v *visitor) { v.device.Stopped() }, why: broken, within: 35 * time.Second, mends: func(v *visitor) { v.device.Hold(""); v.device.Continued() }},
		{name: "started again", happens: func(v *visitor) { v.device.Kill(); v.device.Hold(""); v.device.Start() }},
		{name: "without the directory", happens: func(v *visitor) { v.directory.Stop() }, mends: func(v *visitor) { v.directory.Serve() }},
	} {
		t.Run(f.name, func(t *testing.T) {
			directory := testdirectory.New(t)                                  // which counts attempts
			directory.Change(func(s *api.Settings) { s.SecondFactor = false }) // a code is good once in half a minute
			for k, moment := range moments {
				t.Run(moment, func(t *testing.T) {
					newVisitor(t, program, directory, fmt.Sprintf("C02FAULT%d%d", i, k)).meets(f, moment)
				})
			}
		})
	}
}

// A Mac whose agent was never there has Apple's window, and its agent nothing to mend.
func TestShippedWithoutTheRealAgent(t *testing.T) {
	program, directory := testmac.Build(t), testdirectory.New(t)
	v := newVisitor(t, program, directory, "C02NOBODY")
	v.device.Kill()
	v.begins()
	v.fellWithin([]string{"no-agent"}, 20*time.Second)
	v.guarded()
	if list, err := v.device.Accounts().List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// visitor is somebody at the login window of a Mac, who wants to get in.
type visitor struct {
	*mac
	device    *testmac.Mac
	directory *testdirectory.Service
	serial    string
	who       *employee.Employee
	e         *engine
	approved  string // the code of the sign-in that they have confirmed
	number    string // that the pages showed
	typed     bool   // they have typed a password, and the agent has heard it
}

// newVisitor brings a Mac that is enrolled, and offers a sign-in.
func newVisitor(t *testing.T, program string, d *testdirectory.Service, serial string) *visitor {
	t.Helper()
	v := &visitor{mac: newMac(t), device: testmac.New(t, program, serial), directory: d, serial: serial, who: d.MustHire(strings.ToLower(serial))}
	v.withPage()
	v.socket = v.device.Socket()
	v.device.Install(d.At, d.MustMint(api.NewConnectKey{}))
	v.device.Start()
	testmac.Until(t, "the enrolment", func() bool { return v.known() != nil })
	return v
}

// known is the Mac, as the directory knows it; nil: not yet.
func (v *visitor) known() *api.Device {
	v.t.Helper()
	list, err := v.directory.Devices(v.t.Context(), "", [16]byte{})
	if err != nil {
		v.t.Fatal(err)
	}
	for _, d := range list {
		if d.Facts.Serial == v.serial {
			return d
		}
	}
	return nil
}

func (v *visitor) begins(prepare ...func(*engine)) {
	v.t.Helper()
	for len(v.cocoa.told) > 0 {
		<-v.cocoa.told
	}
	v.typed = false
	v.e = v.begin("login", nil, prepare...)
}

// meets goes as far as a moment, meets a fault there, and comes in.
func (v *visitor) meets(f fault, moment string) {
	v.t.Helper()
	sent := moment == "result sent"
	v.device.Hold(held[moment])
	switch {
	case moment == "hello":
		v.device.Stopped() // and so has not greeted
		for len(v.tried) > 0 {
			<-v.tried
		}
		v.begins()
		<-v.tried
		if f.name == "without the directory" {
			v.device.Continued()
		}
		f.happens(v)
	case sent:
		v.begins(func(e *engine) { e.again = func(*engine) { f.happens(v) } })
	case held[moment] != "":
		v.begins()
		v.goesOn("creating")
		v.device.There("held")
		f.happens(v)
	default:
		v.begins()
		v.goesOn(moment)
		f.happens(v)
	}
	if len(f.why) > 0 && !sent {
		v.fellWithin(f.why, f.within)
		v.whole()
		v.guarded()
		f.mends(v)
		v.begins()
	} else if f.mends != nil && !sent {
		v.waitsWithout(moment)
		f.mends(v)
	}
	v.goesOn("")
	v.e.loggedOn(v.who.Name, annsPassword)
	if sent && f.mends != nil {
		f.mends(v)
	}
	v.judge()
}

// waitsWithout does what somebody does who is not told that the directory is gone: it
// is done in vain, and no account is open that the directory does not know.
func (v *visitor) waitsWithout(moment string) {
	v.t.Helper()
	switch moment {
	case "ready":
		v.answers(v.sees("ready"))
		if failed := v.sees("failed"); failed.Code != string(api.CodeOffline) {
			v.t.Errorf("%+v", failed)
		} else {
			v.answers(failed)
		}
	case "password", "account before it is made", "account made":
		if moment == "password" {
			v.answers(v.sees("password"))
		}
		v.device.Hold("")
		testmac.Until(v.t, "the account is made", func() bool {
			list, err := v.device.Accounts().List(v.t.Context())
			return err == nil && len(list) == 1
		})
	case "account bound": // nobody is needed any more
		v.device.Hold("")
		v.goesOn("")
	}
	v.whole()
}

// fellWithin wants Apple's window, for a reason, in a time by the Mac's clock.
func (v *visitor) fellWithin(why []string, within time.Duration) {
	v.t.Helper()
	began, stop := v.now(), v.hurry(time.Second)
	result := <-v.e.results
	stop()
	took := v.now() - began
	v.e.results <- result
	v.e.fell(hintOf(v.e, why))
	if took > within {
		v.t.Errorf("Apple's window comes after %v, not %v", took, within)
	}
}

// whole wants each account that is open to be the one that the directory has bound.
func (v *visitor) whole() {
	v.t.Helper()
	list, err := v.device.Accounts().List(v.t.Context())
	if err != nil || len(list) > 1 {
		v.t.Errorf("%+v, %v", list, err)
	}
	for _, a := range list {
		if view, err := v.directory.Device(v.t.Context(), v.known().ID); !a.Disabled && (err != nil || len(view.Users) != 1 || view.Users[0].State != api.Bound) {
			v.t.Errorf("%s is open, and the directory has %+v, %v", a.Name, view, err)
		}
	}
}

// hintOf is the one of the reasons that the window gave, else the first.
func hintOf(e *engine, why []string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range why {
		if e.hints["firstday.fallback"] == w+"\x00" {
			return w
		}
	}
	return why[0]
}

// guarded has the guard put Apple's window back: by the agent's command, which needs
// no service, and whose word it does not take, and without any program of ours.
func (v *visitor) guarded() {
	v.t.Helper()
	v.programs[security] = v.device.Path("/usr/bin/security")
	for by, runs := range map[string][]string{agentProgram: {agentProgram, security}, "the guard alone": {agentProgram, security, security, security}} {
		v.device.Arm()
		v.spawned = nil
		delete(v.programs, agentProgram)
		if by == agentProgram {
			v.place(agentProgram, v.device.Wrapper())
		}
		result := v.guards(nil, "agent-lost")
		var ran []string
		for _, s := range v.spawned {
			ran = append(ran, s[0])
		}
		if diff := cmp.Diff(runs, ran); diff != "" || result != canceled {
			v.t.Errorf("by %s: result %d, what was run (-want +got):\n%s", by, result, diff)
		}
		if got := v.device.List().Judge().State; got != authdb.Apple {
			v.t.Errorf("by %s the list is %s", by, got)
		}
	}
}

// types types a password, twice where that is asked.
func (v *visitor) types(screen told) {
	text := ""
	for _, f := range screen.Fields {
		text += "field " + f.Name + " pass %25 word 1 ü\n"
	}
	v.typed = true
	v.say(text + "act submit " + screen.Serial)
}

// goesOn does what the window asks for until it shows a state, or there is a result.
func (v *visitor) goesOn(until string) {
	v.t.Helper()
	late := time.After(time.Minute)
	var last told
	for {
		select {
		case r := <-v.e.results:
			v.e.results <- r
			if until != "" {
				v.t.Fatalf("result %d before %s", r, until)
			}
			return
		case text := <-v.cocoa.told:
			var s told
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				v.t.Fatal(err)
			}
			if s.Kind == "lost" {
				v.typed = false
			}
			if s.Kind != "screen" {
				continue
			}
			last = s
			if s.State == until {
				v.cocoa.told <- text // for who waits there
				return
			}
			v.answers(s)
		case <-late:
			v.t.Fatalf("it does not come to %q, but shows %+v", until, last)
		}
	}
}

// answers does what a screen asks for.
func (v *visitor) answers(s told) {
	v.t.Helper()
	switch s.State {
	case "ready":
		v.say("act start " + s.Serial)
	case "waiting":
		if v.approved == s.UserCode {
			return
		}
		number, err := v.who.SignIn(v.t.Context(), v.directory.At, s.URI+"?code="+s.UserCode)
		if err != nil {
			v.t.Fatal(err)
		}
		v.approved, v.number = s.UserCode, number
	case "number":
		v.say("field number " + v.number + "\nact submit " + s.Serial)
	case "password":
		v.types(s)
	case "failed":
		v.say("act close " + s.Serial)
	case "hidden", "done": // the agent has brought it to its end, and knows no password any more
		if !v.typed && v.device.Accounts().CheckPassword(v.who.Name, annsPassword) {
			v.say("login\n" + v.who.Name + "\npass %25 word 1 ü")
		}
	}
}

// judge looks at what is left: one account, whole, which the directory knows, and the
// password nowhere.
func (v *visitor) judge() {
	v.t.Helper()
	testmac.Until(v.t, "the account is bound, and open", func() bool {
		view, err := v.directory.Device(v.t.Context(), v.known().ID)
		if err != nil || len(view.Users) != 1 || view.Users[0].Account != v.who.Name || view.Users[0].State != api.Bound {
			return false
		}
		list, err := v.device.Accounts().List(v.t.Context())
		return err == nil && len(list) == 1 && list[0].Name == v.who.Name && !list[0].Disabled
	})
	if !v.device.Accounts().CheckPassword(v.who.Name, annsPassword) {
		v.t.Error("the account has another password")
	}
	v.device.Kill()
	for _, secret := range []string{annsPassword, "pass %25 word", "word 1 ü"} {
		if where := v.device.Holds(secret); where != "" {
			v.t.Error(where)
		}
	}
}
