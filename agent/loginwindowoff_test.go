package agent

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"firstday.dev/agent/authdb"
)

// Whoever switches it off, macOS' own window is there, at once where that throws
// nobody out.
func TestLoginWindowOff(t *testing.T) {
	for name, c := range map[string]struct {
		by       LoginAuthority
		people   int
		window   string
		restarts int
	}{
		"an administrator, nobody is logged in": {LoginByAdministrator, 0, "1@1", 1},
		"an administrator, somebody is":         {LoginByAdministrator, 1, "", 0},
		"an administrator, somebody waits":      {LoginByAdministrator, 1, "1@1", 0},
		"an administrator, before a window":     {LoginByAdministrator, 0, "", 0},
		"the guard, which has its own way":      {LoginByGuard, 0, "1@1", 0},
		"an installer":                          {LoginByInstaller, 0, "1@1", 0},
		"the second watchdog, nobody is":        {LoginByWatch, 0, "1@1", 1},
		"the second watchdog, somebody waits":   {LoginByWatch, 2, "1@1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMacMachine(t)
			if err := os.MkdirAll(m.Layout().Data, 0o700); err != nil {
				t.Fatal(err)
			}
			m.login.arm()
			m.login.seats.People, m.login.seats.Window = c.people, c.window
			if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), c.by, "why"); err != nil {
				t.Fatal(err)
			}
			if got := m.login.shows(); got != authdb.Apple || len(m.login.restarts) != c.restarts {
				t.Errorf("it shows %s, %d restarts", got, len(m.login.restarts))
			}
			off, err := readLoginOff(m.Layout().LoginWindowOff())
			if err != nil || off == nil || off.By != c.by || off.Reason != "why" || off.Boot != "boot 0" || off.Since.IsZero() {
				t.Errorf("%+v, %v", off, err)
			}
			if off.lasts("boot 1") != (c.by == LoginByAdministrator) || !off.lasts("boot 0") {
				t.Errorf("%+v lasts otherwise", off)
			}
		})
	}
}

// It works where there is nothing else of the agent's, and where nothing can be
// written.
func TestLoginWindowOffNeedsNothing(t *testing.T) {
	m := newMacMachine(t)
	m.login.arm()
	if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByAdministrator, ""); err != nil || m.login.shows() != authdb.Apple {
		t.Errorf("without a folder: %v", err)
	}
	if _, err := os.Lstat(m.Layout().Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
	m.login.arm()
	if err := os.MkdirAll(m.Layout().LoginWindowOff()+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByAdministrator, ""); err == nil || m.login.shows() != authdb.Apple {
		t.Errorf("it cannot be kept: %v", err)
	}
}

// What an administrator has said, no installer and no guard takes back.
func TestAnAdministratorsWordStays(t *testing.T) {
	m := newMacMachine(t)
	if err := os.MkdirAll(m.Layout().Data, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, by := range []LoginAuthority{LoginByInstaller, LoginByGuard, LoginByAdministrator, LoginByGuard, LoginByInstaller, LoginByWatch} {
		m.login.arm()
		if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), by, string(by)); err != nil {
			t.Fatal(err)
		}
		m.login.shows()
	}
	if off, err := readLoginOff(m.Layout().LoginWindowOff()); err != nil || off.By != LoginByAdministrator || off.Reason != "administrator" {
		t.Errorf("%+v, %v", off, err)
	}
}

// A database that cannot be changed is an error.
func TestLoginWindowOffIsRefused(t *testing.T) {
	m := newMacMachine(t)
	m.login.arm()
	m.login.refuses = errors.New("exit status 255")
	if err := m.agent("1.2.3").DisableLoginWindow(t.Context(), LoginByGuard, ""); err == nil || m.login.shows() != authdb.Ours {
		t.Errorf("%v", err)
	}
	if err := newMachine(t).agent("1.2.3").DisableLoginWindow(t.Context(), LoginByGuard, ""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("elsewhere: %v", err)
	}
}

// Who sits at a Mac is read of its processes.
func TestSeatsOfProcesses(t *testing.T) {
	const lw = "loginwindow"
	for name, c := range map[string]struct {
		list []guiProcess
		want Seats
	}{
		"nothing runs yet":               {nil, Seats{}},
		"the login window":               {[]guiProcess{{"launchd", 1, 0, 1}, {lw, 90, 0, 5}}, Seats{Window: "90@5"}},
		"somebody is logged in":          {[]guiProcess{{lw, 90, 501, 5}, {"Finder", 95, 501, 6}, {"Dock", 96, 501, 6}}, Seats{People: 1}},
		"logged in, without a Finder":    {[]guiProcess{{lw, 90, 501, 5}}, Seats{People: 1}},
		"another one's session waits":    {[]guiProcess{{lw, 90, 501, 5}, {lw, 99, 0, 9}}, Seats{Window: "99@9", People: 1}},
		"two people":                     {[]guiProcess{{lw, 90, 501, 5}, {lw, 99, 502, 9}, {"Dock", 96, 502, 6}}, Seats{People: 2}},
		"somebody without a loginwindow": {[]guiProcess{{lw, 99, 0, 9}, {"Finder", 95, 501, 6}}, Seats{Window: "99@9", People: 1}},
		"Setup Assistant":                {[]guiProcess{{lw, 90, 248, 5}}, Seats{People: 1}},
		"one that has not gone yet":      {[]guiProcess{{lw, 99, 0, 9}, {lw, 90, 0, 5}}, Seats{Window: "99@9"}},
		"somebody over ssh":              {[]guiProcess{{lw, 90, 0, 5}, {"zsh", 95, 501, 6}}, Seats{Window: "90@5"}},
	} {
		if got := seatsOf(c.list); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
