package main

import (
	"archive/zip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/winetest"
)

// The Windows agent, under Wine, and a real directory: what the laptop does by
// itself once the package has run.
func TestWindowsEnrols(t *testing.T) {
	t.Parallel()
	service := testdirectory.New(t)
	p := winetest.New(t)
	d := deliver(t, "1.2.3")
	d.Directory = service.At
	d.ConnectKey = service.MustMint(api.NewConnectKey{PackageID: d.PackageID, Platforms: []api.Platform{api.Windows}, Batch: "PO-7"})
	d.write()
	mustRun(t, p, d.dir, installCommand, exitOK)
	var s *agent.Status
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		res := p.Run(d.dir, `firstday-agent-amd64.exe status --json`)
		s = new(agent.Status)
		if err := json.Unmarshal([]byte(res.Stdout), s); err != nil {
			t.Fatalf("%v in %s", err, res.Stdout)
		}
		kept, err := os.ReadFile(p.Path(`ProgramData/Firstday/enrollment.json`))
		if err != nil {
			t.Fatal(err)
		}
		erased := !strings.Contains(string(kept), d.ConnectKey.Reveal())
		if res.Code == exitOK && erased {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, the connect key is erased: %v", s.Enrolment, erased)
		}
	}
	device := service.OnlyDevice()
	if s.Enrolment.DeviceID != device.ID || !s.Healthy || device.Batch != "PO-7" || device.PackageID != d.PackageID ||
		device.Facts.Platform != api.Windows || device.Facts.AgentVersion != "1.2.3" || device.Facts.Name == "" {
		t.Errorf("status says %+v, the directory %+v", s.Enrolment, device)
	}
	// There is no TPM in Wine; its TPM base services say so.
	if k := s.Enrolment.Key; k == nil || k.Storage != api.KeyInFile || !strings.HasPrefix(k.Reason, "there is no TPM: TBS Error 0x8028400F") || device.Facts.KeyStorage != api.KeyInFile {
		t.Errorf("the key is %+v", k)
	}
	res := mustRun(t, p, d.dir, `firstday-agent-amd64.exe diagnose --json -o C:\bundle.zip`, exitOK)
	var found diagnoseResult
	if err := json.Unmarshal([]byte(res.Stdout), &found); err != nil {
		t.Fatalf("%v in %s", err, res.Stdout)
	}
	if len(found.Problems) != 0 || !found.Key.Works || found.DeviceID != device.ID || !found.Installed || found.Service != agent.ServiceRunning {
		t.Errorf("diagnose finds %s", res.Stdout)
	}
	if bundle, err := zip.OpenReader(p.Path(`bundle.zip`)); err != nil {
		t.Error(err)
	} else {
		for _, f := range found.Files {
			if _, err := bundle.Open(f.Name); (err == nil) != (f.Missing == "") {
				t.Errorf("%+v, in the bundle: %v", f, err)
			}
		}
		bundle.Close()
	}
	// The package runs again, with the key: nothing is new.
	mustRun(t, p, d.dir, installCommand, exitOK)
	mustRun(t, p, d.dir, `firstday-agent-amd64.exe uninstall`, exitOK)
	if _, err := os.Stat(p.Path(`ProgramData/Firstday`)); !os.IsNotExist(err) {
		t.Errorf("after uninstall: %v", err)
	}
}

// offering installs the agent, with the accounts of testdata/wine, and its tile,
// both signed by somebody whom this Windows trusts, and waits until it listens.
func offering(t *testing.T) (service *testdirectory.Service, p *winetest.Prefix, d *delivery) {
	t.Helper()
	return offeringIn(t, winetest.New(t))
}

// offeringIn replaces more of the agent's files.
func offeringIn(t *testing.T, prefix *winetest.Prefix, replaced ...string) (service *testdirectory.Service, p *winetest.Prefix, d *delivery) {
	t.Helper()
	service = testdirectory.New(t)
	service.Change(func(s *api.Settings) { s.Windows.PIN = api.PINOff })
	p = prefix
	pki := testpki.New(t)
	p.Trust(pki.Root.Certificate())
	d = deliver(t, "1.2.3")
	d.BreakGlass = "rescue"
	d.Agents[0].SHA256 = d.put(d.Agents[0].File, testcredprov.Sign(t, build(t, "firstday.dev/cmd/firstday-agent", "amd64", "1.2.3", append(replaced, "accounts_windows.go")...), pki.CodeRSA))
	d.carryTile(pki.CodeRSA)
	d.Directory = service.At
	d.ConnectKey = service.MustMint(api.NewConnectKey{PackageID: d.PackageID, Platforms: []api.Platform{api.Windows}})
	d.write()
	mustRun(t, p, d.dir, installCommand, exitOK)
	waitUntil(t, "the agent to listen", func() bool { return isHealthy(p, d.dir) })
	return service, p, d
}

