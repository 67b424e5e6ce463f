package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmount"
)

// armedOnDisk is a Mac that wants our login window and has it, on a disk that fill fills up.
func armedOnDisk(t *testing.T) (m *machine, fill func() (empty func())) {
	t.Helper()
	disk := testmount.Disk(t, 4<<20)
	m = newMacMachine(t)
	m.dir, m.login.plugin = disk, filepath.Join(disk, "FirstdayLogin.bundle")
	m.login.placePlugin("1.2.3")
	m.joins()
	if s := m.check(); s.State != LoginWindowOn || m.login.seats.Window != "2@1" {
		t.Fatalf("%+v, %+v", s, m.login.seats)
	}
	return m, func() func() { return testmount.Fill(t, disk) }
}

// later has the service look at a login window again and again, until long after it
// should have said hello.
func (m *machine) later(k *loginKeeper) *LoginWindowStatus {
	m.t.Helper()
	var s *LoginWindowStatus
	for range helloLooks + 1 {
		s = k.check(m.t.Context())
		m.login.change(func(f *fakeLogin) { f.awake += time.Hour })
	}
	return s
}

// On a full disk the service knows what it has heard, and what it has seen: a login
// window that is well stays, one that is dead goes, and each is counted once.
func TestLoginWindowOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		m, fill := armedOnDisk(t)
		k := m.agent("1.2.3").keepLoginWindow(func(*LoginWindowStatus) {})
		empty := fill()
		k.greeted(t.Context(), loginSurface)
		if s := m.later(k); s.State != LoginWindowOn || m.login.shows() != authdb.Ours || len(m.login.restarts) != 1 {
			t.Fatalf("it was taken for dead: %+v, restarted %q", s, m.login.restarts)
		}
		m.login.change(func(f *fakeLogin) { f.seats.Window = "silent" })
		if s := m.later(k); s.State != LoginWindowOff || s.Misses != 1 || m.login.shows() != authdb.Apple || len(m.login.restarts) != 2 {
			t.Errorf("the dead man's switch: %+v, restarted %q", s, m.login.restarts)
		}
		if r := m.agent("1.2.3").loginRecord(t.Context()); r.Misses != 0 {
			t.Fatalf("the disk is not full: %+v", r)
		}
		empty()
		if s := m.later(k); s.Misses != 1 {
			t.Errorf("%+v", s)
		}
		if r := m.agent("1.2.3").loginRecord(t.Context()); r.Misses != 1 || r.Armed {
			t.Errorf("for the next start: %+v", r)
		}
		if h := readLoginHello(m.Layout().LoginHello()); h.Window != "2@1" {
			t.Errorf("for the next start: %+v", h)
		}
	})
}

// Nor is it a fault of our window's if its guard puts macOS' own back, but cannot
// write down who did.
func TestGuardOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		m, fill := armedOnDisk(t)
		k := m.agent("1.2.3").keepLoginWindow(func(*LoginWindowStatus) {})
		k.greeted(t.Context(), loginSurface)
		m.later(k)
		empty := fill()
		if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByGuard, "no-agent"); err == nil || m.login.shows() != authdb.Apple {
			t.Fatalf("it could be written: %v", err)
		}
		if s := m.later(k); s.State != LoginWindowOff || s.Misses != 0 || m.login.shows() != authdb.Apple {
			t.Errorf("%+v", s)
		}
		empty()
		if s := m.later(k); s.State != LoginWindowOff || s.Misses != 0 {
			t.Errorf("in the same start of macOS: %+v", s)
		}
		m.restart()
		if s := m.check(); s.State != LoginWindowOn {
			t.Errorf("in the next one: %+v", s)
		}
	})
}

// What a command has written meanwhile has the last word.
func TestACommandsWordAfterAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		m, fill := armedOnDisk(t)
		k := m.agent("1.2.3").keepLoginWindow(func(*LoginWindowStatus) {})
		empty := fill()
		if s := m.later(k); s.Misses != 1 {
			t.Fatalf("%+v", s)
		}
		empty()
		if s, err := m.agent("1.2.3").EnableLoginWindow(t.Context()); err != nil || s.State != LoginWindowOn {
			t.Fatalf("%+v, %v", s, err)
		}
		if s := k.check(t.Context()); s.State != LoginWindowOn || s.Misses != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The second watchdog asks the service where there is nothing to read.
func TestSecondWatchdogOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		d, m, address := served(t)
		d.Change(func(s *api.Settings) { s.MacOS.Window, s.MacOS.Builds = api.WindowInstead, []string{"24*"} })
		eventually(t, "our login window", func() bool {
			m.login.mu.Lock()
			defer m.login.mu.Unlock()
			return m.login.seats.Window == "2@1"
		})
		if err := os.MkdirAll(m.Layout().LoginHello()+"/x", 0o700); err != nil { // no file gets there
			t.Fatal(err)
		}
		plugin := namedSurface(t, address, loginSurface)
		defer plugin.Close()
		if a := m.agent("1.2.3"); !a.hasGreeted(t.Context(), "2@1") || a.hasGreeted(t.Context(), "1@1") || a.hasGreeted(t.Context(), "") {
			t.Error("the service is not asked, or says something else")
		}
	})
}

// A full disk keeps nobody's sign-in on whom the directory has locked out, and nothing
// the directory said is lost.
func TestNewsOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		disk := testmount.Disk(t, 4<<20)
		d, m := testdirectory.New(t), newMachine(t)
		m.dir = disk
		m.limits.dial, m.limits.Random = dialDirectory, func() float64 { return 0 }
		if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
			t.Fatal(err)
		}
		m.bring(d.At, d.MustMint(api.NewConnectKey{}))
		address := surfacesOf(t, m)
		defer m.run()()
		m.becomes("enrolment", done)
		c := surface(t, address)
		d.Change(func(s *api.Settings) { s.Windows.SSAP = true })
		untilShown(t, c, "ready")
		empty := testmount.Fill(t, disk)
		d.Change(func(s *api.Settings) { s.Windows.SSAP = false })
		untilShown(t, c, "hidden")
		kept := func() bool {
			r, err := readRecord(m.Layout().Device(), d.At)
			return err == nil && r != nil && !r.Heard.Settings.SSAP
		}
		if kept() {
			t.Error("the disk is not full")
		}
		empty()
		eventually(t, "the news to be kept", kept)
	})
}
