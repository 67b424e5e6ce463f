package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/preflight"
)

// fakeLogin is a Mac's login window and its authd, with the plug-in in a file.
type fakeLogin struct {
	t      *testing.T
	plugin string // the bundle

	mu       sync.Mutex
	text     string // the right, as the database has it
	refuses  error  // what a write is answered with
	build    string
	seats    Seats
	awake    time.Duration
	loads    error // what the preflight says
	damaged  error // what Loadable says
	unguided error // what Watched says
	restarts []string
	flights  int
}

// newMacMachine is a Mac with macOS 15, whose login window waits for somebody.
func newMacMachine(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.tile, m.arch = nil, "arm64"
	apple, err := authdb.Default(15)
	if err != nil {
		t.Fatal(err)
	}
	m.login = &fakeLogin{
		t: t, plugin: filepath.Join(m.dir, "FirstdayLogin.bundle"), text: string(apple.Bytes()), build: "24A335",
		seats: Seats{Window: "1@1", Idle: time.Hour}, awake: time.Hour,
	}
	m.login.placePlugin("1.2.3")
	return m
}

// placePlugin is Installer.
func (f *fakeLogin) placePlugin(version string) {
	f.t.Helper()
	if err := os.WriteFile(f.plugin, []byte("plug-in "+version), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// change is what happens on the Mac without the agent.
func (f *fakeLogin) change(c func(*fakeLogin)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c(f)
}

// shows tells whose window the database names. It must never name what is not
// there.
func (f *fakeLogin) shows() authdb.State {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := authdb.Parse([]byte(f.text))
	if err != nil {
		f.t.Fatal(err)
	}
	v := d.Judge()
	if _, err := os.Stat(f.plugin); err != nil && v.NeedsBundle {
		f.t.Fatalf("the database names a plug-in that is not there: %v", err)
	}
	return v.State
}

// arm is authd that was told to name the plug-in.
func (f *fakeLogin) arm() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := authdb.Parse([]byte(f.text))
	if err == nil {
		d, err = d.Enable()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.text = string(d.Bytes())
}

func (m view) LoginWindow() LoginWindow {
	if m.login == nil {
		return nil
	}
	return loginView{m}
}

// loginView is the login window as one program sees it.
type loginView struct{ view }

func (v loginView) ask(c func(*fakeLogin)) {
	v.call()
	v.login.change(c)
}

func (v loginView) Root() bool { return true }

func (v loginView) Run(_ context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	v.ask(func(f *fakeLogin) {
		switch call := path + " " + strings.Join(args, " "); {
		case call == "/usr/bin/security authorizationdb read system.login.console":
			stdout = bytes.Clone([]byte(f.text))
		case call != "/usr/bin/security authorizationdb write system.login.console":
			err = fmt.Errorf("%s was run", call)
		case f.refuses != nil:
			err = f.refuses
		default:
			f.text = string(stdin)
		}
	})
	return stdout, nil, err
}

func (v loginView) Loadable(context.Context) (err error) {
	v.ask(func(f *fakeLogin) { err = f.damaged })
	if err == nil {
		_, err = os.Stat(v.login.plugin)
	}
	return err
}

func (v loginView) Build() (build string, err error) {
	v.ask(func(f *fakeLogin) { build = f.build })
	return build, nil
}

func (v loginView) Seats() (s Seats, err error) {
	v.ask(func(f *fakeLogin) { s = f.seats })
	return s, nil
}

func (v loginView) Awake() (d time.Duration) {
	v.ask(func(f *fakeLogin) { d = f.awake })
	return d
}

func (v loginView) Restart(window string) (err error) {
	v.ask(func(f *fakeLogin) {
		if f.seats.People > 0 {
			f.t.Errorf("%d people are thrown out", f.seats.People)
		}
		if window != f.seats.Window {
			err = errors.New("no such login window")
			return
		}
		f.restarts = append(f.restarts, window)
		f.seats.Window = fmt.Sprintf("%d@1", len(f.restarts)+1)
	})
	return err
}

func (v loginView) Watched() (err error) {
	v.ask(func(f *fakeLogin) { err = f.unguided })
	return err
}

func (v loginView) Key() (string, error) {
	v.call()
	data, err := os.ReadFile(v.login.plugin)
	return digest(data), err
}

func (v loginView) Preflight(context.Context, string) (checks []preflight.Check) {
	v.ask(func(f *fakeLogin) {
		f.flights++
		checks = []preflight.Check{preflight.Judge("loading", "it loads", f.loads, "report it")}
	})
	return checks
}

func (v loginView) RemovePlugin() error { return v.RemoveAll(v.login.plugin) }
