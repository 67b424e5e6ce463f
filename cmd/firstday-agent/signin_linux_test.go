package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testroot"
)

// beAgent makes the test's program the agent's.
const beAgent = "FIRSTDAY_TEST_BE_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(beAgent) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

func agentCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), beAgent+"=1", "TERM=xterm")
	return cmd
}

// laptop is a Linux system of files whose agent runs, as a process of its own,
// with the accounts of the system.
type laptop struct {
	t    *testing.T
	root string
	// kill ends the service without notice.
	kill func()
}

func newLaptop(t *testing.T, d *testdirectory.Service) *laptop {
	t.Helper()
	l := &laptop{t: t, root: testroot.New(t)}
	e := api.Enrollment{
		Version: api.EnrollmentVersion, Organisation: "Acme", Directory: d.At, ConnectKey: d.MustMint(api.NewConnectKey{}),
		PackageID: uuid.New(), PackageName: "Acme laptops", PackageVer: "1.0", SignIn: api.SignIn{Enabled: true, Permission: "standard"},
		Agents: []api.AgentFile{{File: "firstday-agent", Arch: "amd64", Version: "1.2.3", SHA256: strings.Repeat("ab", 32)}},
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(l.root, "var/lib/firstday")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, api.EnrollmentFile), data, 0o600)); err != nil {
		t.Fatal(err)
	}
	l.start()
	return l
}

// start starts the service, which runs until the test ends or it is killed.
func (l *laptop) start() {
	l.t.Helper()
	service := agentCommand(l.t, "run", "--foreground", "--root", l.root)
	var log bytes.Buffer
	service.Stderr = &log
	if err := service.Start(); err != nil {
		l.t.Fatal(err)
	}
	killed := false
	l.kill = func() {
		killed = true
		_ = service.Process.Kill()
		_ = service.Wait()
	}
	l.t.Cleanup(func() {
		if killed {
			return
		}
		_ = service.Process.Signal(os.Interrupt)
		if err := service.Wait(); err != nil || l.t.Failed() {
			l.t.Errorf("the service: %v\n%s", err, &log)
		}
	})
}

// shows waits until surfaces see a state.
func (l *laptop) shows(state signin.State) *local.Screen {
	l.t.Helper()
	var c *local.Client
	waitUntil(l.t, "the agent to listen", func() (ok bool) {
		var err error
		c, err = local.Dial(l.t.Context(), filepath.Join(l.root, "run/firstday/agent.sock"), "test")
		return err == nil
	})
	defer c.Close()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	for serial := int64(0); ; {
		s, err := c.Next(ctx, serial)
		if err != nil {
			l.t.Fatalf("waiting for the screen %s: %v", state, err)
		}
		if s.State == state {
			return s
		}
		serial = s.Serial
	}
}

// tty is a terminal in which the agent runs.
type tty struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File

	mu   sync.Mutex
	text string // all that was shown
	seen int    // how much of it a test has waited for
}

