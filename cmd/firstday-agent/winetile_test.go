package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent"
	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/winetest"
)

// Where Windows keeps what it knows of the tile.
const (
	classKey    = `SOFTWARE\Classes\CLSID\` + credprov.CLSID
	providerKey = `SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\` + credprov.CLSID
	policyKey   = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	ourKey      = `SOFTWARE\Firstday`
)

func inVersion(version string) string {
	return `Program Files\Firstday\Agent\` + version + `\` + credprov.File
}

// registered is what the registry has of the tile of a version.
func registered(version string) []string {
	return []string{
		classKey + `\`, classKey + `\="Firstday"`,
		classKey + `\InprocServer32\`, fmt.Sprintf(`%s\InprocServer32\=%q`, classKey, `C:\`+inVersion(version)),
		classKey + `\InprocServer32\ThreadingModel="Apartment"`,
	}
}

// is compares what is below a key, in whatever order, with what should be.
func is(t *testing.T, p *winetest.Prefix, key string, want ...string) {
	t.Helper()
	got := p.Registry(key)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the registry (-want +got):\n%s", diff)
	}
}

func setValue(t *testing.T, p *winetest.Prefix, key, name, kind, value string) {
	t.Helper()
	if res := p.Run(t.TempDir(), fmt.Sprintf(`reg.exe add "HKLM\%s" /v %s /t %s /d "%s" /f`, key, name, kind, value)); res.Code != 0 {
		t.Fatalf("%+v", res)
	}
}

func deleteValue(t *testing.T, p *winetest.Prefix, key, name string) {
	t.Helper()
	if res := p.Run(t.TempDir(), fmt.Sprintf(`reg.exe delete "HKLM\%s" /v %s /f`, key, name)); res.Code != 0 {
		t.Fatalf("%+v", res)
	}
}

// knowsProviders makes the keys that are there on every Windows, if not on Wine's.
func knowsProviders(t *testing.T, p *winetest.Prefix) {
	t.Helper()
	setValue(t, p, strings.TrimSuffix(providerKey, `\`+credprov.CLSID), "Test", "REG_SZ", "1")
	setValue(t, p, policyKey, "Test", "REG_SZ", "1")
}

// tileStatus runs a command of the agent's about the tile.
func tileStatus(t *testing.T, p *winetest.Prefix, dir, command string, code int) *agent.TileStatus {
	t.Helper()
	res := mustRun(t, p, dir, command+" --json", code)
	s := new(agent.TileStatus)
	if err := json.Unmarshal([]byte(res.Stdout), s); err != nil {
		t.Fatalf("%v in %s", err, res.Stdout)
	}
	return s
}

// The tile as shipped, from installation over upgrades, good and bad, to the end.
func TestWindowsRegistersTheTile(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	old := deliver(t, "1.2.3")
	old.carryTile(nil)
	old.write()
	knowsProviders(t, p)
	untouched := snapshot(t, p, allKeys)

	mustRun(t, p, old.dir, installCommand, exitOK)
	is(t, p, classKey, registered("1.2.3")...)
	is(t, p, providerKey, providerKey+`\`, providerKey+`\="Firstday"`)
	if s := tileStatus(t, p, old.dir, `firstday-agent-amd64.exe tile status`, exitOK); *s != (agent.TileStatus{State: agent.TileOn, File: `C:\` + inVersion("1.2.3")}) {
		t.Errorf("%+v", s)
	}
	if s := status(t, p, old.dir, exitNotEnrolled); s.Tile == nil || s.Tile.State != agent.TileOn {
		t.Errorf("status: %+v", s.Tile)
	}
	dll, err := os.ReadFile(p.Path(inVersion("1.2.3")))
	if err != nil || string(dll) != string(credentialProvider(t, "amd64", "1.2.3")) {
		t.Errorf("the tile is another file: %v", err)
	}
	before := snapshot(t, p, someKeys)
	mustRun(t, p, old.dir, installCommand, exitOK)
	if diff := cmp.Diff(before, snapshot(t, p, someKeys)); diff != "" {
		t.Errorf("the second run changed (-before +after):\n%s", diff)
	}

	// What calls itself 1.2.4 is no agent: the tile stays that of the old one.
	broken := deliver(t, "1.2.4")
	broken.carryTile(nil)
	program := build(t, "firstday.dev/cmd/firstday-agent/testdata/payload", "amd64", "")
	starter := broken.Agents[0]
	broken.Agents[0].File, broken.Agents[0].SHA256 = "broken.exe", broken.put("broken.exe", program)
	broken.write()
	mustRun(t, p, broken.dir, starter.File+" install", exitFailure)
	is(t, p, classKey, registered("1.2.3")...)
	if s := tileStatus(t, p, old.dir, `firstday-agent-amd64.exe tile status`, exitOK); s.State != agent.TileOn {
		t.Errorf("after a failed upgrade: %+v", s)
	}

	// Administrators switch it off in three ways; an upgrade leaves that so.
	setValue(t, p, ourKey+`\CredentialProvider`, "Disabled", "REG_DWORD", "1")
	setValue(t, p, providerKey, "Disabled", "REG_DWORD", "1")
	setValue(t, p, policyKey, "ExcludedCredentialProviders", "REG_SZ", "{00000000-0000-0000-0000-000000000001}, "+strings.ToLower(credprov.CLSID))
	policy := p.Registry(policyKey)
	next := deliver(t, "1.3.0")
	next.carryTile(nil)
	next.write()
	mustRun(t, p, next.dir, installCommand, exitOK)
	is(t, p, classKey, registered("1.3.0")...)
	is(t, p, ourKey, ourKey+`\`, ourKey+`\CredentialProvider\`, ourKey+`\CredentialProvider\Disabled=4:01000000`)
	for _, by := range []agent.TileAuthority{agent.ByAdministrator, agent.ByWindows, agent.ByPolicy} {
		if s := tileStatus(t, p, next.dir, `firstday-agent-amd64.exe tile status`, exitNoTile); s.State != agent.TileOff || s.By != by {
			t.Errorf("%s: %+v", by, s)
		}
		switch by {
		case agent.ByAdministrator:
			if s := tileStatus(t, p, next.dir, `firstday-agent-amd64.exe tile on`, exitNoTile); s.By != agent.ByWindows {
				t.Errorf("the others are left alone: %+v", s)
			}
		case agent.ByWindows:
			is(t, p, providerKey, providerKey+`\`, providerKey+`\="Firstday"`, providerKey+`\Disabled=4:01000000`)
			deleteValue(t, p, providerKey, "Disabled")
		case agent.ByPolicy:
			is(t, p, policyKey, policy...)
			deleteValue(t, p, policyKey, "ExcludedCredentialProviders")
		}
	}
	if versions, err := os.ReadDir(p.Path(`Program Files\Firstday\Agent`)); err != nil || len(versions) != 1 || versions[0].Name() != "1.3.0" {
		t.Errorf("versions: %v %v", versions, err)
	}

	// Who took it out of the registry finds it so; who wants it back gets it.
	if res := p.Run(t.TempDir(), `reg.exe delete "HKLM\`+providerKey+`" /f`); res.Code != 0 {
		t.Fatalf("%+v", res)
	}
	if s := status(t, p, next.dir, exitFaulty); s.Tile.State != agent.TileBroken || s.Tile.Reason != "its registration is incomplete" {
		t.Errorf("%+v", s.Tile)
	}
	if s := tileStatus(t, p, next.dir, `firstday-agent-amd64.exe tile on`, exitOK); s.State != agent.TileOn {
		t.Errorf("%+v", s)
	}
	if s := tileStatus(t, p, next.dir, `firstday-agent-amd64.exe tile off --reason "for a while"`, exitOK); s.By != agent.ByAdministrator || s.Reason != "for a while" || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}

	mustRun(t, p, next.dir, `firstday-agent-amd64.exe uninstall`, exitOK)
	if diff := cmp.Diff(untouched, snapshot(t, p, allKeys)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	mustRun(t, p, next.dir, `firstday-agent-amd64.exe tile status`, exitNotInstalled)
}

// person starts somebody who does something at the sign-in screen, in a folder of
// their own.
func person(t *testing.T, p *winetest.Prefix, what string) (host *winetest.Running, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp(p.Path(""), "person-")
	if err != nil {
		t.Fatal(err)
	}
	program := winetest.Build(t, "firstday.dev/cmd/firstday-agent/testdata/tile", "amd64")
	return p.Start(folder, p.Command(program)+" "+what+` C:\`+filepath.Base(folder)), folder
}

// holding is a sign-in screen that has the tile loaded until end is called.
func holding(t *testing.T, p *winetest.Prefix) (end func()) {
	t.Helper()
	host, folder := person(t, p, "hold")
	waitUntil(t, "the tile to be loaded", func() bool { _, err := os.Stat(filepath.Join(folder, "loaded.txt")); return err == nil })
	return func() {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "end.txt"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if res := host.Wait(); res.Code != 0 {
			t.Errorf("%+v", res)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	}
}

// refused tries to load the tile.
func refused(t *testing.T, p *winetest.Prefix) {
	t.Helper()
	if host, _ := person(t, p, "hold"); host.Wait().Code != 3 {
		t.Error("the tile is loaded")
	}
}

// The watchdog's way, with the real directory: three starts that came to no good
// end, the switch, the report, and the way back.
func TestWindowsWatchdogDisablesTheTile(t *testing.T) {
	t.Parallel()
	service, p, d := offering(t)
	holding(t, p)()
	starts := p.Path(inVersion("1.2.3") + ".starts")
	if err := os.WriteFile(starts, []byte("!!!"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // a start of just now may still come to good
	if err := os.Chtimes(starts, old, old); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"stop", "start"} { // it looks when it starts
		mustRun(t, p, d.dir, `sc.exe `+verb+` firstday-agent`, 0)
	}
	heard := func(problem string) {
		t.Helper()
		waitUntil(t, "the directory to hear: "+problem, func() bool {
			all := strings.Join(service.OnlyDevice().Facts.Problems, "; ")
			return problem != "" && strings.Contains(all, problem) || problem == "" && all == ""
		})
	}
	heard("the watchdog has disabled the tile of the sign-in screen: LogonUI crashed with it 3 times")
	values := strings.Join(p.Registry(ourKey), "\n")
	for _, want := range []string{`\Disabled=4:01000000`, `\DisabledBy="watchdog"`, `\Reason="LogonUI crashed with it 3 times"`, `\Since="20`, `\SHA256="` + d.Agents[0].CredentialProvider.SHA256} {
		if !strings.Contains(values, want) {
			t.Errorf("%s is not in\n%s", want, values)
		}
	}
	if s := tileStatus(t, p, d.dir, `firstday-agent-amd64.exe tile status`, exitNoTile); s.State != agent.TileOff || s.By != agent.ByWatchdog || s.Strikes != 3 {
		t.Errorf("%+v", s)
	}
	if s := mustRun(t, p, d.dir, `firstday-agent-amd64.exe status`, exitFaulty); !strings.Contains(s.Stdout, "the watchdog has disabled the tile") {
		t.Errorf("status: %s", s.Stdout)
	}
	// It is the switch that keeps it away, too.
	if err := os.Remove(starts); err != nil {
		t.Fatal(err)
	}
	refused(t, p)
	if err := os.WriteFile(starts, []byte("!!!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := tileStatus(t, p, d.dir, `firstday-agent-amd64.exe tile on`, exitOK); s.State != agent.TileOn || s.Strikes != 0 {
		t.Errorf("%+v", s)
	}
	holding(t, p)()
	if res := p.Run(t.TempDir(), `reg.exe query HKLM\`+ourKey); res.Code == 0 {
		t.Errorf("our key is left: %s", res.Stdout)
	}
	for _, verb := range []string{"stop", "start"} {
		mustRun(t, p, d.dir, `sc.exe `+verb+` firstday-agent`, 0)
	}
	heard("")
}

// A sign-in screen has the tile loaded: upgrades and the end do not wait for it.
// Wine lets a loaded file be deleted; where Windows does not, it is set aside.
func TestWindowsTileIsLoadedMeanwhile(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.carryTile(nil)
	d.write()
	mustRun(t, p, d.dir, installCommand, exitOK)
	end := holding(t, p)

	// Other bytes under the same version.
	again := deliver(t, "1.2.3")
	pki := testpki.New(t)
	p.Trust(pki.Root.Certificate())
	again.carryTile(pki.CodeRSA)
	again.write()
	mustRun(t, p, again.dir, installCommand, exitOK)
	is(t, p, classKey, registered("1.2.3")...)
	if s := tileStatus(t, p, d.dir, `firstday-agent-amd64.exe tile status`, exitOK); s.State != agent.TileOn {
		t.Errorf("%+v", s)
	}
	next := deliver(t, "1.3.0")
	next.carryTile(nil)
	next.write()
	endSecond := holding(t, p)
	mustRun(t, p, next.dir, installCommand, exitOK)
	if versions, err := os.ReadDir(p.Path(`Program Files\Firstday\Agent`)); err != nil || len(versions) != 1 || versions[0].Name() != "1.3.0" {
		t.Errorf("versions: %v %v", versions, err)
	}
	endThird := holding(t, p)
	mustRun(t, p, next.dir, `firstday-agent-amd64.exe uninstall`, exitOK)
	if _, err := os.Stat(p.Path(`Program Files\Firstday`)); !os.IsNotExist(err) {
		t.Errorf("after uninstall: %v", err)
	}
	for _, end := range []func(){end, endSecond, endThird} {
		end()
	}
	p.PowerCut()
	if left, err := filepath.Glob(p.Path(`windows\Temp\firstday-*`)); err != nil || len(left) != 0 {
		t.Errorf("after a restart: %q, %v", left, err)
	}
}

// An installation is killed wherever it is, again and again: Windows never loads
// what is not there, and the next one comes to the end.
func TestWindowsTileSurvivesKilledInstallations(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	var packages []*delivery
	for _, version := range []string{"1.2.3", "1.3.0"} {
		d := deliver(t, version)
		d.carryTile(nil)
		d.write()
		packages = append(packages, d)
	}
	mustRun(t, p, packages[0].dir, installCommand, exitOK)
	for i, phase := range []agent.Phase{agent.PhaseCopy, agent.PhaseRegister, agent.PhaseStart, agent.PhaseTile, agent.PhaseTidy} {
		d := packages[(i+1)%2]
		install := p.Start(d.dir, installCommand+" --force")
		waitUntil(t, "the phase "+string(phase), func() bool {
			data, _ := os.ReadFile(p.Path(`ProgramData\Firstday\install.json`))
			return strings.Contains(string(data), d.PackageID.String()) && (strings.Contains(string(data), fmt.Sprintf(`"phase": "%s"`, phase)) || strings.Contains(string(data), `"phase": "done"`))
		})
		install.Kill()
		for _, line := range p.Registry(classKey) {
			path, found := strings.CutPrefix(line, classKey+`\InprocServer32\="C:\\`)
			if !found {
				continue
			}
			if _, err := os.Stat(p.Path(strings.ReplaceAll(strings.TrimSuffix(path, `"`), `\\`, `\`))); err != nil {
				t.Errorf("killed in %s, Windows loads what is not there: %v", phase, err)
			}
		}
		mustRun(t, p, d.dir, installCommand+" --force", exitOK)
		is(t, p, classKey, registered(d.Agents[0].Version)...)
		if s := tileStatus(t, p, d.dir, `firstday-agent-amd64.exe tile status`, exitOK); s.State != agent.TileOn {
			t.Errorf("killed in %s, then: %+v", phase, s)
		}
	}
}
