package agent

import (
	"context"
	"crypto/sha256"
	"debug/macho"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/agent/preflight"
	"firstday.dev/agent/program"
	"firstday.dev/templates/macos"
)

// LoginWindow is that of the Mac below the root: what sits at it is in a file, and
// what macOS would run are the scripts that lie where its programs do.
func (s linuxSystem) LoginWindow() LoginWindow { return rootWindow{linuxSystem: s} }

type rootWindow struct {
	linuxSystem
	programs program.System
}

func (w rootWindow) Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	return w.programs.Run(ctx, stdin, w.path(path), args...)
}

// Root: whoever runs the tests plays root.
func (rootWindow) Root() bool { return true }

func (w rootWindow) program() string {
	return filepath.Join(w.Layout().LoginPlugin, "Contents", "MacOS", "FirstdayLogin")
}

func (w rootWindow) Loadable(context.Context) error {
	_, err := os.Stat(w.program())
	return err
}

func (rootWindow) Build() (string, error) { return "24B83", nil }

func (w rootWindow) seatsFile() string { return w.path("seats.json") }

func (w rootWindow) Seats() (s Seats, err error) {
	text, err := os.ReadFile(w.seatsFile())
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

func (rootWindow) Awake() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// Restart has another window wait, which launchd would start.
func (w rootWindow) Restart(window string) error {
	s, err := w.Seats()
	if err != nil {
		return err
	}
	if s.Window != window || s.People > 0 {
		return fmt.Errorf("%s is restarted, but %+v are there", window, s)
	}
	s.Window += "+"
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(w.seatsFile(), text, 0o600)
	}
	return err
}

func (w rootWindow) Watched() error {
	for path := range macos.LoginJobs("") {
		if _, err := os.Stat(w.path(path)); err != nil {
			return err
		}
	}
	return nil
}

func (w rootWindow) Key() (string, error) {
	text, err := os.ReadFile(w.program())
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// Preflight looks at the program's slices. Only a Mac can load it by itself.
func (w rootWindow) Preflight(context.Context, string) []preflight.Check {
	f, err := macho.OpenFat(w.program())
	if err == nil {
		err = f.Close()
	}
	return []preflight.Check{preflight.Judge("files", "the program has its slices", err, "install the organisation's package again")}
}

func (w rootWindow) RemovePlugin() (err error) {
	for path := range macos.LoginJobs("") {
		err = errors.Join(err, os.RemoveAll(w.path(path)))
	}
	return errors.Join(err, os.RemoveAll(w.Layout().LoginPlugin))
}