// terminal starts the agent in one.
func (l *laptop) terminal(env ...string) *tty {
	l.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 90}))
	}
	if err != nil {
		l.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	y := &tty{t: l.t, cmd: agentCommand(l.t, "signin", "--root", l.root), master: master, slave: slave}
	y.cmd.Env = append(y.cmd.Env, env...)
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = slave, slave, slave
	y.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := y.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { slave.Close(); master.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			y.mu.Lock()
			y.text += string(buf[:n])
			y.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return y
}

// sees waits until the terminal shows a text that it did not show before.
func (y *tty) sees(text string) {
	y.t.Helper()
	for range 300 {
		y.mu.Lock()
		at := strings.Index(y.text[y.seen:], text)
		if at >= 0 {
			y.seen += at + len(text)
		}
		y.mu.Unlock()
		if at >= 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	y.t.Fatalf("the terminal does not show %q, but\n%s", text, y.all())
}

func (y *tty) all() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.text
}

func (y *tty) types(keys string) {
	y.t.Helper()
	if _, err := y.master.WriteString(keys); err != nil {
		y.t.Fatal(err)
	}
}

// ends waits for the agent, which leaves the terminal as it was.
func (y *tty) ends(code int) {
	y.t.Helper()
	err := y.cmd.Wait()
	if got := y.cmd.ProcessState.ExitCode(); got != code {
		y.t.Errorf("code %d, %v, want %d\n%s", got, err, code, y.all())
	}
	mode, err := unix.IoctlGetTermios(int(y.slave.Fd()), unix.TCGETS)
	if err != nil || mode.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != unix.ECHO|unix.ICANON|unix.ISIG || mode.Oflag&unix.OPOST == 0 {
		y.t.Errorf("the terminal is left as %+v, %v", mode, err)
	}
}

// An employee signs in at a terminal: the real agent, as its service and as its
// surface, a real directory, and real accounts of Linux.
func TestSignInAtATerminal(t *testing.T) {
	d := testdirectory.New(t)
	l := newLaptop(t, d)
	l.shows(signin.Ready)
	const password = "Grüße von 100 % Acme"
	y := l.terminal()
	y.sees("Sign in with Acme")
	y.sees("1 or s or Enter: Sign in with Acme")
	y.types("s")
	y.sees("Point the camera")
	waiting := l.shows(signin.Waiting)
	y.sees(waiting.URI)
	y.sees(strings.Join(strings.Split(waiting.UserCode, ""), " "))
	y.sees(":5") // the time goes: 9:59, 9:58
	number, err := d.MustHire("ann").SignIn(t.Context(), d.At, waiting.QR)
	if err != nil {
		t.Fatal(err)
	}
	y.sees("Number: ")
	y.types("x" + number + "\r") // what is no digit is not taken
	y.sees("Password: ")
	y.types("short\rshort\r")
	y.sees("Please choose another password. It needs")
	y.types(password + "?\x7f\r")
	y.sees("The same once more: ")
	y.types(password + "\r")
	y.sees("Your account ann is ready. Sign in with your password.")
	y.sees("Enter: Close")
	y.types("\r")
	y.ends(exitOK)
	if !testroot.CanSignIn(t, l.root, "ann", password) {
		t.Error("ann cannot sign in with the password")
	}
	if text := y.all(); strings.Contains(text, "Grüße") || strings.Contains(text, "short\r") {
		t.Errorf("what was typed is shown:\n%s", text)
	}
	if strings.Contains(y.all(), "error:") {
		t.Errorf("%s", y.all())
	}

	l.shows(signin.Hidden)
	y = l.terminal()
	y.sees("error: signing in is not offered: The device has as many managed users as the settings allow.")
	y.sees("hint: Unbind the user it has")
	y.ends(exitNotOffered)
}

// A service that dies leaves no terminal behind that waits for ever, and no
// socket that the next one stumbles over.
func TestSignInWhenTheServiceDies(t *testing.T) {
	d := testdirectory.New(t)
	l := newLaptop(t, d)
	l.shows(signin.Ready)
	y := l.terminal()
	y.sees("Enter: Sign in with Acme")
	y.types("\r")
	y.sees("left] 1 or c: Cancel")
	l.kill()
	y.sees("error: the agent's service has hung up")
	y.sees("hint: 'firstday-agent status'")
	y.ends(exitFailure)
	y = l.terminal()
	y.sees("error: the agent's service does not answer")
	y.ends(exitFailure)
	l.start()
	l.shows(signin.Ready)
}

func TestSignInWithoutAService(t *testing.T) {
	l := &laptop{t: t, root: t.TempDir()}
	y := l.terminal()
	y.sees("error: the agent is not installed")
	y.sees("hint: apply the organisation's provisioning package")
	y.ends(exitNotInstalled)
	if err := os.MkdirAll(filepath.Join(l.root, "var/lib/firstday"), 0o700); err != nil {
		t.Fatal(err)
	}
	y = l.terminal()
	y.sees("error: the agent's service does not answer")
	y.sees("hint: 'firstday-agent status'")
	y.ends(exitFailure)
}

// Who goes, by Ctrl-C or with the terminal, leaves no sign-in behind.
func TestSignInIsCancelled(t *testing.T) {
	d := testdirectory.New(t)
	l := newLaptop(t, d)
	l.shows(signin.Ready)
	ann := d.MustHire("ann")
	for name, goes := range map[string]func(*tty){
		"Ctrl-C":      func(y *tty) { y.types("\x03") },
		"Ctrl-D":      func(y *tty) { y.types("\x04") },
		"the button":  func(y *tty) { y.types("c") },
		"its number":  func(y *tty) { y.types("1") },
		"a signal":    func(y *tty) { _ = y.cmd.Process.Signal(syscall.SIGTERM) },
		"a hang-up":   func(y *tty) { _ = y.cmd.Process.Signal(syscall.SIGHUP) },
		"Ctrl-C late": func(y *tty) { y.sees("no connection"); y.types("\x03") },
	} {
		y := l.terminal("NO_COLOR=1")
		y.sees("Enter: Sign in with Acme")
		y.types("\r")
		waiting := l.shows(signin.Waiting)
		y.sees("left] 1 or c: Cancel")
		if name == "Ctrl-C late" {
			d.Stop()
		}
		goes(y)
		y.sees("error: nobody has signed in")
		y.ends(exitFailure)
		if strings.Contains(y.all(), "\x1b") {
			t.Errorf("%s: %q", name, y.all())
		}
		l.shows(signin.Ready)
		if name == "Ctrl-C late" {
			d.Serve()
			continue
		}
		waitUntil(t, "the directory to hear of it", func() bool {
			_, err := ann.SignIn(t.Context(), d.At, waiting.QR)
			return err != nil
		})
	}
}
