//go:build unix

package agent

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/authdb"
	"firstday.dev/agent/preflight"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/testdirectory"
)

// wanting is a Mac that is enrolled with an organisation that wants our login window.
func wanting(t *testing.T) *machine {
	t.Helper()
	m := newMacMachine(t)
	m.joins()
	return m
}

// joins makes it a Mac of an organisation that wants our login window.
func (m *machine) joins() {
	m.t.Helper()
	if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
		m.t.Fatal(err)
	}
	m.bring(sample("1.2.3").Directory, "fdk_key")
	m.wants(func(*api.PlatformSettings) {})
}

// wants is what the directory has said last.
func (m *machine) wants(change func(*api.PlatformSettings)) {
	m.t.Helper()
	r := &record{Schema: stateSchema, Directory: sample("1.2.3").Directory, DeviceID: uuid.New()}
	r.Heard.State = api.DeviceActive
	r.Heard.Settings = api.PlatformSettings{Window: api.WindowInstead, Builds: []string{"24*"}}
	change(&r.Heard.Settings)
	if err := statefile.Write(m.Layout().Device(), r); err != nil {
		m.t.Fatal(err)
	}
}

// check looks once, as the service does.
func (m *machine) check() *LoginWindowStatus {
	m.t.Helper()
	a := m.agent("1.2.3")
	s, err := a.checkLoginWindow(m.t.Context(), a.System.LoginWindow(), new(loginMemory))
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// served is a Mac whose service has enrolled with a directory, and speaks with
// surfaces.
func served(t *testing.T) (d *testdirectory.Service, m *machine, address string) {
	t.Helper()
	d, m = testdirectory.New(t), newMacMachine(t)
	m.limits.dial, m.limits.Random = dialDirectory, func() float64 { return 0 }
	if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
		t.Fatal(err)
	}
	m.bring(d.At, d.MustMint(api.NewConnectKey{}))
	address = surfacesOf(t, m)
	t.Cleanup(m.run())
	m.becomes("enrolment", done)
	return d, m, address
}

// The whole way: the organisation switches it on, the plug-in says hello, the
// organisation switches it off, and the directory hears of what fails.
func TestServiceArmsAndDisarms(t *testing.T) {
	d, m, address := served(t)
	shows := func(want authdb.State) {
		t.Helper()
		eventually(t, "the database to show the window that is "+string(want), func() bool { return m.login.shows() == want })
	}
	shows(authdb.Apple)
	d.Change(func(s *api.Settings) { s.MacOS.Window, s.MacOS.Builds = api.WindowInstead, []string{"24*"} })
	shows(authdb.Ours)
	eventually(t, "the login window to be started anew", func() bool {
		m.login.mu.Lock()
		defer m.login.mu.Unlock()
		return len(m.login.restarts) == 1
	})
	c := surface(t, address) // one that is none of the plug-in's
	defer c.Close()
	if h := readLoginHello(m.Layout().LoginHello()); h.Window != "" {
		t.Errorf("another surface is taken for the plug-in: %+v", h)
	}
	plugin := namedSurface(t, address, loginSurface)
	defer plugin.Close()
	eventually(t, "hello to be kept", func() bool { return readLoginHello(m.Layout().LoginHello()).greets("boot 0", "2@1") })
	time.Sleep(50 * time.Millisecond)
	m.login.change(func(f *fakeLogin) { f.awake += time.Hour })
	time.Sleep(100 * time.Millisecond)
	shows(authdb.Ours)
	d.Change(func(s *api.Settings) { s.MacOS.Window = api.WindowOff })
	shows(authdb.Apple)
	hears(t, d, "")

	d.Change(func(s *api.Settings) { s.MacOS.Window = api.WindowInstead })
	shows(authdb.Ours)
	eventually(t, "three looks at a window that says nothing", func() bool {
		r := m.agent("1.2.3").loginRecord(t.Context())
		return r.Due.Looks == helloLooks && !r.Due.Said
	})
	m.login.change(func(f *fakeLogin) { f.awake += time.Hour })
	shows(authdb.Apple)
	hears(t, d, "our login window is off: it did not come up within 1m0s")
	if s := m.status(); s.LoginWindow == nil || s.LoginWindow.By != LoginByWatchdog || s.LoginWindow.Misses != 1 || !strings.Contains(strings.Join(s.Problems, "\n"), "it did not come up") {
		t.Errorf("%+v, %q", s.LoginWindow, s.Problems)
	}
	if s, err := m.agent("1.2.3").EnableLoginWindow(t.Context()); err != nil || s.State != LoginWindowOn || s.Misses != 0 {
		t.Errorf("on: %+v, %v", s, err)
	}
	shows(authdb.Ours)
	if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByAdministrator, "for now"); err != nil {
		t.Fatal(err)
	}
	hears(t, d, "an administrator of this Mac has switched off our login window: for now")
	shows(authdb.Apple)
}

