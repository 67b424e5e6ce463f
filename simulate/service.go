package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/logon"
	"firstday.dev/api"
	"firstday.dev/internal/propertylist"
	"firstday.dev/templates/macos"
)

// service is the agent at work, in a goroutine of this process.
type service struct {
	cancel context.CancelFunc
	ended  chan struct{}
	began  time.Time
}

// since tells when the service that runs was started; never, if none does.
func (m *Machine) since() (began time.Time, runs bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.service == nil {
		return began, false
	}
	return m.service.began, true
}

// registered is the name of the program that the service manager would start, ""
// if there is no service. Windows keeps it in its registry, macOS in a property
// list on the disk.
func (m *Machine) registered() (string, error) {
	if m.Device().Platform == api.MacOS {
		return m.daemonProgram()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Service, nil
}

// daemon is what launchd reads of a job.
type daemon struct {
	Label            string   `plist:"Label"`
	Program          string   `plist:"Program"`
	ProgramArguments []string `plist:"ProgramArguments"`
}

// maxDaemon bounds the property list of a job, in bytes.
const maxDaemon = 256 << 10

func (m *Machine) readDaemon(name string) (*daemon, error) {
	f, err := m.disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDaemon+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxDaemon {
		return nil, fmt.Errorf("%s is larger than %d bytes", m.shown(name), maxDaemon)
	}
	d := new(daemon)
	if err := propertylist.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("%s: %w", m.shown(name), err)
	}
	return d, nil
}

func (m *Machine) daemonProgram() (string, error) {
	d, err := m.readDaemon(macos.DaemonPath[1:])
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if len(d.ProgramArguments) != 2 || d.ProgramArguments[1] != "run" || !path.IsAbs(d.ProgramArguments[0]) {
		return "", fmt.Errorf("%s does not run the agent", macos.DaemonPath)
	}
	return path.Clean(d.ProgramArguments[0])[1:], nil
}

func (s system) ServiceState(context.Context) (agent.ServiceState, error) {
	name, err := s.registered()
	if err != nil || name == "" {
		return agent.ServiceMissing, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.service == nil {
		return agent.ServiceStopped, nil
	}
	select {
	case <-s.service.ended:
		return agent.ServiceStopped, nil
	default:
		return agent.ServiceRunning, nil
	}
}

func (s system) Registered(program string) (bool, error) {
	name, err := s.name(program)
	if err != nil {
		return false, err
	}
	if s.Device().Platform != api.MacOS {
		registered, err := s.registered()
		return registered == name, err
	}
	is, err := s.disk.ReadFile(macos.DaemonPath[1:])
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(is, macos.LaunchDaemon("/"+name)), err
}

func (s system) Register(ctx context.Context, program string) error {
	name, err := s.name(program)
	if err != nil {
		return err
	}
	if s.Device().Platform == api.MacOS {
		if err := s.StopService(ctx); err != nil { // as launchd's jobs keep their old definition
			return err
		}
		if err := s.makeFolders(path.Dir(macos.DaemonPath[1:])); err != nil {
			return err
		}
		err = s.disk.WriteFile(macos.DaemonPath[1:], macos.LaunchDaemon("/"+name), 0o644)
	} else {
		err = s.change(func(st *state) error { st.Service = name; return nil })
	}
	if err != nil {
		return err
	}
	s.told.good(StepService, "service "+agent.ServiceName+" is registered", s.shown(name)+" run")
	return nil
}

// StartService runs the agent as the service manager would: the program must be
// there. What runs is this process' own agent, under the version of the one that
// is installed.
func (s system) StartService(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := s.registered()
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("%w: there is no service to start", agent.ErrNotInstalled)
	}
	info, err := os.Lstat(s.program(name))
	if err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("the service manager finds no program %s: %w", s.shown(name), errors.Join(err, agent.ErrNotInstalled))
	}
	version := path.Base(path.Dir(name))
	if !api.IsVersion(version) {
		return fmt.Errorf("%s: %.60q is not a version of the agent", s.shown(name), version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.service != nil {
		select {
		case <-s.service.ended:
		default:
			return nil
		}
	}
	// It outlives whoever starts it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.service = &service{cancel: cancel, ended: make(chan struct{}), began: time.Now().Truncate(time.Millisecond)}
	go func(ended chan struct{}) {
		defer close(ended)
		if err := s.agent(version).Run(running); err != nil {
			s.told.failed(StepService, "the service ended", err)
		}
	}(s.service.ended)
	s.told.good(StepService, "service "+agent.ServiceName+" is started", "agent "+version)
	return nil
}

// agent is the real one, on this device.
func (m *Machine) agent(version string) *agent.Agent {
	a := &agent.Agent{System: m.System(), Version: version, SignIn: m.signIn.show}
	if m.Device().Platform == api.MacOS {
		a.Pack = logon.PackPair
	}
	return a
}

func (s system) StopService(context.Context) error { s.stop(); return nil }

// stop ends the service and waits for it.
func (m *Machine) stop() {
	m.mu.Lock()
	running := m.service
	m.service = nil
	m.mu.Unlock()
	if running != nil {
		running.cancel()
		<-running.ended
		m.signIn.show(nil)
	}
}

func (s system) Unregister(ctx context.Context) error {
	if err := s.StopService(ctx); err != nil {
		return err
	}
	if s.Device().Platform != api.MacOS {
		return s.change(func(st *state) error { st.Service = ""; return nil })
	}
	err := s.disk.Remove(macos.DaemonPath[1:])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
