package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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

func TestCommitReplacesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Fatalf("before Commit the file holds %q", got)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Fatalf("after Commit the file holds %q", got)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Fatalf("left behind: %q", got)
	}
	if err := f.Commit(); err == nil {
		t.Fatal("a second Commit passed")
	}
}

func TestCloseWithoutCommitLeavesNothing(t *testing.T) {
	for name, create := range map[string]func(string) (*File, error){
		"system": func(p string) (*File, error) { return Create(p, 0o644) },
		"named": func(p string) (*File, error) {
			f, err := createNamed(p, 0o644)
			return &File{File: f, target: p}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := create(filepath.Join(dir, "a"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("half"); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if got := names(t, dir); len(got) != 0 {
				t.Fatalf("left behind: %q", got)
			}
		})
	}
}

func TestNamedFileCommits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 255)) // the longest name most file systems take
	f, err := createNamed(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	af := &File{File: f, target: path}
	if _, err := af.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := af.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 1 || got[0] != filepath.Base(path) {
		t.Fatalf("folder holds %q", got)
	}
}

func TestCreateRefusesAFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, 0o644); err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v", err)
	}
	if _, err := Create(filepath.Join(dir, "missing", "a"), 0o644); err == nil {
		t.Fatal("a missing parent was accepted")
	}
}

func TestRemoveStaleTakesOnlyOurs(t *testing.T) {
	dir := t.TempDir()
	f, err := createNamed(filepath.Join(dir, "file"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil { // and its writer is killed
		t.Fatal(err)
	}
	for _, name := range []string{"file", ".firstday-notes", "other.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveStale(dir); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names(t, dir), " "); got != ".firstday-notes file other.tmp" {
		t.Errorf("left: %s", got)
	}
}
