// Package testmac runs the real agent, cmd/firstday-agent, as a process of its own on
// a Mac whose disk is a folder, for tests that kill it, or hold it up. The program is
// the shipped one but for what asks macOS, which is in testdata: accounts are a file,
// and security(1) is a script with the authorization database in another file.
package testmac

import (
	"bytes"
	"encoding/json"
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

	"github.com/google/uuid"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/agent/authdb"
	"firstday.dev/api"
	"firstday.dev/internal/testtool"
	"firstday.dev/templates/macos"
)

// Version is that of the agent.
const Version = "1.2.3"

// Build builds the agent.
func Build(tb testing.TB) (program string) {
	tb.Helper()
	theirs, err := testtool.Folder("firstday.dev/agent")
	if err != nil {
		tb.Fatal(err)
	}
	ours, err := testtool.Folder("firstday.dev/internal/testmac")
	if err != nil {
		tb.Fatal(err)
	}
	testtool.See(tb, filepath.Join(ours, "testdata"))
	replace := make(map[string]string)
	for _, name := range []string{"system_linux.go", "facts_linux.go", "logon_linux.go", "loginwindow_linux.go"} {
		replace[filepath.Join(theirs, name)] = filepath.Join(ours, "testdata", name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		tb.Fatal(err)
	}
	program = filepath.Join(dir, "firstday-agent")
	build := exec.CommandContext(tb.Context(), testtool.Need(tb, "go"), "build", "-overlay="+list,
		"-ldflags=-X main.stamp=firstday-agent-version="+Version+";", "-o", program, "firstday.dev/cmd/firstday-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("building the agent: %v\n%s", err, out)
	}
	return program
}

// Mac is one, with its agent.
type Mac struct {
	// Root is the folder of its disk.
	Root    string
	tb      testing.TB
	program string
	service *exec.Cmd
	log     *bytes.Buffer
}

// macOS is the major version whose list the authorization database has.
const macOS = 15

// New gives a Mac that has nothing of ours yet.
func New(tb testing.TB, program, serial string) *Mac {
	tb.Helper()
	root, err := os.MkdirTemp("", "mac") // whose name a socket has room for
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			tb.Error(err)
		}
	})
	return Open(tb, program, root, serial)
}

// Open gives the Mac with its disk in a folder. Its login window waits for somebody,
// and is Apple's.
func Open(tb testing.TB, program, root, serial string) *Mac {
	tb.Helper()
	m := &Mac{Root: root, tb: tb, program: program}
	apple, err := authdb.Default(macOS)
	if err != nil {
		tb.Fatal(err)
	}
	m.Write("serial", serial)
	m.Write("boot", uuid.NewString())
	m.Write("seats.json", `{"Window": "1@1", "Idle": 3600000000000}`)
	m.SetList(apple)
	m.Script("/usr/bin/security", `case "$*" in
"authorizationdb read system.login.console") cat '`+m.right()+`' ;;
"authorizationdb write system.login.console") cat >'`+m.right()+`.new' && mv '`+m.right()+`.new' '`+m.right()+`' ;;
*) exit 255 ;;
esac`)
	m.Script("/usr/bin/sw_vers", fmt.Sprintf("echo %d.1", macOS))
	return m
}

// Install leaves on it what an installation does, of an agent that is to enrol.
func (m *Mac) Install(at api.Directory, key api.Secret) {
	m.tb.Helper()
	e := api.Enrollment{
		Version: api.EnrollmentVersion, Organisation: "Acme", Directory: at, ConnectKey: key,
		PackageID: uuid.New(), PackageName: "Acme laptops", PackageVer: "1.0", SignIn: api.SignIn{Enabled: true, Permission: "standard"},
		Agents: []api.AgentFile{{File: macos.Executable, Arch: "arm64", Version: Version, SHA256: strings.Repeat("ab", 32)}},
	}
	text, err := json.Marshal(e)
	if err != nil {
		m.tb.Fatal(err)
	}
	m.Write(macos.DataFolder+"/"+api.EnrollmentFile, string(text))
}

// Path is where a file of the Mac's lies here.
func (m *Mac) Path(name string) string { return filepath.Join(m.Root, filepath.FromSlash(name)) }

func (m *Mac) right() string { return m.Path("right.plist") }

// Socket is where the agent speaks with surfaces.
func (m *Mac) Socket() string { return m.Path("/var/run/firstday/agent.sock") }

// Write writes a file of the Mac's.
func (m *Mac) Write(name, text string) { m.put(name, text, 0o600) }

// Script puts one in the place of a program of macOS.
func (m *Mac) Script(program, text string) { m.put(program, "#!/bin/sh\n"+text+"\n", 0o700) }

func (m *Mac) put(name, text string, mode fs.FileMode) {
	m.tb.Helper()
	path := m.Path(name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), mode)); err != nil {
		m.tb.Fatal(err)
	}
}

