package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testagents"
)

// terminal opens a pseudo-terminal: what a program sees, and what a person does.
func terminal(t *testing.T) (program, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return program, person
}

// The station at a terminal: its screen, q, and what is left on the terminal then.
func TestStationAtATerminal(t *testing.T) {
	dir := t.TempDir()
	yaml := "version: 1\norganisation: {name: Acme}\ndirectory: {url: https://directory.acme.example}\nconnectKey: {file: key}\n"
	for name, text := range map[string]string{"firstday.yaml": yaml, "key": "fdk_the-connect-key-of-the-tests\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kit := filepath.Join(dir, "kit")
	build := newRoot()
	build.SetArgs([]string{"build", "windows", "-q", "-c", filepath.Join(dir, "firstday.yaml"), "-o", kit, "--agents", testagents.Dir(t)})
	build.SetOut(io.Discard)
	if err := build.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TERM", "xterm-256color")
	program, person := terminal(t)
	var mu sync.Mutex
	var seen bytes.Buffer
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			seen.Write(buffer[:n])
			mu.Unlock()
		}
	}()
	shows := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			there := strings.Contains(seen.String(), what)
			mu.Unlock()
			if there {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q is not on the screen: %q", what, seen.String())
			}
		}
	}
	ended := make(chan error, 1)
	station := newRoot()
	station.SetArgs([]string{"station", kit, "--count", "40", "--report", filepath.Join(dir, "reports")})
	station.SetIn(program)
	station.SetOut(program)
	station.SetErr(io.Discard)
	go func() { ended <- station.ExecuteContext(t.Context()) }()
	shows("0 of 40 done")
	shows("\x1b[?1049h") // the other screen
	if _, err := person.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("q does not end it")
	}
	shows("\x1b[?1049l") // the terminal as it was
	shows("0 of 0 sticks are good")
	reports, err := filepath.Glob(filepath.Join(dir, "reports", "usb-*"))
	if err != nil || len(reports) != 2 {
		t.Errorf("%q, %v", reports, err)
	}
}
