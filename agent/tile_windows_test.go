package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"firstday.dev/agent/credprov"
)

// setDWord is what an administrator does with a registry editor.
func setDWord(t *testing.T, path, name string, value uint32) {
	t.Helper()
	if err := writing(path, func(k registry.Key) error { return k.SetDWordValue(name, value) }); err != nil {
		t.Fatal(err)
	}
}

func mustKnow(t *testing.T, want TileRegistration) {
	t.Helper()
	got, err := windowsTile{}.Registration()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWindowsTileInTheRegistry(t *testing.T) {
	const one, two = `C:\1\firstday-credprov.dll`, `C:\2\firstday-credprov.dll`
	tile := windowsTile{}
	mustKnow(t, TileRegistration{})
	for _, dll := range []string{one, two, two} {
		must(t, tile.Register(dll))
		mustKnow(t, loads(dll))
	}

	// What administrators set stays, whatever is registered.
	setDWord(t, providerKey, disabled, 1)
	must(t, writing(policyKey, func(k registry.Key) error {
		return k.SetStringValue(excluded, "{other}, "+strings.ToLower(credprov.CLSID))
	}))
	setDWord(t, tileKey, disabled, 1)
	want := loads(two)
	want.Disabled, want.Excluded, want.Off = true, true, &TileSwitch{By: ByAdministrator}
	mustKnow(t, want)
	must(t, tile.Suspend())
	mustKnow(t, TileRegistration{Listed: true, Disabled: true, Excluded: true, Off: want.Off})
	must(t, tile.Register(one))
	want.DLL = one
	mustKnow(t, want)
	must(t, errors.Join(tile.Unregister(), tile.Unregister()))
	mustKnow(t, TileRegistration{Excluded: true, Off: want.Off})
	must(t, writing(policyKey, func(k registry.Key) error { return k.SetStringValue(excluded, "{other}") }))
	mustKnow(t, TileRegistration{Off: want.Off})
	must(t, deleteTree(policyKey))

	off := &TileSwitch{By: ByWatchdog, Reason: "three times", Since: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), SHA256: "aa"}
	must(t, tile.Switch(off))
	mustKnow(t, TileRegistration{Off: off})
	must(t, tile.Switch(&TileSwitch{By: ByAdministrator})) // nothing is left of the other
	mustKnow(t, TileRegistration{Off: &TileSwitch{By: ByAdministrator, Since: time.Time{}}})
	must(t, errors.Join(tile.Switch(nil), tile.Switch(nil)))
	mustKnow(t, TileRegistration{})
	for _, path := range []string{classKey, providerKey, ourKey} {
		if k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE); !errors.Is(err, registry.ErrNotExist) {
			_ = k.Close()
			t.Errorf("%s is left: %v", path, err)
		}
	}

	// What is somebody else's in our key is theirs.
	must(t, tile.Switch(off))
	setDWord(t, ourKey, "Other", 1)
	must(t, errors.Join(tile.Forget(), tile.Forget()))
	mustKnow(t, TileRegistration{})
	must(t, reading(ourKey, func(k registry.Key) {
		if !isSet(k, "Other") {
			t.Error("it is gone")
		}
	}))
	must(t, deleteTree(ourKey))
}

// A switch of another kind than the tile reads is none.
func TestWindowsTileSwitchIsReadAsTheTileDoes(t *testing.T) {
	for name, c := range map[string]struct {
		set func(registry.Key) error
		off bool
	}{
		"0":      {func(k registry.Key) error { return k.SetDWordValue(disabled, 0) }, false},
		"2":      {func(k registry.Key) error { return k.SetDWordValue(disabled, 2) }, true},
		"text":   {func(k registry.Key) error { return k.SetStringValue(disabled, "1") }, false},
		"qword":  {func(k registry.Key) error { return k.SetQWordValue(disabled, 1) }, false},
		"binary": {func(k registry.Key) error { return k.SetBinaryValue(disabled, []byte{1, 0, 0, 0}) }, false},
	} {
		must(t, writing(tileKey, c.set))
		r, err := windowsTile{}.Registration()
		if err != nil || (r.Off != nil) != c.off {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		must(t, windowsTile{}.Forget())
	}
}

// Whoever looks again at a switch sees no other one: all that changes is reported.
func TestWindowsTileSwitchLooksTheSameAgain(t *testing.T) {
	must(t, writing(tileKey, func(k registry.Key) error {
		return errors.Join(k.SetDWordValue(disabled, 1), k.SetStringValue(switchSince, "2026-11-30T13:37:00+05:45"))
	}))
	var seen [2]TileStatus
	for i := range seen {
		r, err := windowsTile{}.Registration()
		must(t, err)
		_, v := new(tileRecord).judge(tileSeen{TileRegistration: *r, want: "x"})
		seen[i] = v.TileStatus
	}
	if seen[0] != seen[1] || seen[0].Since.IsZero() {
		t.Errorf("first %+v, then %+v", seen[0], seen[1])
	}
	must(t, windowsTile{}.Forget())
}

// Wine's log is always empty; that of Windows has records.
func TestWindowsEventLogIsRead(t *testing.T) {
	for _, after := range []uint32{noRecord, 0} {
		faults, newest, err := windowsTile{}.Faults(after)
		if err != nil || len(faults) != 0 {
			t.Errorf("%v, %d, %v", faults, newest, err)
		}
		t.Logf("the newest record is %d", newest)
	}
}

func TestWindowsSignatures(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	if err := (windowsTile{}).CheckSignature(exe); err != nil {
		t.Errorf("a file without a signature: %v", err)
	}
	data, err := os.ReadFile(exe)
	must(t, err)
	// The directory's entry for signatures names nonsense.
	head := int(data[0x3c]) | int(data[0x3d])<<8
	copy(data[head+24+112+4*8:], []byte{0, 1, 0, 0, 64, 0, 0, 0})
	signed := filepath.Join(tempDir(t), credprov.File)
	must(t, os.WriteFile(signed, data, 0o600))
	if err := (windowsTile{}).CheckSignature(signed); err == nil || !strings.Contains(err.Error(), "not trusted by Windows") {
		t.Errorf("a false signature: %v", err)
	}
	must(t, os.WriteFile(signed, []byte("MZ"), 0o600))
	if err := (windowsTile{}).CheckSignature(signed); err == nil {
		t.Error("that is no program")
	}
}

// What cannot be deleted yet leaves its place, and is deleted at the next start.
func TestWindowsTileIsSetAside(t *testing.T) {
	dll := filepath.Join(tempDir(t), credprov.File)
	must(t, os.WriteFile(dll, []byte("tile"), 0o600))
	must(t, setAside(dll, windows.ERROR_ACCESS_DENIED))
	if _, err := os.Lstat(dll); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if err := setAside(dll, windows.ERROR_ACCESS_DENIED); !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Errorf("what cannot be moved either: %v", err)
	}
	aside, err := temporary("firstday-test-", ".dll")
	must(t, err)
	must(t, os.WriteFile(aside, nil, 0o600))
	defer os.Remove(aside)
	must(t, deleteAtRestart(aside))
	const manager = `SYSTEM\CurrentControlSet\Control\Session Manager`
	must(t, reading(manager, func(k registry.Key) {
		names, _, err := k.GetStringsValue("PendingFileRenameOperations")
		if err != nil || !slices.Contains(names, `\??\`+aside) {
			t.Errorf("at the next start go %q, %v", names, err)
		}
	}))
}
