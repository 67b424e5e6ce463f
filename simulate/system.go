package simulate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
)

// system is the device's operating system: the files of the agent are below the
// device's disk, its service is a goroutine, its payloads are not run.
type system struct{ *Machine }

func (s system) Layout() agent.Layout {
	return agent.Layout{Program: s.programs, Data: s.host(s.dataFolder()), Executable: s.executable(), LoginPlugin: s.loginPlugin(), Surfaces: s.surfaces}
}

func (s system) Arch() (string, error) { return s.Device().Arch, nil }

// BootID is another one each time the device is switched on.
func (s system) BootID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s-%d", s.state.Device.Serial, s.state.Boots)
}

// Facts are those of the device.
func (s system) Facts() (api.Facts, error) {
	d := s.Device()
	return api.Facts{
		Platform: d.Platform, Serial: d.Serial, Manufacturer: d.Manufacturer, Model: d.Model,
		Name: d.Name, OS: d.OS, OSVersion: d.OSVersion, Arch: d.Arch,
	}, nil
}

// Accounts are the device's, with those that packages made.
func (s system) Accounts() (accounts.Store, error) {
	store := s.Machine.Accounts()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.state.Accounts {
		err := store.Add(accounts.Account{Name: a.Name, Administrator: a.Administrator}, rand.Text())
		if err != nil && !errors.Is(err, accounts.ErrExists) {
			return nil, err
		}
	}
	return store, nil
}

// OpenTPM: simulated devices have none; their keys are files on their disks.
func (system) OpenTPM() (transport.TPMCloser, error) { return nil, devicekey.ErrNoTPM }

// Tile: the sign-in screen of a simulated device runs nothing of the package's.
func (system) Tile() agent.Tile { return nil }

// LoginWindow: that of a Mac is not simulated.
func (system) LoginWindow() agent.LoginWindow { return nil }

// MakeFolder makes it below the disk, where no link may be on the way: what the
// agent writes must stay there.
func (s system) MakeFolder(dir string, readers agent.Readers) error {
	rel, err := filepath.Rel(s.host("."), dir)
	if err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s is not on the device's disk", dir)
	}
	mode := fs.FileMode(0o700)
	if readers == agent.Everyone {
		mode = 0o755
	}
	name := filepath.ToSlash(rel)
	if err := s.makeFolders(name); err != nil {
		return err
	}
	return s.disk.Chmod(name, mode)
}

// makeFolders makes a folder and those above it, and refuses anything else that
// bears one of their names.
func (m *Machine) makeFolders(name string) error {
	if name == "." {
		return nil
	}
	info, err := m.disk.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := m.makeFolders(path.Dir(name)); err != nil {
			return err
		}
		return m.disk.Mkdir(name, 0o755)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", m.shown(name))
	}
	return m.makeFolders(path.Dir(name))
}

func (s system) RemoveAll(file string) error {
	rel, err := filepath.Rel(s.host("."), file)
	if err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s is not on the device's disk", file)
	}
	return s.disk.RemoveAll(filepath.ToSlash(rel))
}

// Lock is held within this process: no other has the device.
func (s system) Lock(ctx context.Context, file string) (func(remove bool) error, error) {
	select {
	case s.install <- struct{}{}:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, agent.ErrBusy
		}
		return nil, ctx.Err()
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		<-s.install
		return nil, err
	}
	return func(remove bool) error {
		defer func() { <-s.install }()
		err := f.Close()
		if remove {
			err = cmp.Or(err, os.Remove(file))
		}
		return err
	}, nil
}

// Journal is the system's own log. What the agent puts there is told as well.
func (s system) Journal() (slog.Handler, func() error, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, logFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return journal{Handler: slog.NewJSONHandler(f, nil), told: s.told}, f.Close, nil
}

// journal keeps records and tells them.
type journal struct {
	slog.Handler
	told  *narrator
	attrs []slog.Attr
}

func (j journal) Handle(ctx context.Context, r slog.Record) error {
	e := Event{Step: StepAgent, Mark: Good, Text: r.Message}
	if r.Level >= slog.LevelWarn {
		e.Mark = Note
	}
	say := func(a slog.Attr) bool {
		if e.Detail != "" {
			e.Detail += ", "
		}
		e.Detail += a.Key + " " + a.Value.String()
		return true
	}
	for _, a := range j.attrs {
		say(a)
	}
	r.Attrs(say)
	j.told.add(e)
	return j.Handler.Handle(ctx, r)
}

func (j journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journal{j.Handler.WithAttrs(attrs), j.told, append(j.attrs[:len(j.attrs):len(j.attrs)], attrs...)}
}

func (j journal) WithGroup(name string) slog.Handler {
	return journal{j.Handler.WithGroup(name), j.told, j.attrs}
}

// Payloads are never run: they may be anything. The device takes them to end
// with the code it was told.

func (s system) StartPayload(kind, file, _ string) (agent.Process, error) {
	name := filepath.Base(file)
	code := s.exitCode(name)
	s.told.note(StepCommand, "the agent would run the payload "+name, fmt.Sprintf("of kind %s; not run here, taken to end with %d", kind, code))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids++
	return ended{agent.ProcessID{PID: s.pids, Created: int64(s.state.Boots)}, code}, nil
}

// FindProcess finds none: all have ended.
func (s system) FindProcess(agent.ProcessID) (agent.Process, error) { return nil, agent.ErrNoProcess }

func (m *Machine) exitCode(program string) int {
	if m.exits == nil {
		return 0
	}
	return m.exits(program)
}

// ended is a process that did.
type ended struct {
	id   agent.ProcessID
	code int
}

func (e ended) ID() agent.ProcessID               { return e.id }
func (e ended) Wait(context.Context) (int, error) { return e.code, nil }
func (e ended) Kill() error                       { return nil }
func (e ended) Close() error                      { return nil }
