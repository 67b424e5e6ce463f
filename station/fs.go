package station

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

// arrange puts all files into their folders, and checks what FAT32 can hold.
func (s *Stick) arrange() error {
	s.dirs = map[string][]string{".": nil, usb.LogsFolder: nil}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		folder := path.Dir(name)
		s.dirs[folder] = append(s.dirs[folder], name)
	}
	for folder := range s.dirs {
		if folder != "." {
			s.dirs["."] = append(s.dirs["."], folder)
		}
	}
	slices.Sort(s.dirs["."])
	_, err := fat32.SizeFor(s, 0)
	return err
}

// Open opens a file or folder of the stick. A file of the kit is compared with its
// checksum while it is read: where the last byte was expected, the error wraps
// [kit.ErrIntegrity] if it is another file than was verified.
func (s *Stick) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if inside, ok := s.dirs[name]; ok {
		return &folder{s: s, entry: entry{name: path.Base(name), dir: true, time: s.Manifest.Created}, inside: inside}, nil
	}
	from := s.files[name]
	switch {
	case from == nil:
		return fail(fs.ErrNotExist)
	case from.name == "":
		return &file{entry: s.entry(name), Reader: bytes.NewReader(from.data)}, nil
	}
	f, err := s.openKit(from)
	if err != nil {
		return fail(err)
	}
	return &file{entry: s.entry(name), Reader: f, closer: f}, nil
}

// openKit opens a file of the kit.
func (s *Stick) openKit(from *source) (*checked, error) {
	// Looked at before it is opened: to open a pipe is to wait.
	info, err := s.root.Lstat(from.name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != from.size {
		return nil, fmt.Errorf("%s %w since it was verified", from.name, kit.ErrIntegrity)
	}
	f, err := s.root.Open(from.name)
	if err != nil {
		return nil, err
	}
	return &checked{File: f, from: from, hash: sha256.New()}, nil
}

// readKit reads a small file of the kit.
func (s *Stick) readKit(name string) ([]byte, error) {
	const most = 4 << 20
	from := s.files[name]
	if from == nil || from.size > most {
		return nil, fmt.Errorf("%w: %s is missing, or larger than %d bytes", ErrLayout, name, most)
	}
	f, err := s.openKit(from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// checked is a file of the kit that is held against its checksum.
type checked struct {
	fs.File
	from *source
	hash hash.Hash
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(c.hash.Sum(nil)) != c.from.sha256 {
		err = fmt.Errorf("%s %w since it was verified", c.from.name, kit.ErrIntegrity)
	}
	return n, err
}

func (s *Stick) entry(name string) entry {
	return entry{name: path.Base(name), size: s.files[name].size, time: s.Manifest.Created}
}

// file is one that is open.
type file struct {
	entry
	io.Reader
	closer io.Closer // nil: it is in memory
}

func (f *file) Stat() (fs.FileInfo, error) { return f.entry, nil }

func (f *file) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// folder is one that is open.
type folder struct {
	entry
	s      *Stick
	inside []string
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: fmt.Errorf("%w: it is a folder", fs.ErrInvalid)}
}

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.inside) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.inside) {
		n = len(f.inside)
	}
	entries := make([]fs.DirEntry, n)
	for i, name := range f.inside[:n] {
		if _, ok := f.s.dirs[name]; ok {
			entries[i] = fs.FileInfoToDirEntry(entry{name: path.Base(name), dir: true, time: f.time})
		} else {
			entries[i] = fs.FileInfoToDirEntry(f.s.entry(name))
		}
	}
	f.inside = f.inside[n:]
	return entries, nil
}

// entry is what is said of a file or folder.
type entry struct {
	name string
	size int64
	dir  bool
	time time.Time
}

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return e.size }
func (e entry) ModTime() time.Time { return e.time }
func (e entry) IsDir() bool        { return e.dir }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
