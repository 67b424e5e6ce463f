package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/codesign"
	"firstday.dev/agent/preflight"
	"firstday.dev/agent/program"
	"firstday.dev/internal/propertylist"
	"firstday.dev/templates/macos"
)

// watchAgent has launchd start the second watchdog beside each login window.
const watchAgent = macos.LoginJobFolder + "/" + macos.LabelPrefix + "login-watch.plist"

// loginWindow is the running macOS'.
type loginWindow struct {
	program.System
	authdb.Bundle

	arch string
}

// LoginWindow is not there for a system that does not run: nothing can change its
// database.
func (s darwinSystem) LoginWindow() LoginWindow {
	if s.root != "" {
		return nil
	}
	arch, _ := s.Arch() // never fails
	return loginWindow{Bundle: authdb.InstalledBundle(), arch: arch}
}

func (loginWindow) Build() (string, error) { return unix.Sysctl("kern.osversion") }

func (loginWindow) Awake() time.Duration {
	const uptimeRaw = 8 // CLOCK_UPTIME_RAW, which stands while the Mac sleeps
	var t unix.Timespec
	if err := unix.ClockGettime(uptimeRaw, &t); err != nil {
		panic(err) // time.h knows it since macOS 10.12
	}
	return time.Duration(t.Nano())
}

func (loginWindow) Seats() (Seats, error) {
	list, err := guiProcesses()
	if err != nil {
		return Seats{}, err
	}
	s := seatsOf(list)
	if s.Window != "" { // else nobody wants to know, and a program is run for it
		s.Idle = idleTime()
	}
	return s, nil
}

func guiProcesses() ([]guiProcess, error) {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var list []guiProcess
	for _, p := range all {
		name, _, _ := bytes.Cut(p.Proc.P_comm[:], []byte{0})
		list = append(list, guiProcess{string(name), int(p.Proc.P_pid), p.Eproc.Ucred.Uid, p.Proc.P_starttime.Nano()})
	}
	return list, nil
}

// idleTime is how long keyboard and pointer were left alone; none if nobody says.
func idleTime() time.Duration {
	var found []struct {
		Idle uint64 `plist:"HIDIdleTime"` // ns
	}
	out := ask("/usr/sbin/ioreg", "-a", "-d1", "-r", "-c", "IOHIDSystem")
	if propertylist.Unmarshal([]byte(out), &found) != nil || len(found) == 0 {
		return 0
	}
	return time.Duration(min(found[0].Idle, uint64(time.Hour)))
}

// endTime is what a login window gets to end by itself.
const endTime = 3 * time.Second

// Restart ends one process, and no other: killall would end those of all sessions.
func (loginWindow) Restart(window string) error {
	pid, err := pidOf(window)
	if err != nil || pid == 0 {
		return err
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for end := time.Now().Add(endTime); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if pid, err := pidOf(window); err != nil || pid == 0 {
			return err
		}
	}
	if pid, err = pidOf(window); err != nil || pid == 0 {
		return err
	}
	return unix.Kill(pid, unix.SIGKILL)
}

// pidOf is the process of a login window that still waits, 0 if none does.
func pidOf(window string) (int, error) {
	list, err := guiProcesses()
	if err != nil {
		return 0, err
	}
	for _, p := range list {
		if p.name == "loginwindow" && p.uid == 0 && p.window() == window {
			return p.pid, nil
		}
	}
	return 0, nil
}

func (loginWindow) Watched() error {
	info, err := os.Lstat(watchAgent)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*unix.Stat_t); ok && st.Uid != 0 || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not root's alone", watchAgent)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// After an upgrade that was taken back, it would start an agent that is gone.
	same, err := sameFile(watchAgent, macos.LoginJobs(self)[watchAgent])
	if err == nil && !same {
		err = fmt.Errorf("%s does not start this agent", watchAgent)
	}
	return err
}

func (w loginWindow) program() string {
	return filepath.Join(authdb.BundlePath, "Contents", "MacOS", "FirstdayLogin")
}

// maxProgram bounds the plug-in's code, in bytes; it has some hundred thousand.
const maxProgram = 16 << 20

func (w loginWindow) Key() (string, error) {
	info, err := os.Lstat(w.program())
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProgram {
		return "", fmt.Errorf("%s is no program of ours", w.program())
	}
	data, err := os.ReadFile(w.program())
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// preflightTime bounds the process that loads the plug-in.
const preflightTime = 30 * time.Second

func (w loginWindow) Preflight(ctx context.Context, version string) []preflight.Check {
	return preflight.Plugin{
		Path: authdb.BundlePath, Version: version, Arch: w.arch, Files: w.Bundle, Signed: codesign.Signed, Load: loadApart,
	}.Checks(ctx)
}

// loadApart has this program load the plug-in in another process.
func loadApart(ctx context.Context, program string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, preflightTime)
	defer cancel()
	c := exec.CommandContext(ctx, self, "login-window", "preflight", program)
	c.Env, c.Dir, c.WaitDelay = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"}, "/", time.Second
	_, err = tool(c)
	if ctx.Err() != nil {
		return fmt.Errorf("the plug-in did not answer within %v", preflightTime)
	}
	return err
}

// RemovePlugin leaves the folders, which are macOS'.
func (loginWindow) RemovePlugin() error {
	for _, path := range append([]string{authdb.BundlePath}, slices.Sorted(maps.Keys(macos.LoginJobs("")))...) {
		if err := os.RemoveAll(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
