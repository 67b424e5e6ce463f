package ppkg

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firstday.dev/internal/testtool"
	"firstday.dev/ppkg/wim"
)

func createCache(t *testing.T) *wim.Cache {
	t.Helper()
	c, err := wim.CreateCache(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestPreparedFilesAreNotReadAgain and change nothing that the packages say and
// carry. What all of them carry, they begin with.
func TestPreparedFilesAreNotReadAgain(t *testing.T) {
	cache := createCache(t)
	opened := 0
	contents := map[string][]byte{
		"setup.exe": bytes.Repeat([]byte("MZ setup "), 100_000), "again.exe": bytes.Repeat([]byte("MZ setup "), 100_000),
		"small.txt": []byte("small"), "empty.txt": nil,
	}
	var files []*File
	for _, name := range []string{"setup.exe", "again.exe", "small.txt", "empty.txt"} {
		files = append(files, &File{Name: name, Size: int64(len(contents[name])), Open: func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(bytes.NewReader(contents[name])), nil
		}})
	}
	packageOf := func(rank int) *Package {
		p := minimal()
		p.Rank = rank
		p.Settings = []Setting{Command{Name: "a", Line: "b", File: files[0], Dependencies: files[1:]}.Setting()}
		return p
	}
	const ranks = 3
	var alone []string
	for rank := range ranks {
		alone = append(alone, writeFile(t, packageOf(rank)))
	}
	for _, f := range files {
		if err := f.Prepare(t.Context(), cache, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	opened = 0
	var first wim.Prefix
	var begin []byte
	for rank := range ranks {
		file, prefix := writePrefixed(t, packageOf(rank))
		same(t, openFile(t, file), openFile(t, alone[rank]))
		b := readFile(t, file)
		if rank == 0 {
			first, begin = prefix, b[:prefix.Size]
		}
		if prefix != first || !bytes.HasPrefix(b, begin) || prefix.Size == 0 {
			t.Errorf("package %d begins otherwise", rank)
		}
		if again, _ := writePrefixed(t, packageOf(rank)); !bytes.Equal(readFile(t, again), b) {
			t.Errorf("package %d has other bytes the second time", rank)
		}
	}
	if opened > 4*ranks { // the empty one costs nothing
		t.Errorf("files were opened %d times", opened)
	}
}

func writePrefixed(t *testing.T, p *Package) (file string, prefix wim.Prefix) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "test.ppkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(t.Context(), f, p, Options{Time: testTime, Prefix: &prefix}); err != nil {
		t.Fatal(err)
	}
	return f.Name(), prefix
}

// same holds two packages against each other, but for where things lie in them.
func same(t *testing.T, got, want *Reader) {
	t.Helper()
	if err := got.WIM.Verify(t.Context(), 0, func(_, _ int64) {}); err != nil {
		t.Error(err)
	}
	ignored := cmp.Options{cmpopts.IgnoreFields(Reader{}, "FS", "WIM"), cmp.AllowUnexported(Asset{})}
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Errorf("they say something else:\n%s", diff)
	}
	if diff := cmp.Diff(contents(t, want.FS), contents(t, got.FS)); diff != "" {
		t.Errorf("their files differ:\n%s", diff)
	}
}

// TestOtherToolsReadPreparedPackages apart from file(1), which sees a Windows image
// and no package: it looks for the names of a package's files near the beginning.
func TestOtherToolsReadPreparedPackages(t *testing.T) {
	p := everything(t)
	noise := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	setup := NewFile("setup.exe", noise)
	if err := setup.Prepare(t.Context(), createCache(t), Options{}); err != nil {
		t.Fatal(err)
	}
	p.Settings = append(p.Settings, Command{Name: "Third", Line: "setup.exe", File: setup}.Setting())
	file, _ := writePrefixed(t, p)
	toolsRead(t, p, file)
	out, err := exec.Command(testtool.Need(t, "file"), file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "(WIM) image v1.13, XPRESS compressed, reparse point fixup") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPrepareRefusesFilesThatChange between the two times they are read.
func TestPrepareRefusesFilesThatChange(t *testing.T) {
	times := byte(0)
	f := &File{Name: "setup.exe", Size: 4, Open: func() (io.ReadCloser, error) {
		times++
		return io.NopCloser(bytes.NewReader([]byte{'M', 'Z', 0, times})), nil
	}}
	if err := f.Prepare(t.Context(), createCache(t), Options{}); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
