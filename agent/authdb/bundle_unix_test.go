//go:build unix

package authdb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// makeBundle gives one that is in order, but for its owner being whoever runs
// the test.
func makeBundle(t *testing.T) Bundle {
	t.Helper()
	b := Bundle{path: filepath.Join(t.TempDir(), plugin+".bundle"), owner: uint32(os.Getuid())}
	for _, dir := range []string{"Contents/MacOS", "Contents/Resources"} {
		if err := os.MkdirAll(filepath.Join(b.path, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"Contents/MacOS/FirstdayLogin": 0o755, "Contents/Resources/login.html": 0o644, "Contents/Info.plist": 0o644} {
		text := document("<key>CFBundleExecutable</key><string>FirstdayLogin</string>")
		if err := os.WriteFile(filepath.Join(b.path, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestBundle(t *testing.T) {
	if err := makeBundle(t).Loadable(t.Context()); err != nil {
		t.Fatal(err)
	}
	plist := func(b Bundle, text string) error {
		return os.WriteFile(filepath.Join(b.path, "Contents/Info.plist"), []byte(text), 0o644)
	}
	program := func(b Bundle) string { return filepath.Join(b.path, "Contents/MacOS/FirstdayLogin") }
	for name, c := range map[string]struct {
		spoil func(Bundle) error
		says  string
	}{
		"gone":   {func(b Bundle) error { return os.RemoveAll(b.path) }, "no such file"},
		"a file": {func(b Bundle) error { return errors.Join(os.RemoveAll(b.path), os.WriteFile(b.path, nil, 0o644)) }, "not a directory"},
		"a link": {func(b Bundle) error {
			return errors.Join(os.Rename(b.path, b.path+"2"), os.Symlink(b.path+"2", b.path))
		}, "neither a file nor a folder"},
		"a link within":            {func(b Bundle) error { return os.Symlink("/etc", filepath.Join(b.path, "Contents/x")) }, "neither a file nor a folder"},
		"the program is gone":      {func(b Bundle) error { return os.Remove(program(b)) }, "no such file"},
		"the program is empty":     {func(b Bundle) error { return os.Truncate(program(b), 0) }, "no program"},
		"the program does not run": {func(b Bundle) error { return os.Chmod(program(b), 0o644) }, "no program"},
		"the program is a folder":  {func(b Bundle) error { return errors.Join(os.Remove(program(b)), os.Mkdir(program(b), 0o755)) }, "no program"},
		"a group may write":        {func(b Bundle) error { return os.Chmod(program(b), 0o775) }, "others than its owner"},
		"all may write into it":    {func(b Bundle) error { return os.Chmod(filepath.Join(b.path, "Contents"), 0o757) }, "others than its owner"},
		"all may replace it":       {func(b Bundle) error { return os.Chmod(filepath.Dir(b.path), 0o777) }, "others than its owner"},
		"without Info.plist":       {func(b Bundle) error { return os.Remove(filepath.Join(b.path, "Contents/Info.plist")) }, "no such file"},
		"Info.plist is none":       {func(b Bundle) error { return plist(b, "x") }, "Info.plist"},
		"no program is named":      {func(b Bundle) error { return plist(b, document("")) }, "names the program"},
		"a program elsewhere": {func(b Bundle) error {
			return plist(b, document("<key>CFBundleExecutable</key><string>../../x</string>"))
		}, "names the program"},
		"the folder around it":      {func(b Bundle) error { return plist(b, document("<key>CFBundleExecutable</key><string>..</string>")) }, "names the program"},
		"Info.plist is a large one": {func(b Bundle) error { return plist(b, strings.Repeat("x", maxSize+1)) }, "larger than"},
	} {
		b := makeBundle(t)
		if err := c.spoil(b); err != nil {
			t.Fatal(name, err)
		}
		if err := b.Loadable(t.Context()); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := makeBundle(t)
	b.owner++
	if err := b.Loadable(t.Context()); !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), "another owner") {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := makeBundle(t).Loadable(cancelled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if b := InstalledBundle(); b.path != BundlePath || b.owner != 0 {
		t.Errorf("%+v", b)
	}
}
