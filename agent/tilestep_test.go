package agent

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

func (m *machine) mustSwitchTile(on bool, reason string) *TileStatus {
	m.t.Helper()
	s, err := m.agent("9.9.9").SwitchTile(on, reason)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// loads is what Windows has when nobody has switched anything.
func loads(dll string) TileRegistration {
	return TileRegistration{DLL: dll, Complete: true, Listed: true}
}

func TestUpgradeSwapsTheTile(t *testing.T) {
	m := newMachine(t)
	m.mustInstall(deliver(t, sample("1.2.3")))
	if diff := cmp.Diff(loads(m.Layout().CredentialProvider("1.2.3")), m.tile.registration()); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
	// Whatever administrators have switched off stays off.
	m.mustSwitchTile(false, "for a while")
	m.tile.change(func(f *fakeTile) { f.r.Disabled, f.r.Excluded = true, true })
	want := m.tile.registration()
	m.mustInstall(deliver(t, sample("1.3.0")))
	want.DLL = m.Layout().CredentialProvider("1.3.0")
	if diff := cmp.Diff(want, m.tile.registration()); diff != "" {
		t.Errorf("upgraded (-want +got):\n%s", diff)
	}

	bare := sample("1.4.0")
	for i := range bare.Agents {
		bare.Agents[i].CredentialProvider = api.CarriedFile{}
	}
	m.mustInstall(deliver(t, bare))
	if r := m.tile.registration(); r.DLL != "" || r.Listed {
		t.Errorf("of a package without a tile: %+v", r)
	}
	if s := m.status(); s.Tile == nil || s.Tile.State != TileNone {
		t.Errorf("status: %+v", s.Tile)
	}
}

// The same version with another tile: the file cannot be written over while a
// sign-in screen has it.
func TestAnotherTileUnderTheSameVersion(t *testing.T) {
	m := newMachine(t)
	m.mustInstall(deliver(t, sample("1.2.3")))
	dll := m.Layout().CredentialProvider("1.2.3")
	for path, data := range map[string]string{dll: "tile of somebody else", sentinel(dll): "!!!"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.tile.change(func(f *fakeTile) { f.r.Disabled = true })
	m.mustInstall(deliver(t, sample("1.2.3")))
	want := loads(dll)
	want.Disabled = true
	if diff := cmp.Diff(want, m.tile.registration()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := m.tree()["Program/Agent/1.2.3/firstday-credprov.dll"]; got != "tile 1.2.3" {
		t.Errorf("the tile is %q", got)
	}
	if _, err := os.Lstat(sentinel(dll)); err == nil {
		t.Error("another file's crashes are counted")
	}
}

func TestFailedUpgradeLeavesTheOlderTile(t *testing.T) {
	m := newMachine(t)
	m.mustInstall(deliver(t, sample("1.2.3")))
	before := m.tile.registration()
	next := sample("1.3.0")
	next.ConnectKey = "fk_hangs"
	m.hangsOn = "fk_hangs"
	m.limits.StartLimit = 1
	if _, err := m.install(deliver(t, next), InstallOptions{}); err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(before, m.tile.registration()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := m.status(); s.Tile == nil || s.Tile.State != TileOn {
		t.Errorf("status: %+v", s.Tile)
	}
	// The older one may have been taken out of the registry meanwhile.
	m.tile.change(func(f *fakeTile) { f.r = TileRegistration{Listed: true} })
	if _, err := m.install(deliver(t, next), InstallOptions{}); err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(before, m.tile.registration()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDamagedTileIsNotInstalled(t *testing.T) {
	m := newMachine(t)
	e := sample("1.2.3")
	b := deliver(t, e)
	if err := b.root.WriteFile(e.Agents[0].CredentialProvider.File, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := m.install(b, InstallOptions{})
	if err == nil || !strings.Contains(err.Error(), "firstday-credprov-amd64.dll has SHA-256") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) != 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
}

// What a power cut left of an upgrade the service ends alone, the tile too.
func TestTheServiceRegistersTheTile(t *testing.T) {
	for _, lost := range []bool{false, true} {
		m := newMachine(t)
		m.mustInstall(deliver(t, sample("1.2.3")))
		next := deliver(t, sample("1.3.0"))
		dll := m.Layout().CredentialProvider("1.3.0")
		want := loads(dll)
		if lost { // then the rest goes on without it
			want = TileRegistration{Listed: true}
		}
		a := m.agent("9.9.9")
		a.entered = func(p Phase, when moment) {
			if p != PhaseTile || when != before {
				return
			}
			if lost {
				m.mustRemove(dll)
			}
			panic(errPowerCut)
		}
		if died, err := dying(m, a, next); err != nil || !died {
			t.Fatalf("died %v, error %v", died, err)
		}
		m.restart()
		eventually(t, "the installation to be done", func() bool { return m.status().Phase == PhaseDone })
		if diff := cmp.Diff(want, m.tile.registration()); diff != "" {
			t.Errorf("lost %v (-want +got):\n%s", lost, diff)
		}
		if s := m.status(); lost != (s.Tile.State == TileBroken) || lost != s.Faulty() {
			t.Errorf("lost %v: %+v, %q", lost, s.Tile, s.Problems)
		}
		m.halt()
	}
}
