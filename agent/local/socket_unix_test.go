//go:build unix

package local

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Environment of the process that plays somebody else: what it does, and where.
const (
	playRole    = "FIRSTDAY_TEST_PLAY"
	playAddress = "FIRSTDAY_TEST_ADDRESS"
)

// TestMain is also the main function of that process.
func TestMain(m *testing.M) {
	address := os.Getenv(playAddress)
	switch os.Getenv(playRole) {
	case "impostor": // listens until its input ends
		l, err := net.Listen("unix", address)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("ready\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		l.Close()
	case "stranger": // says hello, and tells what comes back
		conn, err := net.Dial("unix", address)
		if err != nil {
			os.Stdout.WriteString(err.Error())
			return
		}
		_, _ = conn.Write([]byte("hello 1 stranger\n"))
		answer := make([]byte, 100)
		n, err := conn.Read(answer)
		os.Stdout.WriteString(string(answer[:n]))
		if err != nil {
			os.Stdout.WriteString("hung up")
		}
	default:
		os.Exit(m.Run())
	}
}

// somebodyElse gives this program, as another user.
func somebodyElse(t *testing.T, role, address string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	program := filepath.Join(filepath.Dir(filepath.Dir(address)), "test")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(program), filepath.Dir(address)} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program)
	cmd.Dir = filepath.Dir(program)
	cmd.Env = append(os.Environ(), playRole+"="+role, playAddress+"="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// What is at the name of the socket is taken for nobody else's.
func TestWhereTheSocketGoes(t *testing.T) {
	for name, c := range map[string]struct {
		before func(path string) error
		want   string // of the error; empty: it listens
	}{
		"nothing": {before: func(string) error { return nil }},
		"its folder": {before: func(path string) error {
			return os.Mkdir(filepath.Dir(path), 0o777)
		}},
		"the socket of one that was killed": {before: func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		}},
		"the socket of one that runs": {before: func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, want: "another service"},
		"a file": {before: func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) }, want: "is not a socket"},
		"a link": {before: func(path string) error { return os.Symlink("/etc/passwd", path) }, want: "is not a socket"},
		"a link for a folder": {before: func(path string) error {
			return os.Symlink("/tmp", filepath.Dir(path))
		}, want: "is not a folder of ours"},
		"a file for a folder": {before: func(path string) error {
			return os.WriteFile(filepath.Dir(path), nil, 0o600)
		}, want: "is not a folder of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			path := testAddress(t)
			if !strings.Contains(name, "folder") && name != "nothing" {
				if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.before(path); err != nil {
				t.Fatal(err)
			}
			l, err := Listen(path, slog.New(slog.DiscardHandler))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			folder, err := os.Stat(filepath.Dir(path))
			if err != nil || folder.Mode().Perm() != folderMode {
				t.Errorf("the folder: %v, %v", folder.Mode(), err)
			}
			socket, err := os.Stat(path)
			if err != nil || socket.Mode().Perm()&0o007 != 0 {
				t.Errorf("the socket: %v, %v", socket.Mode(), err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it leaves its folder: %v", err)
			}
		})
	}
}

func TestFoldersOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	path := testAddress(t)
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.Chown(filepath.Dir(path), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is not a folder of ours") {
		t.Errorf("%v", err)
	}
}

func TestRemoveWhatWasKilled(t *testing.T) {
	path := testAddress(t)
	l, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.(*listener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// logged gives each line of a log.
type logged chan string

func (l logged) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// A late second Close must not take the folder in which the next service is about
// to listen.
func TestCloseRemovesOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firstday", "agent.sock")
	l, err := Listen(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
	if _, err := os.Lstat(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

// Even where a folder's mode would let somebody else in, the service does not.
func TestStrangersAreNoSurfaces(t *testing.T) {
	log := make(logged, 10)
	address := serve(t, &Server{SignIn: newFixed(), Log: slog.New(slog.NewTextHandler(log, nil))})
	cmd := somebodyElse(t, "stranger", address)
	if err := os.Chmod(address, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil || string(out) != "hung up" {
		t.Errorf("a stranger hears %q, %v", out, err)
	}
	select { // it is told before they are hung up on
	case line := <-log:
		if !strings.Contains(line, "uid=65534") {
			t.Errorf("the log does not tell: %s", line)
		}
	default:
		t.Error("the log tells nothing")
	}
	c, err := Dial(t.Context(), address, "terminal")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Nobody types a password into a socket of somebody else.
func TestSurfacesKnowTheService(t *testing.T) {
	address := testAddress(t)
	if err := os.Mkdir(filepath.Dir(address), 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := somebodyElse(t, "impostor", address)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), address, "terminal"); err == nil || !strings.Contains(err.Error(), "user 65534") {
		t.Errorf("an impostor is taken for the service: %v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestNobodyListens(t *testing.T) {
	if _, err := Dial(t.Context(), testAddress(t), "terminal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
