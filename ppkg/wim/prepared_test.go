package wim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/ppkg/xpress"
)

// prepare prepares those files of a tree that choose wants.
func prepare(t *testing.T, tree fstest.MapFS, opts Options, choose func(name string) bool) map[string]*Prepared {
	t.Helper()
	cache, err := os.Create(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cache.Close() })
	prepared := map[string]*Prepared{}
	for name, file := range tree {
		if len(file.Data) == 0 || file.Mode.IsDir() || !choose(name) {
			continue
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file.Data)), nil }
		if prepared[name], err = Prepare(t.Context(), cache, name, int64(len(file.Data)), open, opts); err != nil {
			t.Fatal(err)
		}
	}
	return prepared
}

// TestPreparedContentsChangeNoByte, whichever of the files were prepared,
// repeated ones among them, compressed or not.
func TestPreparedContentsChangeNoByte(t *testing.T) {
	tree := testTree()
	large, small := tree["mixed/a"].Data, tree["hello.txt"].Data
	for i := range 3 {
		tree[fmt.Sprintf("again/%d/large", i)] = &fstest.MapFile{Data: large, ModTime: testTime}
		tree[fmt.Sprintf("again/%d/small", i)] = &fstest.MapFile{Data: small, ModTime: testTime}
	}
	for _, opts := range []Options{
		{GUID: testGUID}, {GUID: testGUID, Level: xpress.Best, Integrity: true}, {GUID: testGUID, Compression: None},
	} {
		want := writeTest(t, testImage(tree), opts)
		for what, choose := range map[string]func(string) bool{
			"all":          func(string) bool { return true },
			"one":          func(name string) bool { return name == "noise/large" },
			"each other":   func(name string) bool { return len(name)%2 == 0 },
			"first copies": func(name string) bool { return strings.HasPrefix(name, "again/0") },
			"last copies":  func(name string) bool { return strings.HasPrefix(name, "again/2") || name == "mixed/a" },
		} {
			opts := opts
			opts.Prepared = prepare(t, tree, opts, choose)
			if len(opts.Prepared) == 0 {
				t.Fatalf("%s: nothing was prepared", what)
			}
			for _, threads := range []int{1, 4} {
				opts.Threads = threads
				if got := writeTest(t, testImage(tree), opts); !bytes.Equal(got, want) {
					t.Errorf("%v, level %v, %s prepared, %d threads: other bytes", opts.Compression, opts.Level, what, threads)
				}
			}
		}
	}
}

// sparse is an output in memory, which no kernel copies into.
type sparse struct{ b []byte }

func (s *sparse) WriteAt(p []byte, at int64) (int, error) {
	if grow := int(at) + len(p) - len(s.b); grow > 0 {
		s.b = append(s.b, make([]byte, grow)...)
	}
	return copy(s.b[at:], p), nil
}

func (s *sparse) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(s.b).ReadAt(p, at) }

func TestPreparedContentsGoIntoOutputsOfAnyKind(t *testing.T) {
	tree := testTree()
	opts := Options{GUID: testGUID}
	want := writeTest(t, testImage(tree), opts)
	opts.Prepared = prepare(t, tree, opts, func(string) bool { return true })
	out := new(sparse)
	if err := Write(t.Context(), out, testImage(tree), opts); err != nil || !bytes.Equal(out.b, want) {
		t.Errorf("other bytes, or %v", err)
	}
}

func TestPreparedContentsThatDoNotFitAreRefused(t *testing.T) {
	tree := testTree()
	all := prepare(t, tree, Options{}, func(name string) bool { return name == "mixed/a" })
	write := func(tree fstest.MapFS, opts Options) error {
		return Write(context.Background(), new(sparse), testImage(tree), opts)
	}
	if err := write(tree, Options{Prepared: all, Level: xpress.Fast}); err == nil || !strings.Contains(err.Error(), "another compression") {
		t.Errorf("another level: %v", err)
	}
	if err := write(tree, Options{Prepared: all, Compression: None}); err == nil || !strings.Contains(err.Error(), "another compression") {
		t.Errorf("no compression: %v", err)
	}
	if err := write(tree, Options{Prepared: map[string]*Prepared{"nowhere": all["mixed/a"]}}); err == nil {
		t.Error("a file the image does not have: no error")
	}
	tree["mixed/a"] = &fstest.MapFile{Data: tree["mixed/a"].Data[1:], ModTime: testTime}
	if err := write(tree, Options{Prepared: all}); !errors.Is(err, ErrChanged) {
		t.Errorf("another size: %v", err)
	}
}

func TestPrepareRefusesWhatIsNotOfItsSize(t *testing.T) {
	cache, err := os.Create(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	big := bytes.Repeat([]byte("0123456789abcdef"), segmentSize/8)
	for _, content := range [][]byte{[]byte("small"), big} {
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
		for _, off := range []int64{-1, 1} {
			if _, err := Prepare(t.Context(), cache, "it", int64(len(content))+off, open, Options{}); !errors.Is(err, ErrChanged) {
				t.Errorf("%d bytes, told %+d: %v", len(content), off, err)
			}
		}
		// What failed is no obstacle to what comes after it.
		p, err := Prepare(t.Context(), cache, "it", int64(len(content)), open, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{"it": {Data: content, ModTime: testTime}}
		want := writeTest(t, testImage(tree), Options{})
		if got := writeTest(t, testImage(tree), Options{Prepared: map[string]*Prepared{"it": p}}); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: not the same", len(content))
		}
	}
}
