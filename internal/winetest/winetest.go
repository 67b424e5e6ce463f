// Package winetest runs Windows programs in tests, on Wine.
//
// Making a Wine prefix takes many seconds, so one is kept in the user's cache
// folder; each test works in a copy of its own, which costs a moment since
// the big files are hard links.
package winetest

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/internal/testtool"
)

// Prefix is a Windows of its own: drive, registry and services. It ends with
// the test that made it.
type Prefix struct {
	tb     testing.TB
	dir    string
	tools  tools
	launch string // Windows program
}

// New gives a fresh Windows. It skips the test where Wine is not installed,
// except under CI=true, where it fails it.
func New(tb testing.TB) *Prefix {
	tb.Helper()
	return newPrefix(tb, findTools(tb))
}

func newPrefix(tb testing.TB, t tools) *Prefix {
	tb.Helper()
	template, err := t.template()
	if err != nil {
		tb.Fatalf("making a Wine prefix: %v", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(template), fmt.Sprintf("run-%d-", os.Getpid()))
	if err != nil {
		tb.Fatal(err)
	}
	p := &Prefix{tb: tb, dir: dir, tools: t}
	tb.Cleanup(p.remove)
	if err := clonePrefix(template, dir); err != nil {
		tb.Fatalf("copying the Wine prefix: %v", err)
	}
	p.boot()
	p.launch = Build(tb, "firstday.dev/internal/winetest/testdata/launch", "amd64")
	return p
}

func findTools(tb testing.TB) tools {
	return tools{
		wine:   testtool.Need(tb, "wine", "wine64"),
		server: testtool.Need(tb, "wineserver"),
	}
}

func (p *Prefix) remove() {
	// Services outlive the command that started them.
	_ = p.tools.command(context.Background(), p.dir, p.tools.server, "--kill").Run()
	if err := os.RemoveAll(p.dir); err != nil {
		p.tb.Errorf("removing the Wine prefix: %v", err)
	}
}

// Path gives the path on this system of a file on drive C of the prefix, so
// that a test can look at it: Path(`Program Files\Firstday`).
func (p *Prefix) Path(name string) string {
	return filepath.Join(p.dir, "drive_c", filepath.FromSlash(strings.ReplaceAll(name, `\`, "/")))
}

// Result is how a Windows command ended.
type Result struct {
	Code           int // all 32 bits
	Stdout, Stderr string
}

// Run runs a command line in a folder, both as Windows would for a
// provisioning package: CreateProcess with that current folder, no shell. dir
// is a path of this system.
func (p *Prefix) Run(dir, commandLine string) Result {
	p.tb.Helper()
	return p.Start(dir, commandLine).Wait()
}

// Command gives the beginning of a command line that runs the program at a
// path of this system.
func (p *Prefix) Command(program string) string { return `"` + windowsPath(program) + `"` }

// Running is a Windows command that has not been waited for.
type Running struct {
	p     *Prefix
	cmd   *exec.Cmd
	line  string
	dir   string // of result, stdout and stderr
	stdin io.WriteCloser
	once  sync.Once
	ended Result
}

// commandTimeout is far beyond what any command here takes.
const commandTimeout = 3 * time.Minute

// Start is Run that does not wait.
func (p *Prefix) Start(dir, commandLine string) *Running {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.tb.Context(), commandTimeout)
	p.tb.Cleanup(cancel)
	r := &Running{p: p, line: commandLine, dir: p.tb.TempDir()}
	r.cmd = p.tools.command(ctx, p.dir, p.tools.wine, p.launch, windowsPath(r.file("code")), commandLine)
	r.cmd.Dir = dir
	// Not pipes: services the command starts would keep them open.
	out, err := os.Create(r.file("stdout"))
	if err != nil {
		p.tb.Fatal(err)
	}
	defer out.Close()
	errOut, err := os.Create(r.file("stderr"))
	if err != nil {
		p.tb.Fatal(err)
	}
	defer errOut.Close()
	r.cmd.Stdout, r.cmd.Stderr = out, errOut
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		p.tb.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		p.tb.Fatalf("starting Wine: %v", err)
	}
	return r
}

func (r *Running) file(name string) string { return filepath.Join(r.dir, name) }

func (r *Running) read(name string) string {
	r.p.tb.Helper()
	data, err := os.ReadFile(r.file(name))
	if err != nil {
		r.p.tb.Fatal(err)
	}
	return string(data)
}

// Wait waits for the command to end.
func (r *Running) Wait() Result {
	r.p.tb.Helper()
	r.once.Do(func() {
		waitErr := r.cmd.Wait()
		r.ended = Result{Stdout: r.read("stdout"), Stderr: r.read("stderr")}
		if _, err := os.Stat(r.file("code")); err != nil {
			r.p.tb.Fatalf("%s did not run: %v\n%s", r.line, waitErr, r.ended.Stderr)
		}
		code, err := strconv.ParseUint(r.read("code"), 10, 32)
		if err != nil {
			r.p.tb.Fatal(err)
		}
		r.ended.Code = int(int32(uint32(code)))
	})
	return r.ended
}

// Kill terminates the command without any notice, as a power cut would.
func (r *Running) Kill() Result {
	r.p.tb.Helper()
	if err := r.stdin.Close(); err != nil {
		r.p.tb.Fatal(err)
	}
	return r.Wait()
}

// PowerCut ends every process at once, without notice, and starts Windows again
// with its services. What was written to the registry is kept: Windows writes
// it out much sooner than Wine.
func (p *Prefix) PowerCut() {
	p.tb.Helper()
	if err := p.tools.command(p.tb.Context(), p.dir, p.tools.server, "--kill").Run(); err != nil {
		p.tb.Fatalf("killing the Wine server: %v", err)
	}
	p.boot()
}

// boot starts the server and, through wineboot, the services. Without a server
// of its own, each command would start and end one.
func (p *Prefix) boot() {
	p.tb.Helper()
	for _, args := range [][]string{{p.tools.server, "--persistent"}, {p.tools.wine, "wineboot"}} {
		if err := p.tools.command(p.tb.Context(), p.dir, args[0], args[1:]...).Run(); err != nil {
			p.tb.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
	}
}

// Registry gives what is below a key of HKEY_LOCAL_MACHINE such as
// `SYSTEM\CurrentControlSet\Services`: one line per key, `path\`, and per value,
// `path\name=value`.
func (p *Prefix) Registry(key string) []string {
	p.tb.Helper()
	dump := Build(p.tb, "firstday.dev/internal/winetest/testdata/regdump", "amd64")
	res := p.Run(p.dir, fmt.Sprintf(`%s "%s"`, p.Command(dump), key))
	if res.Code != 0 {
		p.tb.Fatalf("reading the registry: %s", res.Stderr)
	}
	return strings.Split(strings.TrimSpace(res.Stdout), "\n")
}

// Trust makes this Windows trust a root certificate.
func (p *Prefix) Trust(root *x509.Certificate) {
	p.tb.Helper()
	file := filepath.Join(p.tb.TempDir(), "root.der")
	if err := os.WriteFile(file, root.Raw, 0o600); err != nil {
		p.tb.Fatal(err)
	}
	trust := Build(p.tb, "firstday.dev/internal/winetest/testdata/trust", "amd64")
	if res := p.Run(p.dir, p.Command(trust)+` "`+windowsPath(file)+`"`); res.Code != 0 {
		p.tb.Fatalf("trusting %s: %s", root.Subject, res.Stderr)
	}
}

// windowsPath gives the Windows name of an absolute path of this system: Wine
// shows the whole file system as drive Z.
func windowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }
