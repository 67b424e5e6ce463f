package ppkg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestPreparedFilesAreNotReadAgain and change no byte of the packages.
func TestPreparedFilesAreNotReadAgain(t *testing.T) {
	cache, err := os.Create(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
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
	var want [][]byte
	for rank := range 3 {
		want = append(want, readFile(t, writeFile(t, packageOf(rank))))
	}
	for _, f := range files {
		if err := f.Prepare(t.Context(), cache, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	opened = 0
	for rank, w := range want {
		if !bytes.Equal(readFile(t, writeFile(t, packageOf(rank))), w) {
			t.Errorf("package %d has other bytes", rank)
		}
	}
	if opened > 2*len(want) { // the empty one costs nothing
		t.Errorf("files were opened %d times", opened)
	}
}

// TestPrepareRefusesFilesThatChange between the two times they are read.
func TestPrepareRefusesFilesThatChange(t *testing.T) {
	cache, err := os.Create(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	times := byte(0)
	f := &File{Name: "setup.exe", Size: 4, Open: func() (io.ReadCloser, error) {
		times++
		return io.NopCloser(bytes.NewReader([]byte{'M', 'Z', 0, times})), nil
	}}
	if err := f.Prepare(t.Context(), cache, Options{}); !errors.Is(err, ErrChanged) {
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