// isHealthy tells whether the agent has enrolled, and says that all is well.
func isHealthy(p *winetest.Prefix, dir string) bool {
	s := new(agent.Status)
	res := p.Run(dir, `firstday-agent-amd64.exe status --json`)
	return json.Unmarshal([]byte(res.Stdout), s) == nil && s.Healthy
}

// The sign-in under Wine, over the named pipe, from the package to the account:
// all is real but the accounts, which Wine cannot make.
func TestWindowsSignsIn(t *testing.T) {
	t.Parallel()
	service, p, d := offering(t)
	surface := p.Command(winetest.Build(t, "firstday.dev/cmd/firstday-agent/testdata/surface", "amd64"))
	address := strings.TrimSpace(mustRun(t, p, d.dir, surface+" start", 0).Stdout)
	number, err := service.MustHire("ann").SignIn(t.Context(), service.At, address)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(mustRun(t, p, d.dir, surface+" finish "+number, 0).Stdout); got != "ann" {
		t.Errorf("the account is %q", got)
	}
	bound, err := service.Device(t.Context(), service.OnlyDevice().ID)
	if err != nil || len(bound.Users) != 1 || bound.Users[0].State != api.Bound || bound.Users[0].Account != "ann" {
		t.Errorf("%+v, %v", bound, err)
	}
	store, err := accounts.MemoryIn(api.Windows, p.Path(`ProgramData/Firstday/accounts.json`))
	if err != nil || !store.CheckPassword("ann", "Grüße von 100 % Acme") {
		t.Errorf("ann cannot sign in with the password: %v", err)
	}
	if res := p.Run(d.dir, `firstday-agent-amd64.exe signin`); res.Code != exitUsage || !strings.Contains(res.Stderr, "it needs a terminal") {
		t.Errorf("signin without a terminal: %+v", res)
	}
}

// tile puts a person in front of the sign-in screen. there tells whether they have
// written a file of that name into the folder.
func tile(t *testing.T, p *winetest.Prefix, d *delivery, what string) (host *winetest.Running, folder string, there func(name string) func() bool) {
	t.Helper()
	folder = p.Path(`tile`)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	program := winetest.Build(t, "firstday.dev/cmd/firstday-agent/testdata/tile", "amd64")
	return p.Start(d.dir, p.Command(program)+" "+what+` C:\tile`), folder, func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(folder, name)); return err == nil }
	}
}

// The agent is killed, and the tile goes; it comes back with the agent.
func TestWindowsTileGoesWithTheAgent(t *testing.T) {
	t.Parallel()
	_, p, d := offering(t)
	host, _, there := tile(t, p, d, "leave")
	for _, state := range []string{"ready", "waiting"} {
		waitUntil(t, "the tile in the state "+state, there(state+".txt"))
		mustRun(t, p, d.dir, `taskkill.exe /f /im firstday-agent.exe`, 0)
		waitUntil(t, "the tile to be gone", there(state+".gone.txt"))
		if state == "ready" {
			mustRun(t, p, d.dir, `sc.exe start firstday-agent`, 0)
		}
	}
	if res := host.Wait(); res.Code != 0 {
		t.Errorf("%+v", res)
	}
}

// The switch at the directory takes the tile off a device that is online, in
// seconds, and puts it back.
func TestWindowsTileGoesWithTheSetting(t *testing.T) {
	t.Parallel()
	service, p, d := offering(t)
	host, _, there := tile(t, p, d, "watch")
	waitUntil(t, "the tile", there("shown.txt"))
	for _, c := range []struct {
		ssap bool
		file string
	}{{false, "gone.txt"}, {true, "back.txt"}} {
		begun := time.Now()
		service.Change(func(s *api.Settings) { s.Windows.SSAP = c.ssap })
		waitUntil(t, c.file, there(c.file))
		t.Logf("ssap %v: %s after %v", c.ssap, c.file, time.Since(begun).Round(time.Millisecond))
	}
	if res := host.Wait(); res.Code != 0 {
		t.Errorf("%+v", res)
	}
}
