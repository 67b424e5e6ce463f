package wim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testtool"
	"firstday.dev/ppkg/xpress"
)

func createCache(t *testing.T) *Cache {
	t.Helper()
	c, err := CreateCache(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// prepare prepares those files of a tree that choose wants, in the order of their
// names or against it.
func prepare(t *testing.T, c *Cache, tree fstest.MapFS, opts Options, backwards bool, choose func(name string) bool) map[string]*Prepared {
	t.Helper()
	prepared := map[string]*Prepared{}
	names := slices.Sorted(maps.Keys(tree))
	if backwards {
		slices.Reverse(names)
	}
	for _, name := range names {
		file := tree[name]
		if len(file.Data) == 0 || file.Mode.IsDir() || !choose(name) {
			continue
		}
		p, err := c.Prepare(t.Context(), name, int64(len(file.Data)), openBytes(file.Data), opts)
		if err != nil {
			t.Fatal(err)
		}
		prepared[name] = p
	}
	return prepared
}

func openBytes(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// manyCopies is testTree with large and small files that repeat others.
func manyCopies() fstest.MapFS {
	tree := testTree()
	large, small := tree["mixed/a"].Data, tree["hello.txt"].Data
	for i := range 3 {
		tree[fmt.Sprintf("again/%d/large", i)] = &fstest.MapFile{Data: large, ModTime: testTime}
		tree[fmt.Sprintf("again/%d/small", i)] = &fstest.MapFile{Data: small, ModTime: testTime}
	}
	return tree
}

var choices = map[string]func(string) bool{
	"all":          func(string) bool { return true },
	"one":          func(name string) bool { return name == "noise/large" },
	"a small one":  func(name string) bool { return name == "hello.txt" },
	"each other":   func(name string) bool { return len(name)%2 == 0 },
	"first copies": func(name string) bool { return strings.HasPrefix(name, "again/0") },
	"last copies":  func(name string) bool { return strings.HasPrefix(name, "again/2") || name == "mixed/a" },
}

// TestPreparedContentsComeFirst and change nothing of what is in the WIM,
// whichever of the files were prepared, repeated ones among them, compressed or
// not. Neither threads nor the order in which the cache was filled change a byte.
func TestPreparedContentsComeFirst(t *testing.T) {
	tree := manyCopies()
	for _, opts := range []Options{
		{GUID: testGUID}, {GUID: testGUID, Level: xpress.Best, Integrity: true}, {GUID: testGUID, Compression: None},
	} {
		alone := readTest(t, writeTest(t, testImage(tree), opts))
		for what, choose := range choices {
			what := fmt.Sprintf("%v, level %v, %s prepared", opts.Compression, opts.Level, what)
			opts := opts
			var want []byte
			for _, backwards := range []bool{false, true} {
				opts.Prepared = prepare(t, createCache(t), tree, opts, backwards, choose)
				var prefix Prefix
				opts.Prefix, opts.Threads = &prefix, 1
				if backwards {
					opts.Threads = 4
				}
				got := writeTest(t, testImage(tree), opts)
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s: other bytes", what)
				}
				if size, sum := placesOf(t, got, opts.Prepared); size != prefix.Size || sum != len(opts.Prepared) {
					t.Errorf("%s: they end at %d, the prefix at %d", what, size, prefix.Size)
				}
			}
			r := readTest(t, want)
			if err := r.Verify(t.Context(), 0, func(_, _ int64) {}); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			compareTrees(t, r.Images[0], alone.Images[0])
			if got, want := blobsOf(r), blobsOf(alone); got != want {
				t.Errorf("%s: blobs are\n%s\nnot\n%s", what, got, want)
			}
		}
	}
}

// placesOf says where the last of the prepared contents ends, in whole blocks, and
// how many files have theirs before all others.
func placesOf(t *testing.T, b []byte, prepared map[string]*Prepared) (end int64, found int) {
	t.Helper()
	r := readTest(t, b)
	end = inBlocks(headerSize)
	for _, p := range prepared {
		at := r.blobs[p.blob.hash]
		if at.offset%blockSize != 0 || at.size != p.blob.size || at.flags != p.blob.flags {
			t.Errorf("%+v was prepared as %+v", at.resource, p.blob.resource)
		}
		end = max(end, inBlocks(at.end()))
	}
	for _, p := range prepared {
		if r.blobs[p.blob.hash].offset < end {
			found++
		}
	}
	return end, found
}

// blobsOf lists contents with their counts of references, wherever they lie.
func blobsOf(r *Reader) string {
	var lines []string
	for _, b := range r.order {
		if b.flags&resMetadata == 0 {
			lines = append(lines, fmt.Sprintf("%x %d %d %d %d", b.hash, b.refs, b.size, b.plain, b.flags))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestWIMsOfOneCacheBeginAlike although what they do not share differs.
func TestWIMsOfOneCacheBeginAlike(t *testing.T) {
	c := createCache(t)
	shared := fstest.MapFS{"z/large": testTree()["mixed/a"], "z/noise": testTree()["noise/large"]}
	prepared := prepare(t, c, shared, Options{}, false, choices["all"])
	write := func(name string, own int, guid [16]byte) (p Prefix, b []byte) {
		t.Helper()
		tree := maps.Clone(shared)
		for i := range own {
			tree[fmt.Sprintf("a/%d", i)] = &fstest.MapFile{Data: bytes.Repeat([]byte{byte(i), 'x'}, 1000+len(name)), ModTime: testTime}
		}
		image := testImage(tree)
		image.Properties[0].Value = name
		b = writeTest(t, image, Options{GUID: guid, Prepared: prepared, Prefix: &p})
		return p, b
	}
	first, a := write("one", 10, testGUID)
	second, b := write("a longer name", 10, testGUID)
	if first != second || first.Size < 400_000 || !bytes.Equal(a[:first.Size], b[:first.Size]) || bytes.Equal(a, b) {
		t.Errorf("prefixes of %d and %d bytes", first.Size, second.Size)
	}
	for what, of := range map[string]func() (Prefix, []byte){
		"11 files":     func() (Prefix, []byte) { return write("one", 11, testGUID) },
		"a long name":  func() (Prefix, []byte) { return write(strings.Repeat("long ", 1000), 10, testGUID) },
		"another GUID": func() (Prefix, []byte) { return write("one", 10, [16]byte{1}) },
	} {
		if other, b := of(); other == first || bytes.Equal(a[:first.Size], b[:first.Size]) {
			t.Errorf("%s: taken for the same", what)
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
	opts := Options{GUID: testGUID, Prepared: prepare(t, createCache(t), tree, Options{}, false, choices["all"])}
	want := writeTest(t, testImage(tree), opts)
	out := new(sparse)
	if err := Write(t.Context(), out, testImage(tree), opts); err != nil || !bytes.Equal(out.b, want) {
		t.Errorf("other bytes, or %v", err)
	}
}

func TestPreparedContentsThatDoNotFitAreRefused(t *testing.T) {
	tree := testTree()
	one := func(name string) bool { return name == "mixed/a" }
	all := prepare(t, createCache(t), tree, Options{}, false, one)
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
	two := prepare(t, createCache(t), tree, Options{}, false, func(name string) bool { return name == "chunk" })
	two["mixed/a"] = all["mixed/a"]
	if err := write(tree, Options{Prepared: two}); err == nil || !strings.Contains(err.Error(), "another cache") {
		t.Errorf("two caches: %v", err)
	}
	tree["mixed/a"] = &fstest.MapFile{Data: tree["mixed/a"].Data[1:], ModTime: testTime}
	if err := write(tree, Options{Prepared: all}); !errors.Is(err, ErrChanged) {
		t.Errorf("another size: %v", err)
	}
}

// TestAChangedCacheIsNoticed however soon it was changed, before anything that
// was copied from it passes for good.
func TestAChangedCacheIsNoticed(t *testing.T) {
	tree := testTree()
	changes := map[string]func(f *os.File) error{
		"longer":  func(f *os.File) error { return f.Truncate(1 << 24) },
		"shorter": func(f *os.File) error { return f.Truncate(blockSize) },
	}
	if truthfulTimes {
		changes["a byte"] = func(f *os.File) error {
			_, err := f.WriteAt([]byte{'!'}, 100)
			return err
		}
	}
	for what, change := range changes {
		c := createCache(t)
		opts := Options{Prepared: prepare(t, c, tree, Options{}, false, choices["all"])}
		if err := Write(t.Context(), new(sparse), testImage(tree), opts); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(c.file.Name(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(change(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := Write(t.Context(), new(sparse), testImage(tree), opts); !errors.Is(err, ErrChanged) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: writing: %v", what, err)
		}
		if _, err := c.Prepare(t.Context(), "it", 1, openBytes([]byte{1}), Options{}); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: preparing: %v", what, err)
		}
	}
}

// TestACacheServesSeveralAtOnce some of whom add to it while others copy.
func TestACacheServesSeveralAtOnce(t *testing.T) {
	c := createCache(t)
	tree := testTree()
	shared := prepare(t, c, tree, Options{}, false, choices["one"])
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			tree, prepared := maps.Clone(tree), maps.Clone(shared)
			own := bytes.Repeat([]byte{byte(i), 'x'}, segmentSize)
			tree["own"] = &fstest.MapFile{Data: own, ModTime: testTime}
			p, err := c.Prepare(t.Context(), "own", int64(len(own)), openBytes(own), Options{})
			if err != nil {
				t.Error(err)
				return
			}
			prepared["own"] = p
			out := new(sparse)
			if err := Write(t.Context(), out, testImage(tree), Options{Prepared: prepared}); err != nil {
				t.Error(err)
				return
			}
			compareTrees(t, readTest(t, out.b).Images[0], tree)
		})
	}
	all.Wait()
}

func TestACacheIsItsOwnersAlone(t *testing.T) {
	c := createCache(t)
	info, err := os.Stat(c.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" { // where the folder says who may
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := CreateCache(c.file.Name()); !errors.Is(err, os.ErrExist) {
		t.Errorf("one that is there: %v", err)
	}
}

func TestPrepareRefusesWhatIsNotOfItsSize(t *testing.T) {
	c := createCache(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), segmentSize/8)
	for _, content := range [][]byte{[]byte("small"), big} {
		for _, off := range []int64{-1, 1} {
			if _, err := c.Prepare(t.Context(), "it", int64(len(content))+off, openBytes(content), Options{}); !errors.Is(err, ErrChanged) {
				t.Errorf("%d bytes, told %+d: %v", len(content), off, err)
			}
		}
		// What failed is no obstacle to what comes after it.
		p, err := c.Prepare(t.Context(), "it", int64(len(content)), openBytes(content), Options{})
		if err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{"it": {Data: content, ModTime: testTime}}
		b := writeTest(t, testImage(tree), Options{Prepared: map[string]*Prepared{"it": p}})
		compareTrees(t, readTest(t, b).Images[0], tree)
	}
}

// TestOtherToolsReadPreparedContents where there are gaps between them, and line
// ends behind the XML data.
func TestOtherToolsReadPreparedContents(t *testing.T) {
	tree := manyCopies()
	for what, opts := range variants {
		opts.Prepared = prepare(t, createCache(t), tree, opts, true, choices["each other"])
		b := writeTest(t, testImage(tree), opts)
		name := filepath.Join(t.TempDir(), "test.wim")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if size := binary.LittleEndian.Uint64(b[0x58:]); size%xmlStep != 0 {
			t.Errorf("%s: %d bytes of XML data", what, size)
		}
		sevenZip := testtool.Need(t, "7zz", "7z")
		run(t, sevenZip, "t", "-twim", name)
		if got := run(t, sevenZip, "l", "-twim", name); !strings.Contains(got, filepath.FromSlash("noise/large")) || strings.Contains(got, "Warning") {
			t.Errorf("%s: 7-Zip lists\n%s", what, got)
		}
		wimlib := testtool.Need(t, "wimlib-imagex")
		run(t, wimlib, "verify", name)
		if got := run(t, wimlib, "info", name); !strings.Contains(got, "Test & <Tree>") {
			t.Errorf("%s: wimlib says\n%s", what, got)
		}
		dir := t.TempDir()
		run(t, wimlib, "apply", name, "1", dir)
		for path, file := range tree {
			if got, err := os.ReadFile(filepath.Join(dir, path)); !file.Mode.IsDir() && (err != nil || !bytes.Equal(got, file.Data)) {
				t.Errorf("%s: %s: %v", what, path, err)
			}
		}
	}
}
