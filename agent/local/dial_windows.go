package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Dial connects to the service, and makes sure that it is the agent's: a process
// of SYSTEM. Anybody could have made a pipe of its name before it started.
func Dial(ctx context.Context, name, surface string) (*Client, error) {
	c, err := dial(ctx, name)
	if err != nil {
		return nil, err
	}
	var pid uint32
	err = windows.GetNamedPipeServerProcessId(c.handle, &pid)
	if err == nil {
		err = checkServer(pid)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a pipe of the agent's service: %w", name, err), c.Close())
	}
	return NewClient(ctx, c, surface)
}

// busyPause is how long to wait for an instance when all have a client.
const busyPause = 50 * time.Millisecond

// dial opens the pipe. Who serves it may learn who we are, but not act for us.
func dial(ctx context.Context, name string) (*conn, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	const identify = windows.SECURITY_SQOS_PRESENT | windows.SECURITY_IDENTIFICATION
	for {
		h, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED|identify, 0)
		if err == nil {
			return newConn(h, name), nil
		}
		if !errors.Is(err, windows.ERROR_PIPE_BUSY) {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// checkServer refuses processes that do not run as SYSTEM.
func checkServer(pid uint32) error {
	return withToken(pid, func(t windows.Token) error {
		user, err := t.GetTokenUser()
		if err != nil {
			return os.NewSyscallError("GetTokenInformation", err)
		}
		if !user.User.Sid.IsWellKnown(windows.WinLocalSystemSid) {
			return fmt.Errorf("its process %d runs as %s", pid, user.User.Sid)
		}
		return nil
	})
}

// checkClient refuses processes that run neither as SYSTEM nor with the rights
// of an administrator. The pipe's access says the same; this is for who changes
// it.
func checkClient(pid uint32) error {
	return withToken(pid, func(t windows.Token) error {
		user, err := t.GetTokenUser()
		if err != nil {
			return os.NewSyscallError("GetTokenInformation", err)
		}
		if user.User.Sid.IsWellKnown(windows.WinLocalSystemSid) {
			return nil
		}
		groups, err := t.GetTokenGroups()
		if err != nil {
			return os.NewSyscallError("GetTokenInformation", err)
		}
		for _, g := range groups.AllGroups() {
			if g.Attributes&windows.SE_GROUP_ENABLED != 0 && g.Sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
				return nil
			}
		}
		return fmt.Errorf("its process %d runs as %s, without the rights of an administrator", pid, user.User.Sid)
	})
}

// withToken looks at the token of a process.
func withToken(pid uint32, look func(windows.Token) error) error {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return os.NewSyscallError("OpenProcess", err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing was written through it
	var t windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &t); err != nil {
		return os.NewSyscallError("OpenProcessToken", err)
	}
	defer t.Close() //nolint:errcheck // nothing was written through it
	return look(t)
}
