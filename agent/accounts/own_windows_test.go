package accounts

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Wine shows an account that was made to nobody, and knows no rights of accounts:
// how far our own gets there is seen here, so that nothing of it ends the process.
func TestWindowsOwnAccount(t *testing.T) {
	file := filepath.Join(os.TempDir(), "own.json") // Wine cannot remove a TempDir as Go does it
	o := OpenOwn(OwnName, file)
	t.Cleanup(func() { _, _ = deleteUser(OwnName), os.Remove(file) })
	if token, err := o.LogOn(t.Context()); err == nil {
		t.Errorf("logged on, without rights: %v", token.Close())
	}
	if _, err := os.Stat(o.File); err != nil {
		t.Errorf("the tag was not kept first: %v", err)
	}
}

func TestWindowsHides(t *testing.T) {
	hidden := func() (value uint64, err error) {
		k, err := registry.OpenKey(registry.LOCAL_MACHINE, hiddenUsers, registry.QUERY_VALUE)
		if err != nil {
			return 0, err
		}
		defer k.Close()
		value, _, err = k.GetIntegerValue(OwnName)
		return value, err
	}
	var w windowsOwn
	if err := w.show(OwnName); err != nil {
		t.Errorf("nothing is hidden: %v", err)
	}
	for range 2 {
		if err := w.hide(OwnName); err != nil {
			t.Fatal(err)
		}
	}
	if value, err := hidden(); err != nil || value != 0 {
		t.Errorf("%d, %v", value, err)
	}
	// Another name that somebody hides keeps the keys.
	if err := w.hide("somebody"); err != nil {
		t.Fatal(err)
	}
	if err := w.show(OwnName); err != nil {
		t.Error(err)
	}
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, hiddenUsers, registry.QUERY_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.GetIntegerValue("somebody"); err != nil {
		t.Error(err)
	}
	_ = k.Close()
	if err := w.show("somebody"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{hiddenUsers, specialAccounts} {
		if _, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE); !errors.Is(err, registry.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

func TestWindowsOwnNames(t *testing.T) {
	var w windowsOwn
	if _, _, err := w.holder(OwnName); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody's name: %v", err)
	}
	users, err := groupName(windows.WinBuiltinUsersSid)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.holder(users); !errors.Is(err, ErrExists) {
		t.Errorf("a group's name: %v", err)
	}
	if _, err := w.named("S-1-5-21-1-2-3-4"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody's SID: %v", err)
	}
	if name, err := w.named("S-1-5-32-545"); err != nil || name != users {
		t.Errorf("%q, %v", name, err)
	}
	for _, sid := range []string{"S-1", "x"} {
		if _, err := w.named(sid); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", sid, err)
		}
	}
	if err := w.removeProfile("S-1-5-21-1-2-3-4"); err != nil {
		t.Error(err)
	}
}

// Nothing is changed for what is no SID; what Wine says of one is an NTSTATUS.
func TestWindowsRights(t *testing.T) {
	var w windowsOwn
	if err := w.restrict("no SID"); err == nil {
		t.Error("no error")
	}
	var status windows.NTStatus
	if err := w.restrict("S-1-5-21-1-2-3-4"); err != nil && !errors.As(err, &status) {
		t.Error(err)
	}
	if err := w.release("S-1-5-21-1-2-3-4"); err != nil && !errors.As(err, &status) {
		t.Error(err)
	}
}
