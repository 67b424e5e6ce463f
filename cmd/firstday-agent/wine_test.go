package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/internal/winetest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// installCommand is what a package tells Windows to run in the folder with
// its files.
const installCommand = `firstday-agent-amd64.exe install`

// builds keeps what has been built, for all tests of this process.
var builds sync.Map

func build(t *testing.T, pkg, arch, version string) []byte {
	t.Helper()
	once, _ := builds.LoadOrStore(pkg+" "+arch+" "+version, sync.OnceValue(func() []byte {
		data, err := os.ReadFile(winetest.Build(t, pkg, arch, "-ldflags=-s -w -X main.version="+version))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}))
	return once.(func() []byte)()
}

// delivery is a folder as Windows leaves it behind: a package's command files
// side by side.
type delivery struct {
	t   *testing.T
	dir string
	api.Enrollment
}

func deliver(t *testing.T, version string) *delivery {
	t.Helper()
	d := &delivery{t: t, dir: t.TempDir()}
	d.Enrollment = api.Enrollment{
		Version:      api.EnrollmentVersion,
		Organisation: "Acme",
		Directory:    api.Directory{URL: "https://127.0.0.1:9/", Pin: "sha256:" + strings.Repeat("ab", 32)},
		ConnectKey:   "fk_very-secret",
		PackageID:    uuid.New(),
		PackageName:  "Acme laptops",
		PackageVer:   "1.0",
		SignIn:       api.SignIn{Enabled: true, Permission: "standard"},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		name := "firstday-agent-" + arch + ".exe"
		d.Agents = append(d.Agents, api.AgentFile{
			File: name, Arch: arch, Version: version,
			SHA256: d.put(name, build(t, "firstday.dev/cmd/firstday-agent", arch, version)),
		})
	}
	return d
}

func (d *delivery) put(name string, data []byte) (hash string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), data, 0o600); err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// payload adds an installer that notes in C:\notes.txt what it does.
func (d *delivery) payload(name string, sleep time.Duration, code int, arguments string) {
	d.t.Helper()
	program := build(d.t, "firstday.dev/cmd/firstday-agent/testdata/payload", "amd64", "")
	d.Payloads = append(d.Payloads, api.Payload{
		File: name + ".exe", Kind: "exe",
		SHA256:    d.put(name+".exe", append(program[:len(program):len(program)], name...)),
		Arguments: fmt.Sprintf(`C:\notes.txt %s %v %d %s`, name, sleep, code, arguments),
	})
}

// write writes the enrollment; call it last.
func (d *delivery) write() {
	d.t.Helper()
	data, err := json.Marshal(d.Enrollment)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(api.EnrollmentFile, data)
}

func mustRun(t *testing.T, p *winetest.Prefix, dir, command string, code int) winetest.Result {
	t.Helper()
	begun := time.Now()
	res := p.Run(dir, command)
	t.Logf("%s: code %d after %v", command, res.Code, time.Since(begun).Round(time.Millisecond))
	if res.Code != code {
		t.Fatalf("code %d, want %d\n%s%s", res.Code, code, res.Stdout, res.Stderr)
	}
	return res
}

func status(t *testing.T, p *winetest.Prefix, dir string, code int) *agent.Status {
	t.Helper()
	res := mustRun(t, p, dir, `firstday-agent-amd64.exe status --json`, code)
	s := new(agent.Status)
	if err := json.Unmarshal([]byte(res.Stdout), s); err != nil {
		t.Fatalf("%v in %s", err, res.Stdout)
	}
	return s
}

