package wim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
	"firstday.dev/ppkg/xpress"
)

var testTime = time.Date(2024, 5, 6, 7, 8, 9, 123456700, time.UTC)

// testTree has every kind of file that Write treats differently.
func testTree() fstest.MapFS {
	noise := func(n int) []byte {
		b := make([]byte, n)
		r := rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, n)))
		r.Read(b)
		return b
	}
	text := func(n int) []byte {
		return bytes.Repeat([]byte("firstday carries the agent to the first day. "), n/45+1)[:n]
	}
	mixed := append(text(200_000), noise(200_000)...)
	files := map[string][]byte{
		"empty":                nil,
		"one":                  {1},
		"hello.txt":            []byte("hello, world\r\n"),
		"chunk":                text(chunkSize),
		"chunk and one":        text(chunkSize + 1),
		"segment":              text(segmentSize),
		"segment and one":      text(segmentSize + 1),
		"noise/small":          noise(1000),
		"noise/chunks":         noise(100_000),
		"noise/large":          noise(segmentSize + 12345),
		"noise/copy of large":  noise(segmentSize + 12345),
		"mixed/a":              mixed,
		"mixed/same size":      append(noise(200_000), text(200_000)...),
		"mixed/b":              mixed,
		"copies/hello":         []byte("hello, world\r\n"),
		"copies/deep/er/hello": []byte("hello, world\r\n"),
		"ünï/çødé 日本 😀.txt":    []byte("names beyond the BMP"),
		"B":                    []byte("sorted after a"),
		"a":                    []byte("sorted before B"),
	}
	tree := fstest.MapFS{"bare": {Mode: fs.ModeDir | 0o755, ModTime: testTime}}
	for name, data := range files {
		tree[name] = &fstest.MapFile{Data: data, Mode: 0o644, ModTime: testTime}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			tree[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, ModTime: testTime}
		}
	}
	return tree
}

func testImage(fsys fs.FS) *Image {
	return &Image{
		FS: fsys,
		Properties: []Property{
			{Name: "NAME", Value: "Test & <Tree>"},
			{Name: "DESCRIPTION"},
			{Name: "WINDOWS", Children: []Property{{Name: "ARCH", Value: "9"}}},
		},
		Created:  testTime,
		Modified: testTime.Add(time.Hour),
	}
}

var testGUID = [16]byte{0xde, 0xad, 0xbe, 0xef, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// writeTest writes an image to a file and returns the file's bytes.
func writeTest(t testing.TB, image *Image, opts Options) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "test.wim"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(context.Background(), f, image, opts); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readTest(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// variants are the ways to write that matter to readers.
var variants = map[string]Options{
	"XPRESS":               {GUID: testGUID},
	"XPRESS, fast":         {GUID: testGUID, Level: xpress.Fast},
	"XPRESS, best":         {GUID: testGUID, Level: xpress.Best},
	"XPRESS and integrity": {GUID: testGUID, Integrity: true},
	"none":                 {GUID: testGUID, Compression: None},
	"none and integrity":   {GUID: testGUID, Compression: None, Integrity: true},
}

func TestReaderServesWhatWasWritten(t *testing.T) {
	tree := testTree()
	for name, opts := range variants {
		t.Run(name, func(t *testing.T) {
			r := readTest(t, writeTest(t, testImage(tree), opts))
			if err := r.Verify(context.Background(), 2, nil); err != nil {
				t.Error(err)
			}
			if r.GUID != opts.GUID || r.Compression != opts.Compression || len(r.Images) != 1 {
				t.Errorf("GUID %x, compression %v, %d images", r.GUID, r.Compression, len(r.Images))
			}
			image := r.Images[0]
			want := testImage(tree)
			want.FS = image
			if diff := cmp.Diff(want, &image.Image, cmp.Comparer(func(a, b fs.FS) bool { return true })); diff != "" {
				t.Error(diff)
			}
			var names []string
			for name, file := range tree {
				names = append(names, name)
				if file.Mode.IsDir() {
					continue
				}
				got, err := fs.ReadFile(image, name)
				if err != nil || !bytes.Equal(got, file.Data) {
					t.Errorf("%s: %d bytes, want %d; %v", name, len(got), len(file.Data), err)
				}
			}
			if err := fstest.TestFS(image, names...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRoundTripIsIdentical(t *testing.T) {
	for name, opts := range variants {
		t.Run(name, func(t *testing.T) {
			first := writeTest(t, testImage(testTree()), opts)
			r := readTest(t, first)
			opts.Threads = 7
			second := writeTest(t, &r.Images[0].Image, opts)
			if !bytes.Equal(first, second) {
				t.Error("differs after reading and writing")
			}
		})
	}
}

func TestBytesDoNotDependOnThreads(t *testing.T) {
	want := writeTest(t, testImage(testTree()), Options{Threads: 1})
	for _, threads := range []int{2, 3, 16} {
		if got := writeTest(t, testImage(testTree()), Options{Threads: threads}); !bytes.Equal(got, want) {
			t.Errorf("%d threads write other bytes", threads)
		}
	}
}

func TestOtherToolsAccept(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	sevenZip := testtool.Need(t, "7zz", "7z")
	tree := testTree()
	for name, opts := range variants {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "test.wim")
			if err := os.WriteFile(file, writeTest(t, testImage(tree), opts), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, wimlib, "verify", file)
			run(t, sevenZip, "t", file)
			info := run(t, wimlib, "info", file)
			for _, want := range []string{"Test & <Tree>", "deadbeef"} {
				if !strings.Contains(strings.ReplaceAll(info, " ", ""), strings.ReplaceAll(want, " ", "")) {
					t.Errorf("info has no %q:\n%s", want, info)
				}
			}
			applied := filepath.Join(dir, "applied")
			run(t, wimlib, "apply", file, "1", applied)
			compareTrees(t, os.DirFS(applied), tree)
		})
	}
}

func run(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// compareTrees compares names, contents and times.
func compareTrees(t testing.TB, got, want fs.FS) {
	t.Helper()
	if diff := cmp.Diff(listTree(t, want), listTree(t, got)); diff != "" {
		t.Errorf("trees differ:\n%s", diff)
	}
}

func listTree(t testing.TB, fsys fs.FS) map[string]string {
	list := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list[path] = info.ModTime().UTC().Format(time.RFC3339Nano)
		if d.IsDir() {
			return nil
		}
		data, err := fs.ReadFile(fsys, path)
		list[path] += fmt.Sprintf(" %x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestExtract(t *testing.T) {
	tree := testTree()
	for name, opts := range variants {
		t.Run(name, func(t *testing.T) {
			r := readTest(t, writeTest(t, testImage(tree), opts))
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if err := r.Images[0].Extract(context.Background(), root, 2, nil); err != nil {
				t.Fatal(err)
			}
			compareTrees(t, os.DirFS(dir), tree)
		})
	}
}
