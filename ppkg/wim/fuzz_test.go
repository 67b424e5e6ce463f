package wim

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

var update = flag.Bool("update", false, "make the fuzz targets' seeds anew")

// fuzzTree is small, so that the seeds are: the fuzzer tries to shrink what it
// finds, and takes forever with large inputs.
func fuzzTree(compressed bool) fstest.MapFS {
	tree := fstest.MapFS{
		"bare":     {Mode: fs.ModeDir | 0o755},
		"dir/text": {Data: bytes.Repeat([]byte("some text "), 60)},
		"dir/copy": {Data: bytes.Repeat([]byte("some text "), 60)},
		"raw":      {Data: []byte("raw")},
		"empty":    {},
		"dir":      {Mode: fs.ModeDir | 0o755},
	}
	if compressed {
		tree["dir/chunks"] = &fstest.MapFile{Data: bytes.Repeat([]byte{'z'}, chunkSize+9)}
	}
	for _, file := range tree {
		file.ModTime = testTime
	}
	return tree
}

// TestSeedsAreReadable also makes the seeds, with -update: some by Write, some
// by wimlib.
func TestSeedsAreReadable(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzReader")
	if *update {
		wimlib := testtool.Need(t, "wimlib-imagex")
		for name, opts := range variants {
			tree := fuzzTree(opts.Compression != None)
			writeSeed(t, dir, "ours, "+name, writeTest(t, testImage(tree), opts))
		}
		for _, codec := range []string{"none", "XPRESS", "LZX"} {
			tree := writeTree(t, fuzzTree(codec != "none"))
			file := filepath.Join(t.TempDir(), "seed.wim")
			run(t, wimlib, "capture", tree, file, "--check", "--compress="+codec)
			run(t, wimlib, "append", tree+"/dir", file, "second", "--check")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			writeSeed(t, dir, "wimlib, "+codec, b)
		}
		r := readTest(t, writeTest(t, testImage(fuzzTree(true)), Options{}))
		metadata, err := r.readWhole(r.Images[0].metadata.resource, maxMetadata)
		if err != nil {
			t.Fatal(err)
		}
		writeSeed(t, filepath.Join("testdata", "fuzz", "FuzzMetadata"), "tree", metadata)
		xml, err := r.readWhole(r.header.xml, maxXML)
		if err != nil {
			t.Fatal(err)
		}
		writeSeed(t, filepath.Join("testdata", "fuzz", "FuzzXML"), "image", xml)
	}
	seeds, err := filepath.Glob(filepath.Join(dir, "* *"))
	if err != nil || len(seeds) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	for _, seed := range seeds {
		b := readSeed(t, seed)
		r := readTest(t, b)
		if err := r.Verify(context.Background(), 1, nil); err != nil {
			t.Errorf("%s: %v", seed, err)
		}
		compareTrees(t, r.Images[0], fuzzTree(r.Compression != None))
	}
}

// Go keeps seeds as files of Go literals.
const seedFormat = "go test fuzz v1\n[]byte(%q)\n"

func writeSeed(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, seedFormat, b), 0o666); err != nil {
		t.Fatal(err)
	}
}

func readSeed(t *testing.T, name string) (b []byte) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(text), seedFormat, &b); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// FuzzReader reads all there is in a file; whatever it holds, the reader must
// neither panic nor go on without end.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		verified := r.Verify(context.Background(), 1, nil)
		for _, image := range r.Images {
			_ = fs.WalkDir(image, ".", func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				file, err := image.Open(path)
				if err != nil {
					t.Errorf("%s: listed, but %v", path, err)
					return nil
				}
				defer file.Close()
				if _, err := io.Copy(io.Discard, file); err != nil && verified == nil {
					t.Errorf("%s: verified, but %v", path, err)
				}
				return nil
			})
		}
	})
}

// FuzzMetadata reads a tree and lays it out anew.
func FuzzMetadata(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := decodeMetadata(b)
		if err != nil {
			return
		}
		first, err := encodeAll(root)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeMetadata(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := encodeAll(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("differs after decoding and encoding: %v", err)
		}
	})
}

// FuzzXML reads the images' properties and writes them anew.
func FuzzXML(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		images, err := decodeXML(b, 2)
		if err != nil {
			return
		}
		for i, image := range images {
			b, err := encodeXML(&image, counts{}, 0, []int64{1, xmlStep}[i])
			if err != nil {
				continue // such as a name Write does not allow
			}
			again, err := decodeXML(b, 1)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]Property{}, image.Properties...), again[0].Properties); diff != "" {
				t.Error(diff)
			}
		}
	})
}