// Who signs in on their phone touches no key of the Mac: their window stays until they
// are done, though the organisation has changed its mind meanwhile.
func TestSignInKeepsItsWindow(t *testing.T) {
	d, m, address := served(t)
	restarts := func() int {
		m.login.mu.Lock()
		defer m.login.mu.Unlock()
		return len(m.login.restarts)
	}
	d.Change(func(s *api.Settings) {
		s.MacOS.SSAP, s.MacOS.Window, s.MacOS.Builds = true, api.WindowInstead, []string{"24*"}
	})
	eventually(t, "our login window", func() bool { return m.login.shows() == authdb.Ours && restarts() == 1 })
	c := namedSurface(t, address, loginSurface)
	if err := c.Act(t.Context(), signin.Action{Name: signin.Start, Serial: untilShown(t, c, signin.Ready).Serial}); err != nil {
		t.Fatal(err)
	}
	waiting := untilShown(t, c, signin.Waiting)
	d.Change(func(s *api.Settings) { s.MacOS.Window = api.WindowOff })
	eventually(t, "macOS' own login window", func() bool { return m.login.shows() == authdb.Apple })
	time.Sleep(10 * m.limits.loginPause) // in which it would be started anew
	if n := restarts(); n != 1 {
		t.Fatal("the window is taken away from who signs in at it")
	}
	if err := c.Act(t.Context(), signin.Action{Name: signin.Cancel, Serial: waiting.Serial}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another login window", func() bool { return restarts() == 2 })
}

// What is found against it keeps it off, and doctor says so.
func TestLoginWindowPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*machine)
		check string // that has not passed; empty: all have
		state LoginWindowState
	}{
		"nothing":                {func(*machine) {}, "", LoginWindowOn},
		"FileVault with a token": {func(m *machine) { m.login.encrypted = new(true) }, "", LoginWindowOn},
		"the plug-in crashes":    {func(m *machine) { m.login.loads = errors.New("signal: segmentation fault") }, "loading", LoginWindowOff},
		"no second watchdog":     {func(m *machine) { m.login.unguided = errors.New("missing") }, "watchdog", LoginWindowOff},
		"no administrator":       {func(m *machine) { m.accounts = accounts.Memory(api.MacOS) }, "administrator", LoginWindowOff},
		"a disabled one":         {func(m *machine) { _ = m.accounts.Disable(m.t.Context(), "rescue") }, "administrator", LoginWindowOff},
		"FileVault, and no token": {func(m *machine) {
			m.login.encrypted, m.accounts = new(true), accounts.Memory(api.MacOS)
			_ = m.accounts.Add(accounts.Account{Name: "it", Administrator: true}, "of the administrator")
		}, "FileVault", LoginWindowOff},
		"another build":    {func(m *machine) { m.login.build = "25A354" }, "build of macOS", LoginWindowOff},
		"another wish":     {func(m *machine) { m.wants(func(p *api.PlatformSettings) { p.Window = api.WindowBeside }) }, "organisation", LoginWindowOff},
		"an administrator": {func(m *machine) { _ = m.agent("1").DisableLoginWindow(m.t.Context(), LoginByAdministrator, "") }, "this Mac", LoginWindowOff},
		"not a word heard": {func(m *machine) { _ = os.Remove(m.Layout().Device()) }, "organisation", LoginWindowOff},
		"a damaged record": {func(m *machine) { _ = os.WriteFile(m.Layout().Device(), []byte("{"), 0o600) }, "organisation", LoginWindowOff},
		"a damaged off":    {func(m *machine) { _ = os.WriteFile(m.Layout().LoginWindowOff(), []byte("{"), 0o600) }, "this Mac", LoginWindowOff},
		"a damaged memory": {func(m *machine) { _ = os.WriteFile(m.Layout().LoginWindow(), []byte("{"), 0o600) }, "", LoginWindowOn},
	} {
		t.Run(name, func(t *testing.T) {
			m := wanting(t)
			c.set(m)
			before := m.login.shows()
			checks, err := m.agent("1.2.3").LoginWindowDoctor(t.Context())
			if err != nil || m.login.shows() != before {
				t.Fatalf("doctor: %v", err)
			}
			failed := ""
			for _, check := range checks {
				if !check.Passed && failed == "" {
					failed = check.Name
				}
				if check.Passed != (check.Remedy == "") || check.Detail == "" {
					t.Errorf("%+v", check)
				}
			}
			if failed != c.check || (preflight.Failure(checks) == nil) != (c.check == "") {
				t.Errorf("%q has not passed: %+v", failed, checks)
			}
			s := m.check()
			if s.State != c.state || (m.login.shows() == authdb.Ours) != (c.state == LoginWindowOn) {
				t.Errorf("%+v", s)
			}
			flights := m.login.flights
			if again := m.check(); again.State != s.State || m.login.flights != flights {
				t.Errorf("again: %+v, %d preflights", again, m.login.flights-flights)
			}
			if st, err := m.agent("1.2.3").LoginWindowStatus(t.Context()); err != nil || st.State != s.State || st.Reason != s.Reason {
				t.Errorf("status: %+v, %v", st, err)
			}
		})
	}
}

