package agent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/internal/testmount"
)

// armedOnADisk is a Mac whose next login window, which now waits, is ours.
func armedOnADisk(t *testing.T) (m *machine, k *loginKeeper, disk string) {
	t.Helper()
	disk = testmount.Disk(t, 4<<20)
	m = newMacMachine(t)
	m.dir = disk
	m.enrolled()
	k = m.agent("1.2.3").keepLoginWindow(func(*LoginWindowStatus) {})
	if s := k.check(t.Context()); s.State != LoginWindowOn {
		t.Fatalf("%+v", s)
	}
	m.login.change(func(f *fakeLogin) { f.seats, f.restarts = Seats{Window: "7@1"}, nil })
	return m, k, disk
}

// looks has the service look often enough, and late enough, to miss a hello.
func (k *loginKeeper) looks(t *testing.T, m *machine) (s *LoginWindowStatus) {
	t.Helper()
	for range helloLooks + 1 {
		s = k.check(t.Context())
		m.login.change(func(f *fakeLogin) { f.awake += helloTime })
	}
	return s
}

// A window that has said hello lives, whether or not that can be written down; and it
// is, as soon as there is room.
func TestHelloOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		m, k, disk := armedOnADisk(t)
		room := testmount.Fill(t, disk)
		k.greeted(t.Context(), loginSurface)
		if s := k.looks(t, m); s.State != LoginWindowOn || s.Misses != 0 || m.login.shows() != authdb.Ours || len(m.login.restarts) > 0 {
			t.Errorf("%+v, it shows %s, started anew: %q", s, m.login.shows(), m.login.restarts)
		}
		room()
		k.check(t.Context())
		if h := readLoginHello(m.Layout().LoginHello()); !h.greets("boot 0", "7@1") {
			t.Errorf("there is room, and yet there is %+v", h)
		}
		if r := m.agent("1.2.3").loginRecord(t.Context()); !r.Due.Said {
			t.Errorf("there is room, and yet there is %+v", r)
		}
	})
}

// A window that is dead is taken for it on a full disk, too, and once.
func TestNoHelloOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		m, k, disk := armedOnADisk(t)
		room := testmount.Fill(t, disk)
		if s := k.looks(t, m); s.State != LoginWindowOff || s.Misses != 1 || m.login.shows() != authdb.Apple || len(m.login.restarts) != 1 {
			t.Errorf("%+v, it shows %s, started anew: %q", s, m.login.shows(), m.login.restarts)
		}
		if s := k.looks(t, m); s.Misses != 1 || len(m.login.restarts) != 1 {
			t.Errorf("%+v, started anew: %q", s, m.login.restarts)
		}
		if _, err := m.agent("1.2.3").EnableLoginWindow(t.Context()); err == nil {
			t.Error("it is said to be forgiven, and is not written down")
		}
		room()
		if _, err := m.agent("1.2.3").EnableLoginWindow(t.Context()); err != nil {
			t.Error(err)
		}
		if s := k.check(t.Context()); s.Misses != 0 {
			t.Errorf("forgiven, and yet %+v", s)
		}
	})
}

// The second watchdog knows no hello on a full disk. It leaves that to the service,
// unless that does not run.
func TestSecondWatchdogOnAFullDisk(t *testing.T) {
	testmount.Apart(t, func() {
		for _, runs := range []bool{true, false} {
			m, _, disk := armedOnADisk(t)
			m.registered = "firstday-agent"
			if runs {
				m.stop = func() {}
			}
			room := testmount.Fill(t, disk)
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				m.login.clock = func() time.Duration { return time.Since(begin) }
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := m.agent("1.2.3").WatchLogin(ctx); (err == nil) != runs {
					t.Errorf("the service runs: %v, and yet %v", runs, err)
				}
			})
			m.stop = nil // there is none to wait for
			room()
			if ours := m.login.shows() == authdb.Ours; ours != runs {
				t.Errorf("the service runs: %v, and it shows %s", runs, m.login.shows())
			}
		}
	})
}