// List is what the authorization database holds.
func (m *Mac) List() *authdb.Definition {
	m.tb.Helper()
	text, err := os.ReadFile(m.right())
	if err != nil {
		m.tb.Fatal(err)
	}
	d, err := authdb.Parse(text)
	if err != nil {
		m.tb.Fatal(err)
	}
	return d
}

// SetList is somebody who has changed it.
func (m *Mac) SetList(d *authdb.Definition) { m.tb.Helper(); m.Write("right.plist", string(d.Bytes())) }

// Arm has the database name our login window.
func (m *Mac) Arm() {
	m.tb.Helper()
	d, err := m.List().Enable()
	if err != nil {
		m.tb.Fatal(err)
	}
	m.SetList(d)
}

// Accounts are the Mac's own.
func (m *Mac) Accounts() *accounts.InMemory {
	m.tb.Helper()
	store, err := accounts.MemoryIn(api.MacOS, m.Path("accounts.json"))
	if err != nil {
		m.tb.Fatal(err)
	}
	return store
}

// Shows waits until the list in the database is somebody's, and 'login-window status'
// says who wants it so; empty: the window is ours.
func (m *Mac) Shows(whose authdb.State, by agent.LoginAuthority) (s *agent.LoginWindowStatus) {
	m.tb.Helper()
	Until(m.tb, fmt.Sprintf("the login window is %s, by %q", whose, by), func() bool {
		out, _ := m.Command("login-window", "status", "--json").Output() // which ends with 15 for Apple's
		s = new(agent.LoginWindowStatus)
		return json.Unmarshal(out, s) == nil && m.List().Judge().State == whose && s.Shows == whose && s.By == by
	})
	return s
}

// Command is the agent's program with some arguments.
func (m *Mac) Command(args ...string) *exec.Cmd {
	return exec.Command(m.program, append([]string{"--root", m.Root}, args...)...)
}

// Wrapper is a script that is the agent's program on this Mac.
func (m *Mac) Wrapper() string {
	return "exec '" + m.program + "' --root '" + m.Root + "' \"$@\""
}

// Start starts the agent's service, which ends with the test.
func (m *Mac) Start() {
	m.tb.Helper()
	m.service, m.log = m.Command("run", "--foreground"), new(bytes.Buffer)
	m.service.Stderr = m.log
	if err := m.service.Start(); err != nil {
		m.tb.Fatal(err)
	}
	service, log := m.service, m.log
	m.tb.Cleanup(func() {
		if m.service == service {
			m.Kill()
		}
		if m.tb.Failed() {
			m.tb.Logf("the agent's log:\n%s", log)
		}
	})
}

// Stopped holds the agent up: it is there, and does nothing.
func (m *Mac) Stopped() { m.signal(syscall.SIGSTOP) }

// Continued lets it go on.
func (m *Mac) Continued() { m.signal(syscall.SIGCONT) }

// Kill ends it in this moment. Without an agent nothing happens.
func (m *Mac) Kill() {
	m.tb.Helper()
	if m.service == nil {
		return
	}
	m.signal(syscall.SIGKILL)
	_ = m.service.Wait() // it was killed
	m.service = nil
}

func (m *Mac) signal(s syscall.Signal) {
	m.tb.Helper()
	if err := m.service.Process.Signal(s); err != nil {
		m.tb.Errorf("the agent is gone: %v", err)
	}
}

// Hold makes the agent wait before or after a step of the account's, as in "create
// before"; empty: no more.
func (m *Mac) Hold(step string) {
	m.tb.Helper()
	for _, name := range []string{"hold", "held"} {
		if err := os.Remove(m.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.tb.Fatal(err)
		}
	}
	if step != "" {
		m.Write("hold.new", step)
		if err := os.Rename(m.Path("hold.new"), m.Path("hold")); err != nil {
			m.tb.Fatal(err)
		}
	}
}

// Until waits until something is so.
func Until(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("it does not come to that: %s", what)
		}
	}
}

// There waits for a file of the Mac's.
func (m *Mac) There(name string) {
	m.tb.Helper()
	Until(m.tb, name, func() bool { _, err := os.Lstat(m.Path(name)); return err == nil })
}

// Holds tells which file of the Mac's holds a secret, in its text or its name.
func (m *Mac) Holds(secret string) (where string) {
	m.tb.Helper()
	err := filepath.WalkDir(m.Root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) || strings.Contains(path, secret) {
			where = path
		}
		return err
	})
	if err != nil {
		m.tb.Fatal(err)
	}
	if m.log != nil && m.service == nil && bytes.Contains(m.log.Bytes(), []byte(secret)) {
		where = "the log"
	}
	if where != "" {
		return fmt.Sprintf("%q is in %s", secret, where)
	}
	return ""
}
