package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"firstday.dev/agent/accounts"
	"firstday.dev/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// systemdWants is the link `systemctl enable` makes for the unit.
const systemdWants = "/etc/systemd/system/multi-user.target.wants/" + ServiceName + ".service"

type linuxSystem struct{ unixSystem }

// Open gives the running system, or, with a root, the file system tree of one
// that is not running: everything is put in place below root, and nothing is
// started.
func Open(root string) (System, error) {
	s, err := newUnixSystem(root, Layout{
		Program:    "/opt/firstday/agent",
		Data:       "/var/lib/firstday",
		Executable: "firstday-agent",
		Surfaces:   "/run/firstday/agent.sock",
	})
	if err != nil {
		return nil, err
	}
	return linuxSystem{s}, nil
}

// Arch asks the kernel: this program may run under emulation.
func (linuxSystem) Arch() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	switch machine := unix.ByteSliceToString(name.Machine[:]); machine {
	case "x86_64":
		return "amd64", nil
	case "aarch64":
		return "arm64", nil
	default:
		return machine, nil
	}
}

// BootID is the kernel's.
func (linuxSystem) BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

func (s linuxSystem) ServiceState(ctx context.Context) (ServiceState, error) {
	if s.root != "" {
		return ServiceOffline, nil
	}
	if !systemdRuns() {
		return ServiceMissing, nil
	}
	out, err := systemctl(ctx, "show", "--property=LoadState,ActiveState", ServiceName)
	if err != nil {
		return "", err
	}
	switch {
	case !strings.Contains(out, "LoadState=loaded"):
		return ServiceMissing, nil
	case strings.Contains(out, "ActiveState=active"):
		return ServiceRunning, nil
	case strings.Contains(out, "ActiveState=activating"), strings.Contains(out, "ActiveState=reloading"):
		return ServiceStarting, nil
	case strings.Contains(out, "ActiveState=deactivating"):
		return ServiceStopping, nil
	default:
		return ServiceStopped, nil
	}
}

func systemctl(ctx context.Context, args ...string) (string, error) {
	return tool(exec.CommandContext(ctx, "systemctl", args...))
}

// systemdRuns is sd_booted(3).
func systemdRuns() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

func (s linuxSystem) Registered(program string) (bool, error) {
	name, err := s.installed(program)
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(s.path(systemdWants)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return sameFile(s.path(systemdUnitPath), systemdUnit(name))
}

func (s linuxSystem) Register(ctx context.Context, program string) error {
	if s.root == "" && !systemdRuns() {
		return fmt.Errorf("a system that systemd did not start: %w", ErrUnsupported)
	}
	name, err := s.installed(program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path(systemdWants)), 0o755); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(s.path(systemdUnitPath), systemdUnit(name), 0o644); err != nil {
		return err
	}
	if s.root != "" {
		err := os.Symlink(systemdUnitPath, s.path(systemdWants))
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if _, err := systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	_, err = systemctl(ctx, "enable", "--quiet", ServiceName)
	return err
}

func (s linuxSystem) StartService(ctx context.Context) error {
	if s.root != "" {
		return nil
	}
	_, err := systemctl(ctx, "start", ServiceName)
	return err
}

func (s linuxSystem) StopService(ctx context.Context) error {
	state, err := s.ServiceState(ctx)
	if err != nil || state == ServiceMissing || state == ServiceOffline {
		return err
	}
	_, err = systemctl(ctx, "stop", ServiceName)
	return err
}

func (s linuxSystem) Unregister(ctx context.Context) error {
	if err := errors.Join(removeFile(s.path(systemdWants)), removeFile(s.path(systemdUnitPath))); err != nil {
		return err
	}
	if s.root != "" || !systemdRuns() {
		return nil
	}
	_, err := systemctl(ctx, "daemon-reload")
	return err
}

// Accounts are this system's own.
func (s linuxSystem) Accounts() (accounts.Store, error) { return accounts.Open(s.root) }
