package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/templates/macos"
)

// nobody is a directory that does not answer.
type nobody struct {
	signin.Directory // nobody signs in
	knocks           *int
}

func dialNobody(api.Directory, func() (*tls.Certificate, error)) (directory, error) {
	return nobody{knocks: new(int)}, nil
}

var errNoRoute = errors.New("no route to host")

func (n nobody) Enroll(context.Context, *api.EnrollRequest) (*api.EnrollResponse, error) {
	*n.knocks++
	return nil, errNoRoute
}

func (n nobody) CheckIn(context.Context, *api.CheckInRequest) (*api.CheckInResponse, error) {
	*n.knocks++
	return nil, errNoRoute
}

func (nobody) Escrow(context.Context, *api.EscrowRequest) (*api.EscrowResponse, error) {
	return nil, errNoRoute
}

func (nobody) Close() {}

// machine is a device in memory, but for its disk, which is a folder. An
// agent's program on it is a text, "agent 1.2.3"; starting the service runs
// that version's Run in a goroutine.
type machine struct {
	hangsOn string // a service whose enrollment holds this never reports
	t       *testing.T
	dir     string
	arch    string
	lock    chan struct{}
	boots   int
	limits  Agent // its limits are those of every agent here

	// installers says how a payload behaves, by file name.
	installers map[string]*installer
	ran        []string // payloads started, in order

	mu         sync.Mutex
	registered string // program of the service, "" if there is none
	stop       context.CancelFunc
	ended      chan struct{}
	processes  map[ProcessID]*fakeProcess
	pid        int

	// calls counts what the agent asks of the system; the powerCut-th call
	// never returns.
	calls, powerCut int
	dark            bool

	accounts *accounts.InMemory
	tile     *fakeTile  // nil: the sign-in screen loads none
	login    *fakeLogin // nil: this is no Mac

	tpm      func() (transport.TPMCloser, error) // nil: it has none
	surfaces string                              // where they find the service; empty: nowhere
}

// errPowerCut is what a power cut panics with.
var errPowerCut = errors.New("power cut")

// installer is a payload's behaviour: the codes of its runs, the last one for
// all further ones, and whether it hangs.
type installer struct {
	codes []int
	hangs bool
}

func newMachine(t *testing.T) *machine {
	m := &machine{
		t: t, dir: t.TempDir(), arch: "amd64", lock: make(chan struct{}, 1),
		accounts:   accounts.Memory(api.Windows),
		tile:       new(fakeTile),
		installers: make(map[string]*installer), processes: make(map[ProcessID]*fakeProcess),
	}
	t.Cleanup(m.halt)
	return m
}

// agent gives the program that is run by hand or by Windows.
func (m *machine) agent(version string) *Agent { return m.program(version, true) }

func (m *machine) program(version string, byHand bool) *Agent {
	a := m.limits
	a.System, a.Version = view{m, byHand}, version
	a.StartLimit = cmp.Or(a.StartLimit, 30*time.Second)
	if a.dial == nil {
		a.dial = dialNobody
	}
	return &a
}

// view is the machine as one program sees it, by hand or as the service.
type view struct {
	*machine
	byHand bool
}

func (m *machine) Layout() Layout {
	return Layout{Program: filepath.Join(m.dir, "Program", "Agent"), Data: filepath.Join(m.dir, "Data"), Executable: "agent", Surfaces: m.surfaces, LoginPlugin: filepath.Join(m.dir, macos.Plugin)}
}

// call is the beginning of every request to the system. Only those made by
// hand are counted: the service's come whenever they like.
func (m view) call() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byHand {
		m.calls++
		if m.powerCut != 0 && m.calls >= m.powerCut {
			m.dark = true
			panic(errPowerCut)
		}
	} else if m.dark {
		runtime.Goexit()
	}
}

