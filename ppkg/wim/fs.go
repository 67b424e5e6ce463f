package wim

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// find looks up a path.
func (i *ImageReader) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, err := i.root()
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		at, found := slices.BinarySearchFunc(n.children, part, func(c *node, name string) int {
			return strings.Compare(c.name, name)
		})
		if !found {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		n = n.children[at]
	}
	return n, nil
}

// Open opens a file or directory. Names are case-sensitive, as in [io/fs].
//
// A file's Read returns an error that wraps [ErrChecksum] instead of [io.EOF]
// if what it read is not what the hash says: until then nothing is certain.
// A file is also an [io.Seeker] and [io.ReaderAt]; before either returns
// anything out of order the whole file is read and verified once.
func (i *ImageReader) Open(name string) (fs.File, error) {
	n, err := i.find("open", name)
	switch {
	case err != nil:
		return nil, err
	case n.isDir():
		return &openDir{node: n}, nil
	case n.size == 0:
		return &emptyFile{node: n}, nil
	}
	return &openFile{node: n, r: i.r, blob: i.r.blobs[n.hash], path: name, sum: sha1.New()}, nil
}

// Stat describes a file or directory.
func (i *ImageReader) Stat(name string) (fs.FileInfo, error) {
	n, err := i.find("stat", name)
	if err != nil {
		return nil, err
	}
	return fileInfo{n}, nil
}

// ReadDir lists a directory by name.
func (i *ImageReader) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := i.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDir}
	}
	return entries(n.children), nil
}

// ReadFile returns the verified contents of a file.
func (i *ImageReader) ReadFile(name string) ([]byte, error) {
	n, err := i.find("read", name)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsDir}
	}
	if n.size == 0 {
		return []byte{}, nil
	}
	b, err := i.r.readWhole(i.r.blobs[n.hash].resource, n.size)
	if err == nil && sha1.Sum(b) != n.hash {
		err = ErrChecksum
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}

func entries(children []*node) []fs.DirEntry {
	list := make([]fs.DirEntry, len(children))
	for i, c := range children {
		list[i] = fs.FileInfoToDirEntry(fileInfo{c})
	}
	return list
}

type fileInfo struct{ n *node }

func (f fileInfo) Size() int64        { return f.n.size }
func (f fileInfo) ModTime() time.Time { return fromFiletime(f.n.modified) }
func (f fileInfo) IsDir() bool        { return f.n.isDir() }
func (f fileInfo) Sys() any           { return f.n.stat() }

func (f fileInfo) Name() string {
	if f.n.name == "" {
		return "."
	}
	return f.n.name
}

func (f fileInfo) Mode() fs.FileMode {
	mode := fs.FileMode(0o444)
	if f.n.isDir() {
		mode = fs.ModeDir | 0o555
	}
	if f.n.attributes&AttrReparsePoint != 0 {
		mode |= fs.ModeIrregular
	}
	return mode
}

var (
	errIsDir    = errors.New("is a directory")
	errNotDir   = errors.New("not a directory")
	errNegative = errors.New("negative position")
)

type openDir struct {
	*node
	next int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return fileInfo{d.node}, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: fileInfo{d.node}.Name(), Err: errIsDir}
}

func (d *openDir) ReadDir(count int) ([]fs.DirEntry, error) {
	left := d.children[d.next:]
	if count > 0 {
		if len(left) == 0 {
			return nil, io.EOF
		}
		left = left[:min(count, len(left))]
	}
	d.next += len(left)
	return entries(left), nil
}

type emptyFile struct {
	*node
	bytes.Reader
}

func (f *emptyFile) Stat() (fs.FileInfo, error) { return fileInfo{f.node}, nil }
func (f *emptyFile) Close() error               { return nil }
