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
	"syscall"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testtool"
	"github.com/google/go-cmp/cmp"
)

// Environment of the process that TestInstallSurvivesBeingKilled kills.
const (
	killAt     = "FIRSTDAY_TEST_KILL_AT"
	killRoot   = "FIRSTDAY_TEST_ROOT"
	killBundle = "FIRSTDAY_TEST_BUNDLE"
)

// TestMain is also the main function of the process that gets killed.
// TestRootsAreNotLeft through links in the tree of another volume.
func TestRootsAreNotLeft(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "var"), 0o755), os.Symlink(outside, filepath.Join(root, "var", "lib"))); err != nil {
		t.Fatal(err)
	}
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.MakeFolder(s.Layout().Data, AdminsOnly); err == nil {
		t.Error("a link is followed")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}

// A lock is of one file: not of one that was removed meanwhile.
func TestRemovedLocksAreNobodys(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := s.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan func(bool) error)
	go func() {
		unlock, err := s.Lock(t.Context(), file)
		if err != nil {
			t.Error(err)
		}
		waiting <- unlock
	}()
	if err := unlock(true); err != nil {
		t.Fatal(err)
	}
	second := <-waiting
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(short, file); !errors.Is(err, ErrBusy) {
		t.Errorf("two have the lock: %v", err)
	}
	if err := second(false); err != nil {
		t.Error(err)
	}
}

func TestMain(m *testing.M) {
	at, ok := os.LookupEnv(killAt)
	if !ok {
		os.Exit(m.Run())
	}
	err := func() error {
		system, err := Open(os.Getenv(killRoot))
		if err != nil {
			return err
		}
		b, err := OpenBundle(os.Getenv(killBundle))
		if err != nil {
			return err
		}
		a := &Agent{System: system, entered: func(p Phase, m moment) {
			if fmt.Sprint(m, " ", p) == at {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}}
		_, err = a.Install(context.Background(), b, InstallOptions{})
		return err
	}()
	fmt.Fprintln(os.Stderr, "it was to be killed", at, err)
	os.Exit(1)
}

// onDisk gives names, modes and contents of everything below root, but for
// logs and times.
func onDisk(t *testing.T, root string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		text := ""
		switch {
		case e.Type() == fs.ModeSymlink:
			if text, err = os.Readlink(path); err != nil {
				return err
			}
		case e.Type().IsRegular() && filepath.Ext(path) != ".jsonl" && e.Name() != "install.json":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = digest(data)
		}
		files[rel] = fmt.Sprint(info.Mode(), " ", text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// offlinePackage is one without payloads: those are for Windows.
func offlinePackage(version string) *api.Enrollment {
	e := sample(version)
	e.Payloads = nil
	return e
}

func installOffline(t *testing.T, root string, b *Bundle) Outcome {
	t.Helper()
	system, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	out, err := (&Agent{System: system}).Install(t.Context(), b, InstallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A real process, a real disk, a real SIGKILL: on a fresh device and in the
// middle of an upgrade.
func TestInstallSurvivesBeingKilled(t *testing.T) {
	old, next := deliver(t, offlinePackage("1.2.3")), deliver(t, offlinePackage("1.3.0"))
	undisturbed := t.TempDir()
	installOffline(t, undisturbed, next)
	want := onDisk(t, undisturbed)
	for _, from := range []*Bundle{nil, old} {
		for _, at := range []string{
			"before copy", "after copy", "before configure", "after configure", "before register", "after register",
			"before tidy", "after tidy",
		} {
			if from == nil && strings.HasSuffix(at, "tidy") {
				continue // nothing to tidy
			}
			t.Run(fmt.Sprintf("%s, upgrade %v", at, from != nil), func(t *testing.T) {
				root := t.TempDir()
				if from != nil {
					installOffline(t, root, from)
				}
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), killAt+"="+at, killRoot+"="+root,
					killBundle+"="+filepath.Join(next.root.Name(), api.EnrollmentFile))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("not killed: %v\n%s", err, out)
				}
				installOffline(t, root, next)
				if diff := cmp.Diff(want, onDisk(t, root)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if out := installOffline(t, root, next); out.Changed {
					t.Error("the next run still changed something")
				}
			})
		}
	}
}

func TestInstallBelowARoot(t *testing.T) {
	root := t.TempDir()
	b := deliver(t, offlinePackage("1.2.3"))
	installOffline(t, root, b)
	want := map[string]string{
		"etc/systemd/system/firstday-agent.service":                         "-rw-r--r--",
		"etc/systemd/system/multi-user.target.wants/firstday-agent.service": "Lrwxrwxrwx",
		"opt/firstday/agent":                      "drwxr-xr-x",
		"opt/firstday/agent/1.2.3":                "drwxr-xr-x",
		"opt/firstday/agent/1.2.3/firstday-agent": "-rwxr-xr-x",
		"var/lib/firstday":                        "drwx------",
		"var/lib/firstday/enrollment.json":        "-rw-------",
		"var/lib/firstday/install.json":           "-rw-------",
		"var/lib/firstday/install.lock":           "-rw-------",
		"var/lib/firstday/log/install.jsonl":      "-rw-------",
	}
	got := onDisk(t, root)
	for name, mode := range want {
		if !strings.HasPrefix(got[name], mode+" ") {
			t.Errorf("%s: %q, want %s", name, got[name], mode)
		}
	}
	system, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Agent{System: system}).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, what := range onDisk(t, root) {
		if !strings.HasPrefix(what, "d") || strings.Contains(name, "firstday") {
			t.Errorf("left: %s %s", name, what)
		}
	}
}

func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze := testtool.Need(t, "systemd-analyze")
	dir := t.TempDir()
	program := filepath.Join(dir, "1.2.3-rc.1+build", "firstday-agent")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, ServiceName+".service")
	if err := os.WriteFile(unit, systemdUnit(program), 0o644); err != nil {
		t.Fatal(err)
	}
	// It also looks for the program.
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestForeignDataFolderIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to somebody else")
	}
	root := t.TempDir()
	system, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	data := system.Layout().Data
	if err := errors.Join(os.MkdirAll(data, 0o777), os.Chown(data, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Agent{System: system}).Install(t.Context(), deliver(t, offlinePackage("1.2.3")), InstallOptions{}); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(os.Remove(data), os.Symlink(t.TempDir(), data)); err != nil {
		t.Fatal(err)
	}
	if err := system.MakeFolder(data, AdminsOnly); err == nil {
		t.Error("a link was accepted")
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	system, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := system.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := system.Lock(ctx, file); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := unlock(false); err != nil {
		t.Fatal(err)
	}
	unlock, err = system.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}
