//go:build amd64

package loginplugin_test

import (
	"context"
	"fmt"
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/simulate"
)

// A package is built for a directory and installed on a simulated Mac, whose agent
// enrols. At its login window, which is the plug-in, somebody signs in on the
// directory's pages, and is logged on to the account that the agent made. Nothing is
// offered before the organisation switches the sign-in on.
func TestShippedFirstDay(t *testing.T) {
	directory := testdirectory.New(t)
	ann := directory.MustHire("ann")
	directory.Change(func(s *api.Settings) { s.MacOS.SSAP = false })
	path, trust := buildPackage(t, directory.At, directory.MustMint(api.NewConnectKey{}))
	m := newMac(t)
	m.withPage()
	o := simulate.Options{
		Trust: simulate.Trust{VerifyOptions: trust}, Sandbox: t.TempDir(), Surfaces: m.socket, Device: simulate.Device{Serial: "C02FIRSTDAY"},
		Then: func(ctx context.Context, device *simulate.Machine) error {
			e := m.begin("login", nil)
			m.sees("hidden")
			m.asks("users", "yes")
			m.asks("info", "C02FIRSTDAY")
			m.asks("network", "none") // no Wi-Fi that is ours to join
			directory.Change(func(s *api.Settings) { s.MacOS.SSAP = true })
			ready := m.sees("ready")
			m.say("act start " + ready.Serial)
			waiting := m.sees("waiting")
			number, err := ann.SignIn(ctx, directory.At, waiting.URI+"?code="+waiting.UserCode) // as the picture says
			if err != nil {
				return err
			}
			if number != "" {
				m.say(fmt.Sprintf("field number %s\nact submit %s", number, m.sees("number").Serial))
			}
			password := m.sees("password")
			m.say("field password pass %25 word 1 ü\nfield again pass %25 word 1 ü\nact submit " + password.Serial)
			e.loggedOn("ann", annsPassword)
			if !device.Accounts().CheckPassword("ann", annsPassword) {
				t.Error("the account has another password")
			}
			view, err := directory.Device(ctx, directory.OnlyDevice().ID)
			if err != nil || len(view.Users) != 1 || view.Users[0].Account != "ann" || view.Users[0].State != api.Bound {
				t.Errorf("the directory has %+v, %v", view, err)
			}
			return m.nextOne(ctx, directory)
		},
	}
	if _, err := simulate.Run(t.Context(), []string{path}, o); err != nil {
		t.Fatal(err)
	}
}

// nextOne is at the login window after the first user: nothing is offered to them,
// until the organisation lets more in, and not any more once it is switched off.
func (m *mac) nextOne(ctx context.Context, directory *testdirectory.Service) error {
	m.t.Helper()
	e := m.begin("login", nil)
	if hidden := m.sees("hidden"); len(hidden.Actions) != 0 {
		m.t.Errorf("%+v", hidden)
	}
	m.asks("users", "ann managed Example ann")
	directory.Change(func(s *api.Settings) { s.MacOS.Users = 2 })
	m.sees("ready")
	directory.Change(func(s *api.Settings) { s.MacOS.SSAP = false })
	m.sees("hidden")
	m.say("login\nann\npass %25 word 1 ü") // who has an account still logs in
	e.loggedOn("ann", annsPassword)
	return ctx.Err()
}

// asks asks the service, whose answer must hold a value.
func (m *mac) asks(verb, value string) {
	m.t.Helper()
	m.say("ask " + verb)
	answer := m.sees("answer")
	for _, p := range answer.Pairs {
		if p[1] == value {
			return
		}
	}
	m.t.Errorf("%s is answered with %+v", verb, answer)
}
