package wim

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func extractTest(t *testing.T, tree fstest.MapFS, dir string) error {
	t.Helper()
	r := readTest(t, writeTest(t, testImage(tree), Options{}))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return r.Images[0].Extract(context.Background(), root, 2, nil)
}

func TestExtractOverwritesNothing(t *testing.T) {
	for _, name := range []string{"hello.txt", "empty", "mixed/a"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := extractTest(t, testTree(), dir); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s exists: %v", name, err)
		}
		if got, err := os.ReadFile(path); string(got) != "precious" {
			t.Errorf("%s is now %q, %v", name, got, err)
		}
	}
}

func TestExtractDoesNotLeaveItsDirectory(t *testing.T) {
	outside := t.TempDir()
	for _, link := range []string{"mixed", "noise"} {
		dir := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
		if err := extractTest(t, testTree(), dir); err == nil {
			t.Errorf("extracted through a symbolic link out of the directory")
		}
	}
	left, err := os.ReadDir(outside)
	if err != nil || len(left) > 0 {
		t.Errorf("outside there is %v, %v", left, err)
	}
}

func TestExtractEndsWithItsContext(t *testing.T) {
	r := readTest(t, writeTest(t, testImage(testTree()), Options{}))
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Images[0].Extract(ctx, root, 2, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := r.Verify(ctx, 2, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