func notes(t *testing.T, p *winetest.Prefix) string {
	t.Helper()
	data, err := os.ReadFile(p.Path(`notes.txt`))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// snapshot is everything an installation may have touched: every file outside
// C:\windows and every registry key and value about us, but for what the
// service keeps writing.
func snapshot(t *testing.T, p *winetest.Prefix) map[string]string {
	t.Helper()
	all := make(map[string]string)
	root := p.Path("")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch {
		case rel == "windows":
			return filepath.SkipDir
		case strings.HasSuffix(rel, "Firstday/report.json"), strings.HasSuffix(rel, "log/service.jsonl"):
			return nil
		case !e.Type().IsRegular():
			all[rel] = e.Type().String()
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		all[rel] = fmt.Sprintf("%v %v %x", info.Mode(), info.ModTime(), h.Sum(nil))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`HKLM\SYSTEM\CurrentControlSet\Services`, `HKLM\SOFTWARE`} {
		for line := range registryLines(p.Registry(key)) {
			all[line] = "registry"
		}
	}
	return all
}

// registryLines puts each value behind the key it belongs to.
func registryLines(export string) map[string]bool {
	lines := make(map[string]bool)
	key := ""
	for line := range strings.Lines(strings.ReplaceAll(export, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			key = line
		}
		lines[key+" "+line] = true
	}
	return lines
}

func TestWindowsInstallsTwiceAndLeavesNothing(t *testing.T) {
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.payload("first", 100*time.Millisecond, 0, `/S "two words" --key=$%VALUE%`)
	d.payload("second", 0, 0, ``)
	d.write()
	untouched := snapshot(t, p)

	mustRun(t, p, d.dir, installCommand, exitOK)
	s := status(t, p, d.dir, exitNotEnrolled)
	if s.Service.State != agent.ServiceRunning || s.Phase != agent.PhaseDone || s.AgentVersion != "1.2.3" ||
		s.Service.AgentVersion != "1.2.3" || s.PackageID == nil || *s.PackageID != d.PackageID {
		t.Errorf("status: %+v", s)
	}
	if s.Enrolment == nil || s.Enrolment.Directory != d.Directory.URL {
		t.Errorf("enrolment: %+v", s.Enrolment)
	}
	want := "begin first [\"/S\" \"two words\" \"--key=$%VALUE%\"]\nend first\nbegin second []\nend second\n"
	if diff := cmp.Diff(want, notes(t, p)); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	if query := p.Run(d.dir, `sc.exe query firstday-agent`); !strings.Contains(query.Stdout, "RUNNING") {
		t.Errorf("sc query: %+v", query)
	}

	installed := snapshot(t, p)
	mustRun(t, p, d.dir, installCommand, exitOK)
	if diff := cmp.Diff(installed, snapshot(t, p)); diff != "" {
		t.Errorf("the second run changed (-before +after):\n%s", diff)
	}
	for name := range installed {
		if strings.Contains(name, "fk_very-secret") {
			t.Errorf("the connect key is in %s", name)
		}
	}
	checkLogs(t, p, d)

	// From its own folder, as an administrator would.
	mustRun(t, p, d.dir, `"C:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe" uninstall`, exitOK)
	waitUntil(t, "the agent's file is deleted", func() bool {
		left, _ := filepath.Glob(p.Path(`windows\Temp\firstday-*`))
		return len(left) == 0
	})
	if err := os.Remove(p.Path(`notes.txt`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(untouched, snapshot(t, p)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	mustRun(t, p, d.dir, `firstday-agent-amd64.exe uninstall`, exitOK)
	mustRun(t, p, d.dir, `firstday-agent-amd64.exe status --json`, exitNotInstalled)
}

// checkLogs wants JSON lines without secrets.
func checkLogs(t *testing.T, p *winetest.Prefix, d *delivery) {
	t.Helper()
	logs, err := filepath.Glob(p.Path(`ProgramData\Firstday\log\*.jsonl`))
	if err != nil || len(logs) != 2 {
		t.Fatalf("logs: %v %v", logs, err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %s", name, line)
			}
		}
		for _, secret := range []string{d.ConnectKey.Reveal(), "--key="} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds the secret %s", name, secret)
			}
		}
	}
}

func waitUntil(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 300 {
		if cond() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not within 30 seconds: %s", what)
}

var _ = regexp.MustCompile
