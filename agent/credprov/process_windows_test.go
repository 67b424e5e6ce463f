package credprov_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// The program of these tests is also an agent of its own, that they can kill and
// hang, or that is in a place where it should not be:
//
//	firstday-agent.exe serve STATES HEARD
//
// serves the pipe, each connection with the screen of the next of the states, and
// writes all that it hears to a file.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, "error:", serve(strings.Split(os.Args[2], ","), os.Args[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// connected stands in what was heard where somebody has connected.
const connected = "connected\n"

func serve(states []string, heard string) error {
	file, err := os.Create(heard)
	if err != nil {
		return err
	}
	l, err := local.Listen(pipe, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for n := 0; ; n++ {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := file.WriteString(connected); err != nil {
			return err
		}
		at := slices.IndexFunc(screens, func(s signin.Screen) bool { return string(s.State) == states[n%len(states)] })
		only := make(lone, 1)
		only <- &overheard{c, file}
		go newDesk(screens[at]).server().Serve(context.Background(), only) // it ends with the process
	}
}

// lone is a listener for the connections that are put into it.
type lone chan net.Conn

func (l lone) Accept() (net.Conn, error) { return <-l, nil }
func (l lone) Close() error              { return nil }
func (l lone) Addr() net.Addr            { return nil }

// overheard writes down what comes.
type overheard struct {
	net.Conn
	file *os.File
}

func (c *overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if _, err := c.file.Write(b[:n]); err != nil {
		return n, err
	}
	return n, err
}

// process is such an agent.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	heard string
}

// start starts the program at a path as an agent, which listens.
func start(t *testing.T, program string, states ...signin.State) *process {
	t.Helper()
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	dir, err := os.MkdirTemp("", "heard-*") // it goes with the prefix
	must(t, err)
	p := &process{t: t, heard: filepath.Join(dir, "heard.txt")}
	p.cmd = exec.Command(program, "serve", strings.Join(names, ","), p.heard)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(p.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listening\n" {
		t.Fatalf("%s says %q, %v", program, line, err)
	}
	return p
}

func (p *process) id() uint32 { return uint32(p.cmd.Process.Pid) }

// kill ends it at once, without a word to anybody.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// hang keeps all its threads from going on.
func (p *process) hang() {
	p.t.Helper()
	h, err := windows.OpenProcess(windows.PROCESS_SUSPEND_RESUME, false, p.id())
	must(p.t, err)
	defer windows.CloseHandle(h)
	if status, _, _ := windows.NewLazySystemDLL("ntdll.dll").NewProc("NtSuspendProcess").Call(uintptr(h)); status != 0 {
		p.t.Fatalf("NtSuspendProcess: %#x", status)
	}
}

// words gives what it has heard until now.
func (p *process) words() string {
	p.t.Helper()
	data, err := os.ReadFile(p.heard)
	must(p.t, err)
	return string(data)
}

// agent is the process that is SYSTEM, which may be another one later.
type agent struct{ id atomic.Uint32 }

// starts starts one in the state.
func (a *agent) starts(t *testing.T, states ...signin.State) *process {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	p := start(t, program, states...)
	a.id.Store(p.id())
	return p
}
