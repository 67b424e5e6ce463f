//go:build amd64

package loginplugin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/agent/authdb"
	"firstday.dev/api"
	"firstday.dev/internal/testadministrator"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmac"
	"firstday.dev/internal/testpki"
	"firstday.dev/kit"
	"firstday.dev/simulate"
)

// The first day of a Mac, from the package to the second user: an administrator builds
// it by the command line, it is installed on a simulated Mac, which enrols, and from
// then on the agent is a process of its own. Nothing is offered, and the login window
// is Apple's, until the organisation wants it otherwise; then the agent puts ours into
// the authorization database. At that window, which is the shipped plug-in, somebody
// signs in on the directory's pages, and is logged on to the account that the agent
// has made.
func TestShippedFirstDay(t *testing.T) {
	const serial = "C02FIRSTDAY"
	directory := testdirectory.New(t)
	admin := testadministrator.New(t, directory)
	ann := directory.MustHire("ann")
	admin.Firstday("settings", "set", "macos.ssap", "off")
	m := newMac(t)
	m.withPage()
	path, trust := packed(t, admin, directory)
	sandbox, err := os.MkdirTemp("", "mac") // whose name a socket has room for
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sandbox) })
	o := simulate.Options{Trust: simulate.Trust{VerifyOptions: trust}, Sandbox: sandbox, Device: simulate.Device{Serial: serial}}
	if _, err := simulate.Run(t.Context(), []string{path}, o); err != nil {
		t.Fatal(err)
	}
	device := testmac.Open(t, testmac.Build(t), filepath.Join(sandbox, "disk"), serial)
	if err := device.Accounts().Add(accounts.Account{Name: "rescue", Administrator: true}, "of the rescue"); err != nil {
		t.Fatal(err)
	}
	m.socket = device.Socket()
	device.Start()
	device.Shows(authdb.Apple, agent.LoginByOrganisation)
	admin.Firstday("settings", "set", "macos.signInWindow", "instead")
	device.Shows(authdb.Apple, agent.LoginByRing)
	admin.Firstday("settings", "set", "macos.signInBuilds", "24*")
	device.Shows(authdb.Ours, "")

	e := m.begin("login", nil)
	m.sees("hidden")
	m.asks("users", "yes")
	m.asks("info", serial)
	m.asks("network", "none") // no Wi-Fi that is ours to join
	admin.Firstday("settings", "set", "macos.ssap", "on")
	ready := m.sees("ready")
	m.say("act start " + ready.Serial)
	waiting := m.sees("waiting")
	number, err := ann.SignIn(t.Context(), directory.At, waiting.URI+"?code="+waiting.UserCode) // as the picture says
	if err != nil {
		t.Fatal(err)
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
	view, err := directory.Device(t.Context(), directory.OnlyDevice().ID)
	if err != nil || len(view.Users) != 1 || view.Users[0].Account != "ann" || view.Users[0].State != api.Bound {
		t.Errorf("the directory has %+v, %v", view, err)
	}
	if s := device.Shows(authdb.Ours, ""); s.Hello.IsZero() || s.Misses != 0 {
		t.Errorf("the agent has seen %+v", s)
	}
	m.nextOne(admin)
	admin.Firstday("settings", "set", "macos.signInWindow", "off")
	device.Shows(authdb.Apple, agent.LoginByOrganisation)
	device.Kill()
	if where := device.Holds(annsPassword); where != "" {
		t.Error(where)
	}
}

// packed builds a package by the command line, and verifies it.
func packed(t *testing.T, admin *testadministrator.Administrator, directory *testdirectory.Service) (path string, trust kit.VerifyOptions) {
	t.Helper()
	pki := testpki.New(t)
	admin.Configure(configuration(t, pki, directory.At))
	admin.Firstday("build", "macos", "--mint", "--mint-uses", "1", "--agents", testagents.SmallMac(t))
	admin.Firstday("verify", "kit", "--require-signature", "--root", pki.RootFile(t))
	return filepath.Join(admin.Dir, "kit", "Acme.pkg"), trusting(pki)
}

// nextOne is at the login window after the first user: nothing is offered to them,
// until the organisation lets more in, and not any more once it is switched off.
func (m *mac) nextOne(admin *testadministrator.Administrator) {
	m.t.Helper()
	e := m.begin("login", nil)
	if hidden := m.sees("hidden"); len(hidden.Actions) != 0 {
		m.t.Errorf("%+v", hidden)
	}
	m.asks("users", "ann managed Example ann")
	admin.Firstday("settings", "set", "macos.users", "2")
	m.sees("ready")
	admin.Firstday("settings", "set", "macos.ssap", "off")
	m.sees("hidden")
	m.say("login\nann\npass %25 word 1 ü") // who has an account still logs in
	e.loggedOn("ann", annsPassword)
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
