package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"firstday.dev/api"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// sample is a package for every architecture with two payloads.
func sample(version string) *api.Enrollment {
	e := &api.Enrollment{
		Version: api.EnrollmentVersion, Organisation: "Acme",
		Directory:  api.Directory{URL: "https://directory.acme.test"},
		ConnectKey: "fk_very-secret",
		PackageID:  uuid.New(), PackageName: "Acme laptops", PackageVer: "1.0",
		SignIn: api.SignIn{Enabled: true, Permission: "standard"},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		e.Agents = append(e.Agents, api.AgentFile{
			File: "firstday-agent-" + arch, Arch: arch, Version: version, SHA256: digest([]byte("agent " + version)),
			CredentialProvider: api.CarriedFile{File: "firstday-credprov-" + arch + ".dll", SHA256: digest([]byte("tile " + version))},
		})
	}
	for _, name := range []string{"one.exe", "two.exe"} {
		e.Payloads = append(e.Payloads, api.Payload{File: name, Kind: "exe", SHA256: digest([]byte(name)), Arguments: "/S --token=hidden"})
	}
	return e
}

// deliver puts a package's files side by side.
func deliver(t *testing.T, e *api.Enrollment) *Bundle {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range e.Agents {
		write(a.File, []byte("agent "+a.Version))
		if tile := a.CredentialProvider; tile.File != "" {
			write(tile.File, []byte("tile "+a.Version))
		}
	}
	for _, p := range e.Payloads {
		write(p.File, []byte(p.File))
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	write(api.EnrollmentFile, data)
	b, err := OpenBundle(filepath.Join(dir, api.EnrollmentFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func (m *machine) install(b *Bundle, opts InstallOptions) (Outcome, error) {
	return m.agent("9.9.9").Install(context.Background(), b, opts)
}

func (m *machine) mustInstall(b *Bundle) Outcome {
	m.t.Helper()
	out, err := m.install(b, InstallOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func (m *machine) status() *Status {
	m.t.Helper()
	s, err := m.agent("9.9.9").Status(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *machine) payloadStates() []PayloadState {
	m.t.Helper()
	var states []PayloadState
	for _, r := range m.status().Payloads {
		states = append(states, r.State)
	}
	return states
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 3000 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within half a minute: %s", what)
}

func TestInstallPutsEverythingInPlace(t *testing.T) {
	m := newMachine(t)
	m.arch = "arm64"
	e := sample("1.2.3")
	b := deliver(t, e)
	if out := m.mustInstall(b); !out.Changed || out.AgentVersion != "1.2.3" {
		t.Errorf("outcome: %+v", out)
	}
	program := m.Layout().Agent("1.2.3")
	want := map[string]string{
		"service": program, "tile": m.Layout().CredentialProvider("1.2.3"),
		".": "folder", "Data": "folder", "Data/log": "folder",
		"Data/enrollment.json": string(b.raw), "Data/install.lock": "",
		"Program": "folder", "Program/Agent": "folder", "Program/Agent/1.2.3": "folder",
		"Program/Agent/1.2.3/agent": "agent 1.2.3", "Program/Agent/1.2.3/firstday-credprov.dll": "tile 1.2.3",
	}
	got := make(map[string]string)
	for name, value := range m.tree() {
		got[filepath.ToSlash(name)] = value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one.exe", "two.exe"}, m.started()); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
}

func TestSecondInstallChangesNothing(t *testing.T) {
	m := newMachine(t)
	b := deliver(t, sample("1.2.3"))
	m.mustInstall(b)
	before := m.tree()
	state, err := os.ReadFile(m.Layout().State())
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(m.Layout().InstallLog())
	if err != nil {
		t.Fatal(err)
	}
	if out := m.mustInstall(b); out.Changed {
		t.Errorf("outcome: %+v", out)
	}
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("tree (-before +after):\n%s", diff)
	}
	if after, _ := os.ReadFile(m.Layout().State()); string(after) != string(state) {
		t.Error("the state was rewritten")
	}
	if after, _ := os.ReadFile(m.Layout().InstallLog()); string(after) != string(log) {
		t.Error("the log grew")
	}
	if got := m.started(); len(got) != 2 {
		t.Errorf("payloads ran again: %q", got)
	}
}

// dying runs an installation that may end in a power cut.
func dying(m *machine, a *Agent, b *Bundle) (died bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errPowerCut { //nolint:errorlint // the very value
				panic(r)
			}
			died = true
		}
	}()
	_, err = a.Install(context.Background(), b, InstallOptions{})
	return false, err
}

// The power fails at every single request to the system in turn. Whatever was
// reached, the service after the restart and another install come to the same
// end as an undisturbed installation.
func TestInstallSurvivesAPowerCutAnywhere(t *testing.T) {
	old, next := sample("1.2.3"), sample("1.3.0")
	undisturbed := newMachine(t)
	undisturbed.mustInstall(deliver(t, old))
	undisturbed.mustInstall(deliver(t, next))
	total := undisturbed.calls

	relative := func(m *machine) map[string]string {
		tree := m.tree()
		for _, name := range []string{"service", "tile"} {
			tree[name], _ = filepath.Rel(m.dir, tree[name])
		}
		return tree
	}
	want := relative(undisturbed)
	oldBundle, nextBundle := deliver(t, old), deliver(t, next)
	for n := 1; n <= total+20; n++ {
		m := newMachine(t)
		m.mustInstall(oldBundle)
		m.powerCut = m.calls + n
		died, err := dying(m, m.agent("9.9.9"), nextBundle)
		if err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		if !died {
			t.Logf("%d places to die in an upgrade", n-1)
			return
		}
		if dll := m.tile.registration().DLL; dll != "" {
			if _, err := os.Stat(dll); err != nil {
				t.Fatalf("after a power cut at call %d Windows loads what is not there: %v", n, err)
			}
		}
		m.restart()
		m.mustInstall(nextBundle)
		if diff := cmp.Diff(want, relative(m)); diff != "" {
			t.Fatalf("after a power cut at call %d (-want +got):\n%s", n, diff)
		}
		if s := m.status(); s.Phase != PhaseDone || s.Service.AgentVersion != "1.3.0" {
			t.Fatalf("after a power cut at call %d: %+v", n, s)
		}
		m.halt()
	}
	t.Fatal("it never came to an end")
}

// The same at the phases' own borders, where the state has just been written.
func TestInstallSurvivesAPowerCutAtEachPhase(t *testing.T) {
	b := deliver(t, sample("1.2.3"))
	for _, phase := range []Phase{PhaseCopy, PhaseConfigure, PhaseRegister, PhaseStart, PhaseTile, PhasePayloads} {
		for _, at := range []moment{before, "running", after} {
			if at == "running" && phase != PhasePayloads {
				continue
			}
			t.Run(fmt.Sprint(at, " ", phase), func(t *testing.T) {
				m := newMachine(t)
				a := m.agent("9.9.9")
				a.entered = func(p Phase, when moment) {
					if p == phase && when == at {
						panic(errPowerCut)
					}
				}
				if died, err := dying(m, a, b); err != nil || !died {
					t.Fatalf("died %v, error %v", died, err)
				}
				s, err := readState(m.Layout().State())
				if err != nil || s.Phase != phase {
					t.Errorf("the state on disk says %+v, %v", s, err)
				}
				m.restart()
				m.mustInstall(b)
				if s := m.status(); s.Phase != PhaseDone || !slices.Equal(m.payloadStates(), []PayloadState{PayloadDone, PayloadDone}) {
					t.Errorf("status: %+v", s)
				}
			})
		}
	}
}

// Windows applies a package once. What was interrupted when there was a service
// already, the service ends alone.
func TestTheServiceEndsWhatAPowerCutInterrupted(t *testing.T) {
	next := sample("1.2.3")
	next.ConnectKey = "fk_another"
	for name, c := range map[string]struct {
		phase Phase
		at    moment
		again bool // it is the second package with the same agent
	}{
		"registered":               {PhaseRegister, after, false},
		"before the start":         {PhaseStart, before, false},
		"started":                  {PhaseStart, after, false},
		"before payloads":          {PhasePayloads, before, false},
		"payload runs":             {PhasePayloads, "running", false},
		"configured anew":          {PhaseConfigure, after, true},
		"before the start anew":    {PhaseStart, before, true},
		"before the payloads anew": {PhasePayloads, before, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			b := deliver(t, sample("1.2.3"))
			if c.again {
				m.mustInstall(b)
				b = deliver(t, next)
			}
			a := m.agent("9.9.9")
			a.entered = func(p Phase, when moment) {
				if p == c.phase && when == c.at {
					panic(errPowerCut)
				}
			}
			if died, err := dying(m, a, b); err != nil || !died {
				t.Fatalf("died %v, error %v", died, err)
			}
			m.restart()
			eventually(t, "the installation is done", func() bool {
				s := m.status()
				return s.Phase == PhaseDone && *s.PackageID == b.PackageID && slices.Equal(m.payloadStates(), []PayloadState{PayloadDone, PayloadDone})
			})
		})
	}
}

func TestNewPackageTakesOver(t *testing.T) {
	m := newMachine(t)
	first, second := sample("1.2.3"), sample("1.2.3")
	second.ConnectKey = "fk_another"
	m.mustInstall(deliver(t, first))
	out := m.mustInstall(deliver(t, second))
	if !out.Changed {
		t.Error("nothing changed")
	}
	if s := m.status(); *s.PackageID != second.PackageID || s.Phase != PhaseDone {
		t.Errorf("status: %+v", s)
	}
	if r, err := readReport(m.Layout().Report()); err != nil || r.PackageID != second.PackageID {
		t.Errorf("the service lives by %+v, %v", r, err)
	}
	if got := m.started(); len(got) != 4 {
		t.Errorf("payloads: %q", got)
	}
	if _, err := os.Lstat(m.Layout().PreviousEnrollment()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the older connect key is still there: %v", err)
	}
}

func TestDowngradeNeedsForce(t *testing.T) {
	m := newMachine(t)
	m.mustInstall(deliver(t, sample("1.3.0")))
	before := m.tree()
	old := deliver(t, sample("1.3.0-rc.1"))
	if _, err := m.install(old, InstallOptions{}); !errors.Is(err, ErrDowngrade) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("tree (-before +after):\n%s", diff)
	}
	if _, err := m.install(old, InstallOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if s := m.status(); s.Service.AgentVersion != "1.3.0-rc.1" {
		t.Errorf("status: %+v", s)
	}
}

func TestFailedUpgradePutsTheOldAgentBack(t *testing.T) {
	m := newMachine(t)
	old := sample("1.2.3")
	m.mustInstall(deliver(t, old))
	next := sample("1.3.0")
	b := deliver(t, next)
	broken := []byte("no agent at all")
	b.Agents[0].SHA256 = digest(broken)
	if err := b.root.WriteFile(b.Agents[0].File, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.install(b, InstallOptions{}); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "the old agent runs", func() bool { return m.status().Service.AgentVersion == "1.2.3" })
	s := m.status()
	if *s.PackageID != old.PackageID || s.AgentVersion != "1.2.3" || s.Phase != PhaseStart || s.PhaseError == "" {
		t.Errorf("status: %+v", s)
	}
	m.mustInstall(deliver(t, sample("1.3.1")))
	if diff := cmp.Diff([]string{"1.3.1"}, names(t, m.Layout().Program)); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestFailedPackagePutsTheOldEnrollmentBack(t *testing.T) {
	m := newMachine(t)
	m.limits.StartLimit = 200 * time.Millisecond
	old, next := sample("1.2.3"), sample("1.2.3")
	next.ConnectKey = "fk_another"
	m.mustInstall(deliver(t, old))
	m.hangsOn = next.ConnectKey.Reveal()
	if _, err := m.install(deliver(t, next), InstallOptions{}); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "the old enrollment is lived by", func() bool {
		r, err := readReport(m.Layout().Report())
		return err == nil && r.PackageID == old.PackageID
	})
	m.hangsOn = ""
	m.mustInstall(deliver(t, next))
	if s := m.status(); *s.PackageID != next.PackageID || s.Phase != PhaseDone {
		t.Errorf("status: %+v", s)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestInstallTouchesNothingForABadPackage(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, m *machine, b *Bundle)
		want  error
	}{
		"changed agent": {func(t *testing.T, _ *machine, b *Bundle) {
			if err := b.root.WriteFile("firstday-agent-amd64", []byte("agent 6.6.6"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrEnrollment},
		"changed payload": {func(t *testing.T, _ *machine, b *Bundle) {
			if err := b.root.WriteFile("two.exe", []byte("two.exf"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrEnrollment},
		"missing payload": {func(t *testing.T, _ *machine, b *Bundle) {
			if err := b.root.Remove("two.exe"); err != nil {
				t.Fatal(err)
			}
		}, ErrEnrollment},
		"link": {func(t *testing.T, _ *machine, b *Bundle) {
			if err := errors.Join(b.root.Rename("two.exe", "three.exe"), b.root.Symlink("three.exe", "two.exe")); err != nil {
				t.Fatal(err)
			}
		}, ErrEnrollment},
		"folder": {func(t *testing.T, _ *machine, b *Bundle) {
			if err := errors.Join(b.root.Remove("two.exe"), b.root.Mkdir("two.exe", 0o755)); err != nil {
				t.Fatal(err)
			}
		}, ErrEnrollment},
		"other architecture": {func(_ *testing.T, m *machine, _ *Bundle) { m.arch = "riscv64" }, ErrArchitecture},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			b := deliver(t, sample("1.2.3"))
			test.spoil(t, m, b)
			if _, err := m.install(b, InstallOptions{}); !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if got := names(t, m.dir); got != nil {
				t.Errorf("it made %q", got)
			}
		})
	}
}

func TestUninstallLeavesNothing(t *testing.T) {
	m := newMachine(t)
	m.mustInstall(deliver(t, sample("1.2.3")))
	m.mustSwitchTile(false, "for a while")
	for range 2 {
		if err := m.agent("1.2.3").Uninstall(context.Background()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"service": "", "tile": "", ".": "folder"}, m.tree()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if r := m.tile.registration(); r != (TileRegistration{}) {
			t.Errorf("Windows still knows %+v", r)
		}
	}
	if _, err := m.agent("1.2.3").Status(context.Background()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("status: %v", err)
	}
}

// Whoever cannot uninstall leaves a device as it was.
func TestUninstallWaitsForAnother(t *testing.T) {
	m := newMachine(t)
	m.limits.lockPatience = 50 * time.Millisecond
	m.mustInstall(deliver(t, sample("1.2.3")))
	m.lock <- struct{}{}
	if err := m.agent("1.2.3").Uninstall(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	<-m.lock
	if s := m.status(); s.Service.State != ServiceRunning {
		t.Errorf("the service is %s", s.Service.State)
	}
}

func TestInstallWaitsForAnother(t *testing.T) {
	m := newMachine(t)
	m.limits.InstallLimit = 50 * time.Millisecond
	m.lock <- struct{}{}
	if _, err := m.install(deliver(t, sample("1.2.3")), InstallOptions{}); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	<-m.lock
}
