package atomicfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func fill(t *testing.T, dir, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirCommit(t *testing.T) {
	for name, swap := range map[string]func(temp, target string) (string, error){
		"exchange": exchange,
		"rename":   swapByRename,
	} {
		for _, existing := range []bool{false, true} {
			parent := t.TempDir()
			temp, target := filepath.Join(parent, "temp"), filepath.Join(parent, "target")
			if err := os.Mkdir(temp, 0o755); err != nil {
				t.Fatal(err)
			}
			fill(t, temp, "new")
			if existing {
				if err := os.Mkdir(target, 0o755); err != nil {
					t.Fatal(err)
				}
				fill(t, target, "old")
			}
			old, err := swap(temp, target)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, _ := os.ReadFile(filepath.Join(target, "file")); string(got) != "new" {
				t.Errorf("%s: target holds %q", name, got)
			}
			if got, _ := os.ReadFile(filepath.Join(old, "file")); existing && string(got) != "old" {
				t.Errorf("%s: the old target at %q holds %q", name, old, got)
			}
		}
	}
}

func TestDirReplacesAndLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	target := filepath.Join(parent, "kit")
	for _, content := range []string{"first", "second"} {
		d, err := CreateDir(target, 0o700)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		fill(t, d.Path(), content)
		if err := d.Commit(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(target, "file")); string(got) != content {
			t.Fatalf("kit holds %q, want %q", got, content)
		}
	}
	d, err := CreateDir(target, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d.Path(), "third")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(target, "file")); string(got) != "second" {
		t.Fatalf("after a discarded build the kit holds %q", got)
	}
	if got := names(t, parent); len(got) != 1 {
		t.Fatalf("parent holds %q", got)
	}
}

func TestCreateDirRemovesWhatAKilledProcessLeft(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$") // any program that ends at once
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	dead := filepath.Join(parent, dirPrefix(cmd.Process.Pid)+"1.tmp")
	living := filepath.Join(parent, dirPrefix(os.Getppid())+"1.tmp")
	for _, dir := range []string{dead, living} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fill(t, dir, "half")
	}
	d, err := CreateDir(filepath.Join(parent, "kit"), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("a dead process's folder is still there (%v)", err)
	}
	if _, err := os.Stat(living); err != nil {
		t.Errorf("a living process's folder is gone: %v", err)
	}
}

func TestNothingElseIsReplaced(t *testing.T) {
	parent := t.TempDir()
	file, folder, link := filepath.Join(parent, "file"), filepath.Join(parent, "folder"), filepath.Join(parent, "link")
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.Mkdir(folder, 0o755), os.Symlink(folder, link)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	for _, path := range []string{file, link, os.DevNull, ".", folder, parent} {
		if d, err := CreateDir(path, 0o700); !errors.Is(err, ErrInTheWay) {
			t.Errorf("folder in the place of %s: %v, %v", path, d, err)
		}
	}
	for _, path := range []string{folder, link, os.DevNull, "."} {
		if f, err := Create(path, 0o600); !errors.Is(err, ErrInTheWay) {
			t.Errorf("file in the place of %s: %v, %v", path, f, err)
		}
	}
	// Nor what came only while it was being made.
	d, err := CreateDir(filepath.Join(parent, "late"), 0o700)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(filepath.Join(parent, "late"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); !errors.Is(err, ErrInTheWay) {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(parent, "late")); string(got) != "precious" {
		t.Error(got, err)
	}
}
