package wim

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/internal/testtool"
)

// hugeFS has one file, of zeros but for its last bytes.
type hugeFS struct {
	fstest.MapFS
	size int64
	tail []byte
}

func newHugeFS(size int64, tail string) hugeFS {
	return hugeFS{fstest.MapFS{"huge": {ModTime: testTime}}, size, []byte(tail)}
}

func (h hugeFS) Open(name string) (fs.File, error) {
	f, err := h.MapFS.Open(name)
	if name != "huge" || err != nil {
		return f, err
	}
	return &hugeFile{f, h, 0}, nil
}

func (h hugeFS) ReadDir(string) ([]fs.DirEntry, error) {
	return []fs.DirEntry{fs.FileInfoToDirEntry(hugeInfo{h})}, nil
}

type hugeInfo struct{ h hugeFS }

func (i hugeInfo) Name() string       { return "huge" }
func (i hugeInfo) Size() int64        { return i.h.size }
func (i hugeInfo) Mode() fs.FileMode  { return 0o644 }
func (i hugeInfo) ModTime() time.Time { return testTime }
func (i hugeInfo) IsDir() bool        { return false }
func (i hugeInfo) Sys() any           { return nil }

type hugeFile struct {
	fs.File
	h   hugeFS
	pos int64
}

func (f *hugeFile) Read(b []byte) (int, error) {
	if f.pos == f.h.size {
		return 0, io.EOF
	}
	zeros := f.h.size - int64(len(f.h.tail))
	n := 0
	if f.pos < zeros {
		n = int(min(int64(len(b)), zeros-f.pos))
		clear(b[:n])
	} else {
		n = copy(b, f.h.tail[f.pos-zeros:])
	}
	f.pos += int64(n)
	return n, nil
}

// TestFileBeyond4GiB needs chunk tables with entries of eight bytes.
func TestFileBeyond4GiB(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const size = 1<<32 + 70_000
	tail := "the end of a large file"
	name := filepath.Join(t.TempDir(), "huge.wim")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(context.Background(), f, &Image{FS: newHugeFS(size, tail)}, Options{}); err != nil {
		t.Fatal(err)
	}
	// wimlib agrees, but takes ten seconds.
	run(t, testtool.Need(t, "7zz", "7z"), "t", name)

	r := openWIM(t, name)
	info, err := r.Images[0].Stat("huge")
	if err != nil || info.Size() != size {
		t.Fatalf("%v, %v", info, err)
	}
	if b := r.order[0]; b.size <= tableSize(size, chunkSize) || b.size > size/50 {
		t.Errorf("stored in %d bytes", b.size)
	}
	file, err := r.Images[0].Open("huge")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got := make([]byte, 100)
	if _, err := file.(io.ReaderAt).ReadAt(got, size-100); err != nil {
		t.Fatal(err)
	}
	if want := append(make([]byte, 100-len(tail)), tail...); !bytes.Equal(got, want) {
		t.Errorf("ends in %q", got)
	}
}
