package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/winetest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// installCommand is what a package tells Windows to run in the folder with
// its files.
const installCommand = `firstday-agent-amd64.exe install`

// builds keeps what has been built, for all tests of this process.
var builds sync.Map

// build builds a program. Files of testdata/wine take the place of the agent's of
// the same name: what Wine cannot do.
func build(t *testing.T, pkg, arch, version string, replaced ...string) []byte {
	t.Helper()
	once, _ := builds.LoadOrStore(fmt.Sprint(pkg, arch, version, replaced), sync.OnceValue(func() []byte {
		data, err := os.ReadFile(winetest.Build(t, pkg, arch, overlay(t, replaced), "-ldflags=-s -w -X main.stamp="+stampPrefix+version+";"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}))
	return once.(func() []byte)()
}

// overlay is the flag for `go build` that replaces files of the agent's package.
func overlay(t *testing.T, replaced []string) string {
	t.Helper()
	list := make(map[string]string)
	for _, name := range replaced {
		theirs, err := filepath.Abs(filepath.Join("..", "..", "agent", name))
		if err == nil {
			_, err = os.Stat(theirs)
		}
		if err == nil {
			list[theirs], err = filepath.Abs(filepath.Join("testdata", "wine", name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": list})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + file
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

// carryTile adds the tile that goes with each agent, signed by somebody or by
// nobody.
func (d *delivery) carryTile(signer *testpki.Entity) {
	d.t.Helper()
	for i := range d.Agents {
		a := &d.Agents[i]
		name := "firstday-credprov-" + a.Arch + ".dll"
		a.CredentialProvider = api.CarriedFile{File: name, SHA256: d.put(name, testcredprov.Sign(d.t, credentialProvider(d.t, a.Arch, a.Version), signer))}
	}
}

func credentialProvider(t *testing.T, arch, version string) []byte {
	t.Helper()
	once, _ := builds.LoadOrStore("tile "+version, sync.OnceValue(func() map[string][]byte {
		dlls := make(map[string][]byte)
		dir := testcredprov.Build(t, version)
		for _, arch := range []string{"amd64", "arm64"} {
			dll, err := os.ReadFile(filepath.Join(dir, "firstday-credprov-"+arch+".dll"))
			if err != nil {
				t.Fatal(err)
			}
			dlls[arch] = dll
		}
		return dlls
	}))
	return once.(func() map[string][]byte)()[arch]
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

// Registry keys for snapshot. Reading all of SOFTWARE takes seconds, nearly all
// of them for SOFTWARE\Classes.
var (
	allKeys  = []string{`SYSTEM\CurrentControlSet\Services`, `SOFTWARE`}
	someKeys = []string{`SYSTEM\CurrentControlSet\Services`, `SOFTWARE\Microsoft`}
)

// snapshot is what an installation may have touched: every file outside
// C:\windows, but for what the service keeps writing, and every key and value
// in the given parts of the registry.
func snapshot(t *testing.T, p *winetest.Prefix, keys []string) map[string]string {
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
		case strings.HasSuffix(rel, "Firstday/report.json"), strings.HasSuffix(rel, "Firstday/tile.json"), strings.HasSuffix(rel, "log/service.jsonl"):
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
	for _, key := range keys {
		for _, line := range p.Registry(key) {
			all[line] = "registry"
		}
	}
	return all
}

func TestWindowsInstallsTwiceAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.payload("first", 100*time.Millisecond, 0, `/S "two words" --key=$%VALUE%`)
	d.payload("second", 0, 0, ``)
	d.write()
	untouched := snapshot(t, p, allKeys)

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

	installed := snapshot(t, p, someKeys)
	mustRun(t, p, d.dir, installCommand, exitOK)
	if diff := cmp.Diff(installed, snapshot(t, p, someKeys)); diff != "" {
		t.Errorf("the second run changed (-before +after):\n%s", diff)
	}
	for _, line := range []string{
		`SYSTEM\CurrentControlSet\Services\EventLog\Application\Firstday\`,
		`SYSTEM\CurrentControlSet\Services\firstday-agent\ImagePath="\"C:\\Program Files\\Firstday\\Agent\\1.2.3\\firstday-agent.exe\" run"`,
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(installed)), func(l string) bool { return strings.EqualFold(l, line) }) {
			t.Errorf("the registry lacks %s", line)
		}
	}
	for line := range installed {
		if strings.Contains(line, "fk_very-secret") {
			t.Errorf("the connect key is in the registry: %s", line)
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
	if diff := cmp.Diff(untouched, snapshot(t, p, allKeys)); diff != "" {
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

func TestWindowsInstallsMSIs(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	mustRun(t, p, d.dir, p.Command(winetest.Build(t, "firstday.dev/cmd/firstday-agent/testdata/makemsi", "amd64"))+` "our package.msi"`, 0)
	data, err := os.ReadFile(filepath.Join(d.dir, "our package.msi"))
	if err != nil {
		t.Fatal(err)
	}
	d.Payloads = []api.Payload{
		{File: "our package.msi", Kind: "msi", SHA256: d.put("our package.msi", data), Arguments: `TOKEN="two words"`},
		{File: "no package.msi", Kind: "msi", SHA256: d.put("no package.msi", []byte("nothing"))},
	}
	d.write()
	mustRun(t, p, d.dir, installCommand, exitPayload)
	s := status(t, p, d.dir, exitFaulty)
	if s.Payloads[0].State != agent.PayloadDone {
		t.Errorf("got %+v", s.Payloads[0])
	}
	if s.Payloads[1].State != agent.PayloadFailed {
		t.Errorf("got %+v", s.Payloads[1])
	}
	want := []string{`SOFTWARE\FirstdayTest\`, `SOFTWARE\FirstdayTest\token="two words"`}
	if diff := cmp.Diff(want, p.Registry(`SOFTWARE\FirstdayTest`)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWindowsServiceTakesOverFromAKilledInstallation(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.payload("slow", 3*time.Second, 0, "")
	d.payload("next", 0, 0, "")
	d.write()

	install := p.Start(d.dir, installCommand)
	waitUntil(t, "the first payload runs", func() bool {
		data, _ := os.ReadFile(p.Path(`notes.txt`))
		return strings.HasPrefix(string(data), "begin slow")
	})
	install.Kill()
	if s := status(t, p, d.dir, exitFaulty); s.Phase != agent.PhasePayloads || s.Payloads[0].State != agent.PayloadRunning {
		t.Errorf("after the kill: %+v", s)
	}
	// The service waits for the very process that was started, then goes on;
	// installing again meanwhile waits for the service.
	mustRun(t, p, d.dir, installCommand, exitOK)
	s := status(t, p, d.dir, exitNotEnrolled)
	if s.Phase != agent.PhaseDone || s.Payloads[0].Attempts != 1 || s.Payloads[1].Attempts != 1 {
		t.Errorf("in the end: %+v", s)
	}
	want := "begin slow []\nend slow\nbegin next []\nend next\n"
	if diff := cmp.Diff(want, notes(t, p)); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
}

func TestWindowsServiceResumesAfterAPowerCut(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.payload("slow", time.Minute, 0, "")
	d.write()
	p.Start(d.dir, installCommand)
	waitUntil(t, "the payload runs", func() bool {
		data, _ := os.ReadFile(p.Path(`notes.txt`))
		return strings.HasPrefix(string(data), "begin slow")
	})
	p.PowerCut()
	// Windows has removed the package's folder; the service knows the rest.
	waitUntil(t, "the payload runs again", func() bool { return strings.Count(notes(t, p), "begin slow") == 2 })
	if s := status(t, p, d.dir, exitFaulty); s.Payloads[0].Attempts != 2 {
		t.Errorf("after the restart: %+v", s.Payloads)
	}
	// An uninstall does not wait for it.
	mustRun(t, p, d.dir, `firstday-agent-amd64.exe uninstall`, exitOK)
	if _, err := os.Stat(p.Path(`ProgramData\Firstday`)); !os.IsNotExist(err) {
		t.Errorf("data folder: %v", err)
	}
}

func TestWindowsUpgradeKeepsTheOldAgentUntilTheNewRuns(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	old := deliver(t, "1.2.3")
	old.write()
	mustRun(t, p, old.dir, installCommand, exitOK)

	// What calls itself 1.2.4 is no agent: it never reports.
	broken := deliver(t, "1.2.4")
	program := build(t, "firstday.dev/cmd/firstday-agent/testdata/payload", "amd64", "")
	starter := broken.Agents[0]
	broken.Agents[0].File, broken.Agents[0].SHA256 = "broken.exe", broken.put("broken.exe", program)
	broken.write()
	mustRun(t, p, broken.dir, starter.File+" install", exitFailure)
	s := status(t, p, old.dir, exitFaulty)
	if s.Service.State != agent.ServiceRunning || s.Service.AgentVersion != "1.2.3" || *s.PackageID != old.PackageID {
		t.Errorf("after a failed upgrade: %+v", s)
	}

	next := deliver(t, "1.3.0")
	next.write()
	mustRun(t, p, next.dir, installCommand, exitOK)
	s = status(t, p, next.dir, exitNotEnrolled)
	if s.AgentVersion != "1.3.0" || s.Service.AgentVersion != "1.3.0" || *s.PackageID != next.PackageID {
		t.Errorf("after the upgrade: %+v", s)
	}
	versions, err := os.ReadDir(p.Path(`Program Files\Firstday\Agent`))
	if err != nil || len(versions) != 1 || versions[0].Name() != "1.3.0" {
		t.Errorf("versions: %v %v", versions, err)
	}

	mustRun(t, p, old.dir, installCommand, exitDowngrade)
	if s = status(t, p, next.dir, exitNotEnrolled); s.AgentVersion != "1.3.0" {
		t.Errorf("after a refused downgrade: %+v", s)
	}
	mustRun(t, p, old.dir, installCommand+" --force", exitOK)
	if s = status(t, p, next.dir, exitNotEnrolled); s.Service.AgentVersion != "1.2.3" {
		t.Errorf("after a forced downgrade: %+v", s)
	}
}

func TestWindowsExitCodes(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)

	d := deliver(t, "1.2.3")
	d.payload("fine", 0, 0, "")
	d.write()
	d.put("fine.exe", []byte("something else"))
	res := mustRun(t, p, d.dir, installCommand, exitEnrollment)
	if !strings.Contains(res.Stderr, "fine.exe has SHA-256") || !strings.Contains(res.Stderr, "hint: ") {
		t.Errorf("stderr: %s", res.Stderr)
	}
	if _, err := os.Stat(p.Path(`ProgramData\Firstday`)); !os.IsNotExist(err) {
		t.Errorf("a damaged package left something: %v", err)
	}

	d = deliver(t, "1.2.3")
	d.payload("restarts", 0, 3010, "")
	d.payload("fails", 0, 42, "")
	d.payload("odd", 0, 7, "")
	d.Payloads[2].SuccessCodes = []int{0, 7}
	d.write()
	mustRun(t, p, d.dir, installCommand, exitPayload)
	s := status(t, p, d.dir, exitFaulty)
	var states []agent.PayloadState
	for _, r := range s.Payloads {
		states = append(states, r.State)
	}
	want := []agent.PayloadState{agent.PayloadReboot, agent.PayloadFailed, agent.PayloadDone}
	if diff := cmp.Diff(want, states); diff != "" || !s.RebootNeeded || s.Service.State != agent.ServiceRunning {
		t.Errorf("payloads (-want +got):\n%s\n%+v", diff, s)
	}

	d = deliver(t, "1.2.3")
	d.payload("restarts", 0, 3010, "")
	d.write()
	mustRun(t, p, d.dir, installCommand, exitReboot)
	mustRun(t, p, d.dir, `firstday-agent-amd64.exe install --no-such-flag`, exitUsage)
}
