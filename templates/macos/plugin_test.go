package macos

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testtool"
)

// What the comment of PluginDigest says gives the same; sha256sum is GNU's name for
// shasum -a 256.
func TestPluginDigestCanBeHadByHand(t *testing.T) {
	sha256sum := testtool.Need(t, "sha256sum")
	dir := t.TempDir()
	files := fstest.MapFS{
		"Contents/Info.plist": {Data: []byte("info")}, "Contents/MacOS/FirstdayLogin": {Data: []byte{0, 1, 2}},
		"Contents/Resources/a b.txt": {Data: []byte("spaces")}, "Contents/Resources/a/b": {}, "Contents/Resources/a-b": {Data: []byte("before a/b")},
	}
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", `find * -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 "$0" | "$0"`, sha256sum)
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(string(out), " ")
	for _, tree := range []fs.FS{files, os.DirFS(dir)} {
		if got, err := PluginDigest(tree); got != want || err != nil {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	}
}

func TestPluginDigestFindsEveryChange(t *testing.T) {
	files := func() fstest.MapFS {
		return fstest.MapFS{"a": {Data: []byte("1")}, "b/c": {Data: []byte("2")}, "d": {Data: []byte("3")}}
	}
	before, err := PluginDigest(files())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(fstest.MapFS){
		"content": func(m fstest.MapFS) { m["a"].Data = []byte("0") },
		"missing": func(m fstest.MapFS) { delete(m, "b/c") },
		"added":   func(m fstest.MapFS) { m["b/e"] = &fstest.MapFile{} },
		"renamed": func(m fstest.MapFS) { m["b/C"] = m["b/c"]; delete(m, "b/c") },
		"swapped": func(m fstest.MapFS) { m["a"], m["d"] = m["d"], m["a"] },
	} {
		m := files()
		change(m)
		if got, err := PluginDigest(m); got == before || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestPluginDigestIsBounded(t *testing.T) {
	many := fstest.MapFS{}
	for i := range maxPluginFiles {
		many[strings.Repeat("x", i+1)] = &fstest.MapFile{}
	}
	for name, files := range map[string]fstest.MapFS{
		"many": many, "large": {"a": {Data: make([]byte, maxPluginSize+1)}},
		"a link": {"a": {Data: []byte("b"), Mode: fs.ModeSymlink | 0o777}, "b": {}}, "a pipe": {"a": {Mode: fs.ModeNamedPipe}},
	} {
		if _, err := PluginDigest(files); !errors.Is(err, ErrPlugin) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