// An agent of another version does not keep what it did not look at.
func TestAnotherAgentLooksAnew(t *testing.T) {
	m := wanting(t)
	m.check()
	m.login.loads = errors.New("the plug-in has version 1.2.3, the agent 1.3.0")
	a := m.agent("1.3.0")
	s, err := a.checkLoginWindow(t.Context(), a.System.LoginWindow(), new(loginMemory))
	if err != nil || s.State != LoginWindowOff || s.By != LoginByPreflight || m.login.shows() != authdb.Apple {
		t.Errorf("%+v, %v", s, err)
	}
}

// perish does something that may end in a power cut.
func perish(do func() error) (died bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errPowerCut { //nolint:errorlint // the very value
				panic(r)
			}
			died = true
		}
	}()
	return false, do()
}

// cut does something on a Mac again and again, with the power failing at each request
// in turn. judge looks at what is left, after the power came back.
func cut(t *testing.T, make func(*testing.T) *machine, do func(*machine) error, judge func(*testing.T, *machine)) {
	t.Helper()
	for n := 1; n < 2000; n++ {
		m := make(t)
		m.powerCut = m.calls + n
		died, err := perish(func() error { return do(m) })
		m.login.shows() // it names nothing that is not there
		if err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		if !died {
			t.Logf("%d places to die", n-1)
			return
		}
		m.restart()
		judge(t, m)
		m.login.shows()
		m.halt()
	}
	t.Fatal("it never came to an end")
}

// Killed at any request, a look ends the next time as it would have, nothing is
// counted that did not happen, and nobody was thrown out.
func TestLoginWindowSurvivesAPowerCutAnywhere(t *testing.T) {
	look := func(m *machine) error {
		a := m.agent("1.2.3")
		_, err := a.checkLoginWindow(context.Background(), a.System.LoginWindow(), new(loginMemory))
		return err
	}
	ends := func(want authdb.State) func(*testing.T, *machine) {
		return func(t *testing.T, m *machine) {
			m.login.change(func(f *fakeLogin) { f.seats.Window = "after the start" })
			for range 2 {
				if err := look(m); err != nil {
					t.Fatal(err)
				}
			}
			if got := m.login.shows(); got != want {
				t.Fatalf("it shows %s", got)
			}
			if r := m.agent("1.2.3").loginRecord(t.Context()); r.Misses != 0 || r.Armed != (want == authdb.Ours) {
				t.Fatalf("%+v", r)
			}
		}
	}
	cut(t, wanting, look, ends(authdb.Ours))
	cut(t, func(t *testing.T) *machine {
		m := wanting(t)
		m.check()
		m.wants(func(p *api.PlatformSettings) { p.Window = api.WindowOff })
		return m
	}, look, ends(authdb.Apple))
}

// An administrator's word holds once it is said, whatever is cut.
func TestOffSurvivesAPowerCutAnywhere(t *testing.T) {
	cut(t, func(t *testing.T) *machine {
		m := wanting(t)
		m.check()
		return m
	}, func(m *machine) error {
		return m.agent("1.2.3").DisableLoginWindow(context.Background(), LoginByAdministrator, "")
	}, func(t *testing.T, m *machine) {
		if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByAdministrator, ""); err != nil {
			t.Fatal(err)
		}
		if s := m.check(); s.By != LoginByAdministrator || m.login.shows() != authdb.Apple {
			t.Fatalf("%+v", s)
		}
	})
}

// At no power cut does the database name a plug-in that is not there; and what was
// interrupted can be done again.
func TestRemovingTheLoginWindowSurvivesAPowerCutAnywhere(t *testing.T) {
	cut(t, func(t *testing.T) *machine {
		m := wanting(t)
		m.check()
		return m
	}, func(m *machine) error {
		return m.agent("1.2.3").Uninstall(context.Background())
	}, func(t *testing.T, m *machine) {
		if err := m.agent("1.2.3").Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(m.login.plugin); err == nil || m.login.shows() != authdb.Apple {
			t.Fatal("the plug-in is left")
		}
	})
}

