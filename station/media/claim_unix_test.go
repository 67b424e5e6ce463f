//go:build unix

package media

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Whatever others put into the common folder: it is not followed, not written to,
// and waited for by nobody.
func TestClaimInAHostileFolder(t *testing.T) {
	before := shared
	shared = t.TempDir()
	defer func() { shared = before }()
	lock := filepath.Join(shared, "firstday-sdb.lock")
	target := filepath.Join(t.TempDir(), "target")
	for name, hostile := range map[string]func() error{
		"a link":            func() error { return os.Symlink(target, lock) },
		"a link to nowhere": func() error { return os.Symlink("/nowhere/at/all", lock) },
		"a pipe":            func() error { return unix.Mkfifo(lock, 0o666) },
		"a folder":          func() error { return os.Mkdir(lock, 0o777) },
	} {
		if err := hostile(); err != nil {
			t.Fatal(err)
		}
		if _, err := Claim(t.Context(), &Disk{Name: "sdb"}); err == nil {
			t.Errorf("%s was taken for a lock", name)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("a link was followed")
	}
	if err := os.WriteFile(lock, []byte("theirs"), 0o444); err != nil {
		t.Fatal(err)
	}
	release, err := Claim(t.Context(), &Disk{Name: "sdb"})
	if err != nil {
		t.Fatalf("a file of another: %v", err)
	}
	if text, err := os.ReadFile(lock); err != nil || string(text) != "theirs" {
		t.Errorf("%q, %v", text, err)
	}
	// Whoever takes the file away does not make two locks of it unseen.
	if err := errors.Join(release(), os.Remove(lock)); err != nil {
		t.Fatal(err)
	}
	defer unix.Umask(unix.Umask(0o077))
	release, err = Claim(t.Context(), &Disk{Name: "sdb"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(lock)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("others cannot open it: %v, %v", info, err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
