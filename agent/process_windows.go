package agent

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// stillActive is what GetExitCodeProcess says of a running process.
const stillActive = 259

// payloadProcess is a payload, started by this process or by an earlier one.
type payloadProcess struct {
	id      ProcessID
	process windows.Handle
	job     windows.Handle // 0 for one that was found
}

func (windowsSystem) StartPayload(kind, path, arguments string) (Process, error) {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, err
	}
	program, line := payloadCommand(system, kind, path, arguments)
	cmd := exec.Command(program)
	cmd.Dir = filepath.Dir(path)
	// The author's arguments go through as they are: programs for Windows
	// take them apart each in their own way.
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: line, HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = cmd.Process.Release() }() // until then the number is its own
	p, err := openPayload(cmd.Process.Pid)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	p.job = putIntoJob(p.process)
	return p, nil
}

// putIntoJob makes the process's descendants mortal with it. It gives 0 when
// the system refuses: Kill then ends the process alone.
func putIntoJob(process windows.Handle) windows.Handle {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0
	}
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		_ = windows.CloseHandle(job)
		return 0
	}
	return job
}

func openPayload(pid int) (*payloadProcess, error) {
	const access = windows.PROCESS_QUERY_LIMITED_INFORMATION | windows.PROCESS_TERMINATE |
		windows.PROCESS_SET_QUOTA | windows.SYNCHRONIZE
	h, err := windows.OpenProcess(access, false, uint32(pid))
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", pid, err)
	}
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the times of process %d: %w", pid, err), windows.CloseHandle(h))
	}
	return &payloadProcess{id: ProcessID{PID: pid, Created: created.Nanoseconds()}, process: h}, nil
}

func (windowsSystem) FindProcess(id ProcessID) (Process, error) {
	p, err := openPayload(id.PID)
	if err != nil {
		if errors.Is(err, windows.ERROR_INVALID_PARAMETER) { // no process has the number
			return nil, ErrNoProcess
		}
		return nil, err
	}
	if p.id != id {
		return nil, errors.Join(ErrNoProcess, p.Close())
	}
	return p, nil
}

func (p *payloadProcess) ID() ProcessID { return p.id }

func (p *payloadProcess) Wait(ctx context.Context) (int, error) {
	canceled, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = windows.CloseHandle(canceled) }()
	signaled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(signaled)
		_ = windows.SetEvent(canceled)
	})
	event, err := windows.WaitForMultipleObjects([]windows.Handle{p.process, canceled}, false, windows.INFINITE)
	if !stop() {
		<-signaled // the event must not be closed under its feet
	}
	if err != nil {
		return 0, fmt.Errorf("waiting for process %d: %w", p.id.PID, err)
	}
	if event != windows.WAIT_OBJECT_0 {
		return 0, ctx.Err()
	}
	var code uint32
	if err := windows.GetExitCodeProcess(p.process, &code); err != nil {
		return 0, fmt.Errorf("reading the exit code of process %d: %w", p.id.PID, err)
	}
	return int(int32(code)), nil // as installers document them: negative ones exist
}

func (p *payloadProcess) Kill() error {
	var code uint32
	if err := windows.GetExitCodeProcess(p.process, &code); err == nil && code != stillActive {
		return nil
	}
	if p.job != 0 {
		return windows.TerminateJobObject(p.job, 1)
	}
	return windows.TerminateProcess(p.process, 1)
}

func (p *payloadProcess) Close() error {
	err := windows.CloseHandle(p.process)
	if p.job != 0 {
		err = errors.Join(err, windows.CloseHandle(p.job))
	}
	return err
}
