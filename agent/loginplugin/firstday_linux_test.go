//go:build amd64

package loginplugin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/kit"
	"firstday.dev/simulate"
)

// A package is built for a directory and installed on a simulated Mac, whose agent
// enrols. At its login window, which is the plug-in, somebody signs in on the
// directory's pages, and is logged on to the account that the agent made.
func TestShippedFirstDay(t *testing.T) {
	directory := testdirectory.New(t)
	ann := directory.MustHire("ann")
	path := packageFor(t, directory)
	m := newMac(t)
	m.withPage()
	o := simulate.Options{
		Sandbox: t.TempDir(), Surfaces: m.socket, Device: simulate.Device{Serial: "C02FIRSTDAY"},
		Then: func(ctx context.Context, device *simulate.Machine) error {
			e := m.begin("login", nil)
			ready := m.sees("ready")
			m.asks("users", "yes")
			m.asks("info", "C02FIRSTDAY")
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

// packageFor builds one with a connect key of the directory's.
func packageFor(t *testing.T, directory *testdirectory.Service) string {
	t.Helper()
	agents := testagents.SmallMac(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"firstday.yaml": fmt.Sprintf("version: 1\norganisation: {name: Acme}\ndirectory: {url: %q, pin: %q}\nconnectKey: {file: connect.key}\n", directory.At.URL, directory.At.Pin),
		"connect.key":   directory.MustMint(api.NewConnectKey{}).Reveal() + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	built := kit.Options{Config: c, Platforms: []kit.Platform{kit.MacOS}, Agents: agents, Output: filepath.Join(dir, "kit"), Builder: "test", Time: time.Now()}
	if _, err := kit.Build(t.Context(), built); err != nil {
		t.Fatal(err)
	}
	v, err := kit.Verify(t.Context(), built.Output, kit.VerifyOptions{})
	if err = errors.Join(err, v.Err()); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(built.Output, "*.pkg"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s, %v", strings.Join(found, ", "), err)
	}
	return found[0]
}
