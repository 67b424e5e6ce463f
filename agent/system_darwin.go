package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/templates/macos"
	"golang.org/x/sys/unix"
)

const launchdTarget = "system/" + macos.Label

func launchctl(ctx context.Context, args ...string) (string, error) {
	return tool(exec.CommandContext(ctx, "/bin/launchctl", args...))
}

type darwinSystem struct{ unixSystem }

// Open gives the running system, or, with a root, the file system tree of one
// that is not running: everything is put in place below root, and nothing is
// started.
func Open(root string) (System, error) {
	s, err := newUnixSystem(root, Layout{
		Program:    macos.ProgramFolder,
		Data:       macos.DataFolder,
		Executable: macos.Executable,
		Surfaces:   "/var/run/firstday/agent.sock",

		LoginPlugin: macos.PluginPath,
	})
	if err != nil {
		return nil, err
	}
	return darwinSystem{s}, nil
}

// Arch sees through Rosetta, which translates amd64 programs on arm64.
func (darwinSystem) Arch() (string, error) {
	if translated, err := unix.SysctlUint32("sysctl.proc_translated"); err == nil && translated == 1 {
		return "arm64", nil
	}
	return runtime.GOARCH, nil
}

// BootID is the kernel's.
func (darwinSystem) BootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}

func (s darwinSystem) ServiceState(ctx context.Context) (ServiceState, error) {
	if s.root != "" {
		return ServiceOffline, nil
	}
	out, err := launchctl(ctx, "print", launchdTarget)
	if err != nil { // it says nothing else about a job that is not loaded
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if _, err := os.Lstat(macos.DaemonPath); errors.Is(err, fs.ErrNotExist) {
			return ServiceMissing, nil
		}
		return ServiceStopped, nil
	}
	if strings.Contains(out, "\tstate = running\n") {
		return ServiceRunning, nil
	}
	return ServiceStarting, nil // KeepAlive brings it up again
}

func (s darwinSystem) Registered(program string) (bool, error) {
	name, err := s.installed(program)
	if err != nil {
		return false, err
	}
	return sameFile(s.path(macos.DaemonPath), macos.LaunchDaemon(name))
}

func (s darwinSystem) Register(ctx context.Context, program string) error {
	name, err := s.installed(program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path(macos.DaemonPath)), 0o755); err != nil {
		return err
	}
	// A job that is loaded keeps its old definition: StartService loads it anew.
	if err := s.StopService(ctx); err != nil {
		return err
	}
	return atomicfile.WriteFile(s.path(macos.DaemonPath), macos.LaunchDaemon(name), 0o644)
}

func (s darwinSystem) StartService(ctx context.Context) error {
	state, err := s.ServiceState(ctx)
	if err != nil || state == ServiceOffline || state == ServiceRunning || state == ServiceStarting {
		return err
	}
	// Somebody may have disabled it; that would outlive a new definition.
	if _, err := launchctl(ctx, "enable", launchdTarget); err != nil {
		return err
	}
	_, err = launchctl(ctx, "bootstrap", "system", macos.DaemonPath)
	return err
}

func (s darwinSystem) StopService(ctx context.Context) error {
	state, err := s.ServiceState(ctx)
	if err != nil || state == ServiceOffline || state == ServiceMissing || state == ServiceStopped {
		return err
	}
	_, bootout := launchctl(ctx, "bootout", launchdTarget)
	// launchctl may return, even with "operation now in progress", before the
	// job is gone.
	for range 100 {
		if state, err := s.ServiceState(ctx); err != nil || state == ServiceStopped || state == ServiceMissing {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(fmt.Errorf("%s is still loaded", macos.Label), bootout)
}

func (s darwinSystem) Unregister(ctx context.Context) error {
	if err := s.StopService(ctx); err != nil {
		return err
	}
	return removeFile(s.path(macos.DaemonPath))
}

// Accounts are this system's own.
func (s darwinSystem) Accounts() (accounts.Store, error) { return accounts.Open(s.root) }