// A package is installed over an agent whose login window is on: prepare, Installer,
// install --in-place, as the package's scripts do.
func TestUpgradeOfTheLoginWindowSurvivesAPowerCutAnywhere(t *testing.T) {
	next := sample("1.3.0")
	next.Payloads = nil
	upgrade := func(m *machine) error {
		if err := m.agent("1.2.3").DisableLoginWindow(context.Background(), LoginByInstaller, ""); err != nil {
			return err
		}
		// Installer removes before it writes, as long as the database allows.
		if err := (view{m, true}).RemoveAll(m.login.plugin); err != nil {
			return err
		}
		if m.login.shows() != authdb.Apple {
			return errors.New("the plug-in is replaced while it is named")
		}
		m.login.placePlugin("1.3.0")
		m.put(next, "1.3.0")
		_, err := m.agent("1.3.0").InstallInPlace(context.Background())
		return err
	}
	cut(t, func(t *testing.T) *machine {
		m := wanting(t)
		m.check()
		return m
	}, upgrade, func(t *testing.T, m *machine) {
		if err := upgrade(m); err != nil {
			t.Fatal(err)
		}
		if off, err := readLoginOff(m.Layout().LoginWindowOff()); off != nil || err != nil {
			t.Fatalf("it stays off: %+v, %v", off, err)
		}
	})
}

// Where authd refuses, the plug-in stays, and so does the agent, whose service the
// plug-in needs.
func TestUninstallLeavesWhatIsNamed(t *testing.T) {
	m := wanting(t)
	e := sample("1.2.3")
	e.Payloads = nil
	m.put(e, "1.2.3")
	if _, err := m.agent("1.2.3").InstallInPlace(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.wants(func(*api.PlatformSettings) {})
	if s := m.check(); s.State != LoginWindowOn {
		t.Fatalf("%+v", s)
	}
	m.login.refuses = errors.New("exit status 255")
	if err := m.agent("1.2.3").Uninstall(t.Context()); err == nil || !strings.Contains(err.Error(), "the login plug-in stays") {
		t.Errorf("%v", err)
	}
	if m.login.shows() != authdb.Ours {
		t.Error("it is not named any more")
	}
	if s := m.status(); s.Service.State != ServiceRunning {
		t.Errorf("the service is %s", s.Service.State)
	}
}

// The second watchdog needs nobody, and waits longer than the first.
func TestSecondWatchdog(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*machine)
		after     time.Duration
		want      authdb.State
		by        LoginAuthority
	}{
		"nothing comes":          {nil, 90 * time.Second, authdb.Apple, LoginByWatch},
		"hello":                  {func(m *machine) { m.says("boot 0", "1@1") }, 42 * time.Second, authdb.Ours, ""},
		"another window's hello": {func(m *machine) { m.says("boot 0", "0@1") }, 90 * time.Second, authdb.Apple, LoginByWatch},
		"hello of another start": {func(m *machine) { m.says("boot 7", "1@1") }, 90 * time.Second, authdb.Apple, LoginByWatch},
		"somebody has logged in": {func(m *machine) { m.login.seats = Seats{People: 1} }, 42 * time.Second, authdb.Ours, ""},
		"another window":         {func(m *machine) { m.login.seats.Window = "2@1" }, 42 * time.Second, authdb.Ours, ""},
		"the service was faster": {func(m *machine) { _ = m.agent("1").DisableLoginWindow(context.Background(), LoginByGuard, "") }, 90 * time.Second, authdb.Apple, LoginByGuard},
	} {
		t.Run(name, func(t *testing.T) {
			m := wanting(t)
			m.login.arm()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				m.login.clock = func() time.Duration { return time.Since(begin) }
				if c.meanwhile != nil {
					time.AfterFunc(40*time.Second, func() { m.login.change(func(*fakeLogin) {}); c.meanwhile(m) })
				}
				if err := m.agent("1.2.3").WatchLogin(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("after %v", took)
				}
			})
			off, err := readLoginOff(m.Layout().LoginWindowOff())
			if err != nil || (off == nil) != (c.by == "") || off != nil && off.By != c.by || m.login.shows() != c.want {
				t.Errorf("%+v, %v, it shows %s", off, err, m.login.shows())
			}
		})
	}
	m := wanting(t) // with Apple's there is nothing to watch
	if err := m.agent("1.2.3").WatchLogin(t.Context()); err != nil || m.login.shows() != authdb.Apple {
		t.Error(err)
	}
}

// says writes down that a plug-in has said hello, as the service does.
func (m *machine) says(boot, window string) {
	h := loginHello{Schema: stateSchema, Boot: boot, Window: window, At: stamp()}
	if err := statefile.Write(m.Layout().LoginHello(), &h); err != nil {
		m.t.Error(err)
	}
}
