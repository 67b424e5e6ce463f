package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"firstday.dev/agent/accounts"
)

const (
	// eventSource is our name in the Application event log.
	eventSource    = "Firstday"
	eventSourceKey = `SYSTEM\CurrentControlSet\Services\EventLog\Application\` + eventSource

	// stopPatience is how long a service may take to end by itself; its
	// payloads are not waited for.
	stopPatience = 30 * time.Second
)

// withService opens our service for fn. Without one it gives
// ERROR_SERVICE_DOES_NOT_EXIST.
func withService(fn func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connecting to the service manager: %w", err)
	}
	s, err := m.OpenService(ServiceName)
	if err != nil {
		return errors.Join(err, m.Disconnect())
	}
	return errors.Join(fn(s), s.Close(), m.Disconnect())
}

func isMissing(err error) bool { return errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) }

// isDisappearing: deleted, but somebody still holds a handle.
func isDisappearing(err error) bool { return errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) }

func (windowsSystem) ServiceState(context.Context) (state ServiceState, err error) {
	err = withService(func(s *mgr.Service) error {
		status, err := s.Query()
		switch status.State {
		case svc.Running:
			state = ServiceRunning
		case svc.StartPending:
			state = ServiceStarting
		case svc.StopPending:
			state = ServiceStopping
		default:
			state = ServiceStopped
		}
		return err
	})
	if isMissing(err) {
		return ServiceMissing, nil
	}
	return state, err
}

func (windowsSystem) Registered(program string) (same bool, err error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, eventSourceKey, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := key.Close(); err != nil {
		return false, err
	}
	err = withService(func(s *mgr.Service) error {
		same, err = isConfigured(s, program)
		return err
	})
	if isMissing(err) {
		return false, nil
	}
	return same, err
}

func (w windowsSystem) Register(ctx context.Context, program string) error {
	err := eventlog.InstallAsEventCreate(eventSource, eventlog.Info|eventlog.Warning|eventlog.Error)
	if err != nil && !eventSourceExists() {
		return fmt.Errorf("registering the event source: %w", err)
	}
	for {
		err := register(program)
		if !isDisappearing(err) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func eventSourceExists() bool {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, eventSourceKey, registry.QUERY_VALUE)
	return err == nil && key.Close() == nil
}

func register(program string) error {
	change := func(s *mgr.Service) error { return configure(s, program) }
	err := withService(change)
	if !isMissing(err) {
		return err
	}
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connecting to the service manager: %w", err)
	}
	s, err := m.CreateService(ServiceName, program, mgr.Config{StartType: mgr.StartAutomatic, ErrorControl: mgr.ErrorNormal}, "run")
	if err != nil {
		return errors.Join(fmt.Errorf("creating the service: %w", err), m.Disconnect())
	}
	return errors.Join(change(s), s.Close(), m.Disconnect())
}

func (windowsSystem) StartService(context.Context) error {
	return withService(func(s *mgr.Service) error {
		err := s.Start()
		if errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return nil
		}
		return err
	})
}

func (windowsSystem) StopService(ctx context.Context) error {
	err := withService(func(s *mgr.Service) error {
		status, err := s.Query()
		if err != nil || status.State == svc.Stopped {
			return err
		}
		process, err := openService(status.ProcessId)
		if errors.Is(err, errNoSuchProcess) {
			return nil
		}
		defer process.close()
		patient, cancel := context.WithTimeout(ctx, stopPatience)
		defer cancel()
		err = process.stop(patient, s)
		if err != nil && patient.Err() != nil && ctx.Err() == nil {
			// Its successor, or the one before it, must be able to run.
			return process.end(err)
		}
		return err
	})
	if isMissing(err) || isDisappearing(err) {
		return nil
	}
	return err
}

// serviceProcess is the process behind a service, 0 if it could not be opened.
type serviceProcess windows.Handle

// errNoSuchProcess: the service has died, and its manager has not heard of it.
var errNoSuchProcess = errors.New("the service's process has ended")

func openService(pid uint32) (serviceProcess, error) {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_TERMINATE, false, pid)
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) && pid != 0 {
		return 0, errNoSuchProcess
	}
	if err != nil {
		return 0, err
	}
	return serviceProcess(h), nil
}

func (p serviceProcess) close() {
	if p != 0 {
		_ = windows.CloseHandle(windows.Handle(p))
	}
}

// stop asks the service to stop until its process is gone: only then are its files
// free. The service manager may hear of that later: Wine's does not at all.
func (p serviceProcess) stop(ctx context.Context, s *mgr.Service) error {
	for {
		if p != 0 && p.gone() {
			return nil
		}
		status, err := s.Query()
		if err != nil {
			return err
		}
		if status.State == svc.Stopped && p.gone() {
			return nil
		}
		if status.State == svc.Running {
			_, err := s.Control(svc.Stop)
			if err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) && !errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL) {
				return err
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the service does not stop: %w", ctx.Err())
		}
	}
}

// end terminates a process that does not listen.
func (p serviceProcess) end(deaf error) error {
	if p == 0 {
		return deaf
	}
	if err := windows.TerminateProcess(windows.Handle(p), 1); err != nil {
		return errors.Join(deaf, err)
	}
	_, err := windows.WaitForSingleObject(windows.Handle(p), uint32(stopPatience.Milliseconds()))
	return err
}

func (p serviceProcess) gone() bool {
	if p == 0 {
		return true
	}
	event, err := windows.WaitForSingleObject(windows.Handle(p), 0)
	return err != nil || event == windows.WAIT_OBJECT_0
}

func (w windowsSystem) Unregister(ctx context.Context) error {
	if err := w.StopService(ctx); err != nil {
		return err
	}
	err := withService((*mgr.Service).Delete)
	if err != nil && !isMissing(err) && !isDisappearing(err) {
		return err
	}
	if err := removeBootKey(); err != nil {
		return err
	}
	if err := errors.Join(accounts.OpenOwn(accounts.OwnName, w.layout.WindowAccount()).Remove(), accounts.OpenOwn(accounts.PagesName, w.layout.PagesAccount()).Remove()); err != nil {
		return err
	}
	if !eventSourceExists() {
		return nil
	}
	if err := eventlog.Remove(eventSource); err != nil {
		return fmt.Errorf("removing the event source: %w", err)
	}
	return nil
}
