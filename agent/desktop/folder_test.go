package desktop

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Each browser finds nothing of the one before, even if nobody was there to wipe it,
// and what it left does not lead the wiping elsewhere.
func TestFoldersAreFresh(t *testing.T) {
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &folders{root: filepath.Join(t.TempDir(), "pages"), make: func(dir string) error { return os.Mkdir(dir, 0o700) }, remove: os.RemoveAll}
	if err := f.wipe(); err != nil {
		t.Fatal("nothing to wipe:", err)
	}
	first, err := f.fresh()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(first, "Default", "Cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(first, "Default", "Cookies"), []byte("session"), 0o400); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" { // where links need a privilege
		if err := os.Symlink(filepath.Dir(precious), filepath.Join(first, "link")); err != nil {
			t.Fatal(err)
		}
	}
	second, err := f.fresh()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(f.root)
	if err != nil || len(entries) != 1 || filepath.Join(f.root, entries[0].Name()) != second || first == second {
		t.Errorf("after %s and %s there are %v, %v", first, second, entries, err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error("it wiped what a link led to:", err)
	}
	if err := f.wipe(); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(f.root); len(entries) != 0 {
		t.Errorf("%v are left", entries)
	}
	f.make = func(string) error { return errors.New("full") }
	if dir, err := f.fresh(); err == nil || dir != "" {
		t.Errorf("a folder that was not made: %q", dir)
	}
}
