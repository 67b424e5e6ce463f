package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"unsafe"

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
	created, err := createSuspended(program, line, filepath.Dir(path))
	if err != nil {
		return nil, &fs.PathError{Op: "run", Path: program, Err: err}
	}
	defer func() { _ = windows.CloseHandle(created.Thread) }()
	p := &payloadProcess{process: created.Process, job: putIntoJob(created.Process)}
	if p.id, err = processID(p.process, int(created.ProcessId)); err == nil {
		_, err = windows.ResumeThread(created.Thread)
	}
	if err != nil {
		return nil, errors.Join(err, p.Kill(), p.Close())
	}
	return p, nil
}

// createSuspended makes a process that does not run yet, so that no child of
// it escapes its job. The command line goes through as it is, which os/exec
// would do too, but not this.
func createSuspended(program, line, dir string) (*windows.ProcessInformation, error) {
	var texts [3]*uint16
	for i, s := range []string{program, line, dir} {
		text, err := windows.UTF16PtrFromString(s)
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	startup := &windows.StartupInfo{Flags: windows.STARTF_USESHOWWINDOW, ShowWindow: windows.SW_HIDE}
	startup.Cb = uint32(unsafe.Sizeof(*startup))
	created := new(windows.ProcessInformation)
	const flags = windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP
	return created, windows.CreateProcess(texts[0], texts[1], nil, nil, false, flags, nil, texts[2], startup, created)
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
		windows.SYNCHRONIZE
	h, err := windows.OpenProcess(access, false, uint32(pid))
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", pid, err)
	}
	id, err := processID(h, pid)
	if err != nil {
		return nil, errors.Join(err, windows.CloseHandle(h))
	}
	return &payloadProcess{id: id, process: h}, nil
}

func processID(h windows.Handle, pid int) (ProcessID, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return ProcessID{}, fmt.Errorf("reading the times of process %d: %w", pid, err)
	}
	return ProcessID{PID: pid, Created: created.Nanoseconds()}, nil
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