// halt ends whatever runs.
func (m *machine) halt() {
	_ = view{machine: m}.StopService(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.processes = make(map[ProcessID]*fakeProcess)
}

// restart is a new boot: nothing runs but the registered service.
func (m *machine) restart() {
	m.halt()
	m.powerCut, m.dark = 0, false
	m.boots++
	if m.registered != "" {
		_ = view{machine: m}.StartService(context.Background())
	}
}

// tree is everything on the disk, but for logs and what the service reports;
// files that hold times are there by name.
func (m *machine) tree() map[string]string {
	files := map[string]string{"service": m.registered}
	if m.tile != nil {
		files["tile"] = m.tile.registration().DLL
	}
	err := filepath.WalkDir(m.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(m.dir, path)
		switch {
		case e.IsDir():
			files[rel] = "folder"
			return nil
		case filepath.Ext(rel) == ".jsonl", e.Name() == "report.json", e.Name() == "install.json", e.Name() == "tile.json", e.Name() == "device.key":
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && filepath.Ext(rel) == ".tmp" {
			return nil // the service was just writing it, and has renamed it
		}
		files[rel] = string(data)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return files
}

func (m view) Arch() (string, error) { m.call(); return m.arch, nil }

func (m view) MakeFolder(dir string, _ Readers) error {
	m.call()
	return os.MkdirAll(dir, 0o755)
}

func (m view) RemoveAll(path string) error { m.call(); return os.RemoveAll(path) }

func (m view) Lock(ctx context.Context, file string) (func(bool) error, error) {
	m.call()
	select {
	case m.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ErrBusy
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		<-m.lock
		return nil, err
	}
	return func(remove bool) error {
		<-m.lock
		if remove {
			return os.Remove(file)
		}
		return nil
	}, nil
}

func (m view) Facts() (api.Facts, error) {
	if m.login != nil {
		return api.Facts{Platform: api.MacOS, Serial: "SN-1", Name: "ACME-1", OS: "macOS", OSVersion: "15.0", Arch: m.arch, Encrypted: m.login.encrypted}, nil
	}
	return api.Facts{Platform: api.Windows, Serial: "SN-1", Name: "ACME-1", OS: "Windows 11 Pro", OSVersion: "10.0.26100", Arch: m.arch}, nil
}

func (m view) OpenTPM() (transport.TPMCloser, error) {
	if m.tpm == nil {
		return nil, devicekey.ErrNoTPM
	}
	return m.tpm()
}

func (m view) Accounts() (accounts.Store, error) { return m.accounts, nil }

func (m view) BootID() string { return fmt.Sprint("boot ", m.boots) }

func (m view) Journal() (slog.Handler, func() error, error) { return nil, nil, ErrUnsupported }

func (m view) ServiceState(context.Context) (ServiceState, error) {
	m.call()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.registered == "":
		return ServiceMissing, nil
	case m.stop == nil:
		return ServiceStopped, nil
	}
	return ServiceRunning, nil
}

func (m view) Registered(program string) (bool, error) {
	m.call()
	return m.registered == program, nil
}

func (m view) Register(_ context.Context, program string) error {
	m.call()
	m.registered = program
	return nil
}

func (m view) StartService(context.Context) error {
	m.call()
	program, err := os.ReadFile(m.registered)
	if err != nil {
		return err
	}
	version, ok := strings.CutPrefix(string(program), "agent ")
	if !ok {
		return fmt.Errorf("%s is not a program", m.registered)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.ended = cancel, make(chan struct{})
	go func() {
		defer close(m.ended)
		if raw, err := os.ReadFile(m.Layout().Enrollment()); m.hangsOn != "" && err == nil && strings.Contains(string(raw), m.hangsOn) {
			<-ctx.Done()
			return
		}
		if err := m.program(version, false).Run(ctx); err != nil {
			m.t.Errorf("service: %v", err)
		}
	}()
	return nil
}

func (m view) StopService(context.Context) error {
	if m.byHand { // or the power is gone
		m.call()
	}
	m.mu.Lock()
	stop, ended := m.stop, m.ended
	m.stop = nil
	m.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
	return nil
}

func (m view) Unregister(ctx context.Context) error {
	if err := m.StopService(ctx); err != nil {
		return err
	}
	m.registered = ""
	return nil
}

// fakeProcess ends when told to.
type fakeProcess struct {
	id   ProcessID
	done chan struct{}
	code int
	once sync.Once
}

func (m view) StartPayload(_, path, _ string) (Process, error) {
	m.call()
	name := filepath.Base(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid++
	p := &fakeProcess{id: ProcessID{PID: m.pid, Created: int64(m.pid)}, done: make(chan struct{})}
	m.ran = append(m.ran, name)
	m.processes[p.id] = p
	b := m.installers[name]
	if b == nil {
		b = &installer{}
	}
	if len(b.codes) > 0 {
		p.code = b.codes[0]
	}
	if len(b.codes) > 1 {
		b.codes = b.codes[1:]
	}
	if !b.hangs {
		p.end()
	}
	return p, nil
}

func (m *machine) started() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ran)
}

// finish lets every hanging payload end.
func (m *machine) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.processes {
		p.end()
	}
}

func (m view) FindProcess(id ProcessID) (Process, error) {
	m.call()
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.processes[id]; p != nil {
		return p, nil
	}
	return nil, ErrNoProcess
}

func (p *fakeProcess) end()          { p.once.Do(func() { close(p.done) }) }
func (p *fakeProcess) ID() ProcessID { return p.id }
func (p *fakeProcess) Kill() error   { p.end(); return nil }
func (p *fakeProcess) Close() error  { return nil }

func (p *fakeProcess) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.code, nil
	case <-ctx.Done():
	}
	select {
	case <-p.done: // what has ended has ended, however late it is
		return p.code, nil
	default:
		return 0, ctx.Err()
	}
}
