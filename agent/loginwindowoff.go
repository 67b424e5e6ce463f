package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/internal/statefile"
)

// LoginOff says who has switched our login window off, and why.
type LoginOff struct {
	Schema int            `json:"schema"`
	By     LoginAuthority `json:"by"`
	Reason string         `json:"reason,omitempty"`
	Since  time.Time      `json:"since"`
	Boot   string         `json:"boot,omitempty"` // in which start of macOS
	// Greeted: our window had come up and spoken with the service.
	Greeted bool `json:"greeted,omitempty"`
}

// lasts tells whether it holds in a start of macOS. An administrator's word holds
// until it is taken back; the others' hold until macOS starts anew.
func (o *LoginOff) lasts(boot string) bool {
	return o.By == LoginByAdministrator || o.Boot == boot
}

// readLoginOff gives nil if nobody has switched it off.
func readLoginOff(path string) (*LoginOff, error) {
	o := new(LoginOff)
	err := statefile.Read(path, o)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case o.Schema != stateSchema:
		return nil, fmt.Errorf("%s has schema %d; this build reads %d", path, o.Schema, stateSchema)
	}
	return o, nil
}

// loginHello is what the plug-in has said last.
type loginHello struct {
	Schema int       `json:"schema"`
	Boot   string    `json:"boot"`
	Window string    `json:"window"`
	At     time.Time `json:"at"` // by a clock that may be off; for people
}

// readLoginHello gives an empty one if there is none that can be read: nothing is
// as good as no hello.
func readLoginHello(path string) loginHello {
	h := loginHello{}
	if err := statefile.Read(path, &h); err != nil || h.Schema != stateSchema {
		return loginHello{}
	}
	return h
}

// greets tells whether it is that of a login window.
func (h loginHello) greets(boot, window string) bool {
	return window != "" && h.Window == window && h.Boot == boot
}

// loginMemory is what the service has seen of the login window since it started. It
// goes by that; the files are for its next start, and for the second watchdog.
type loginMemory struct {
	unsaved[loginRecord]

	mu      sync.Mutex
	hello   loginHello
	written bool
}

func (m *loginMemory) hear(h loginHello) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hello, m.written = h, false
}

// heard gives what was said last, where kept is what the file holds.
func (m *loginMemory) heard(kept loginHello) loginHello {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hello.Window == "" {
		return kept
	}
	return m.hello
}

// writeHello writes down what was said, unless the file has it.
func (m *loginMemory) writeHello(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.written || m.hello.Window == "" {
		return nil
	}
	err := statefile.Write(path, &m.hello)
	m.written = err == nil
	return err
}

// errNoLoginWindow: see [System.LoginWindow].
var errNoLoginWindow = fmt.Errorf("a login window of ours: %w", ErrUnsupported)

func (a *Agent) database(w LoginWindow) *authdb.Database {
	return authdb.Open(a.System.Layout().Data, w)
}

// DisableLoginWindow puts macOS' own login window back at once, and keeps it there:
// for good if an administrator says so, else until macOS starts anew. It needs
// neither the service nor the network, and waits for nobody. Unless it is the
// plug-in's guard or an installer who asks, a login window that waits is started
// anew, if nobody is logged in: what it shows may be what is wrong.
func (a *Agent) DisableLoginWindow(ctx context.Context, by LoginAuthority, reason string) error {
	w := a.System.LoginWindow()
	if w == nil {
		return errNoLoginWindow
	}
	if !w.Root() {
		return fmt.Errorf("%w (%w)", authdb.ErrNotRoot, fs.ErrPermission)
	}
	kept := a.keepLoginOff(w, by, reason)
	o, err := a.database(w).Disable(ctx)
	if err != nil {
		return errors.Join(err, kept)
	}
	if o.Changed && by != LoginByGuard && by != LoginByInstaller {
		kept = errors.Join(kept, a.restartLoginWindow(ctx, w))
	}
	return kept
}

// keepLoginOff writes down that it is off, before it is: the service might switch
// it on again. What an administrator has said stays.
func (a *Agent) keepLoginOff(w LoginWindow, by LoginAuthority, reason string) error {
	layout := a.System.Layout()
	if _, err := os.Lstat(layout.Data); errors.Is(err, fs.ErrNotExist) {
		return nil // nobody is there who could switch it on
	}
	old, err := readLoginOff(layout.LoginWindowOff())
	if err == nil && old != nil && old.By == LoginByAdministrator && by != LoginByAdministrator {
		return nil
	}
	off := LoginOff{Schema: stateSchema, By: by, Reason: fact(reason), Since: stamp(), Boot: a.System.BootID()}
	if seats, err := w.Seats(); err == nil {
		off.Greeted = readLoginHello(layout.LoginHello()).greets(off.Boot, seats.Window)
	}
	if err := statefile.Write(layout.LoginWindowOff(), &off); err != nil {
		return fmt.Errorf("keeping that our login window is off: %w", err)
	}
	return nil
}

// restartLoginWindow has the login window that waits read the database again. With
// somebody logged in it does nothing: macOS ends sessions with it.
func (a *Agent) restartLoginWindow(ctx context.Context, w LoginWindow) error {
	seats, err := w.Seats()
	if err != nil {
		return fmt.Errorf("looking who is logged in: %w", err)
	}
	if seats.Window == "" || seats.People > 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := w.Restart(seats.Window); err != nil {
		return fmt.Errorf("starting the login window anew: %w", err)
	}
	return nil
}
