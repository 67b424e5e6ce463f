package bom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxSize bounds a Bom that is read, in bytes.
const MaxSize = 1 << 30

// Read reads all entries of a Bom, in the order of its tree. Sizes of folders
// are as they stand there. Errors wrap [ErrFormat] or come from reading.
func Read(r io.ReaderAt, size int64) ([]Entry, error) {
	s, err := readStore(r, size)
	if err != nil {
		return nil, err
	}
	large, err := s.readSizes()
	if err != nil {
		return nil, err
	}
	in := &pathReader{store: s, place: map[uint32]int{}}
	err = s.walk("Paths", func(value, key []byte) error {
		e, record, err := in.read(value, key)
		if err != nil {
			return err
		}
		if full, ok := large[record]; ok {
			e.Size = full
		}
		in.entries = append(in.entries, *e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in.entries, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// maxPathBytes bounds all paths together, in bytes.
const maxPathBytes = 512 << 20

// pathReader puts paths together.
type pathReader struct {
	*store
	entries []Entry
	place   map[uint32]int // of an entry, by its number
	last    []byte         // key of the last one
	bytes   int
}

// read reads one entry and says which block its record is. Keys grow, so that
// no path is there twice, and a folder stands before what it holds.
func (p *pathReader) read(value, key []byte) (e *Entry, record uint32, err error) {
	if len(value) < 8 || len(key) < 6 || len(key) > maxPath || key[len(key)-1] != 0 {
		return nil, 0, malformed("a path of %d and %d bytes", len(value), len(key))
	}
	if bytes.Compare(p.last, key) >= 0 {
		return nil, 0, malformed("its paths are not in order")
	}
	p.last = key
	id, record := binary.BigEndian.Uint32(value), binary.BigEndian.Uint32(value[4:])
	if _, twice := p.place[id]; twice || id == 0 {
		return nil, 0, malformed("path number %d is there twice", id)
	}
	data, err := p.block(record)
	if err != nil {
		return nil, 0, err
	}
	parent, name := binary.BigEndian.Uint32(key), string(key[4:len(key)-1])
	if e, err = readRecord(data); err != nil {
		return nil, 0, fmt.Errorf("%.200q: %w", name, err)
	}
	if e.Path, err = p.path(parent, name); err != nil {
		return nil, 0, err
	}
	if p.bytes += len(e.Path); p.bytes > maxPathBytes {
		return nil, 0, malformed("its paths have more than %d bytes", maxPathBytes)
	}
	p.place[id] = len(p.entries)
	return e, record, nil
}

func (p *pathReader) path(parent uint32, name string) (string, error) {
	if parent == 0 && name == "." && len(p.entries) == 0 {
		return name, nil
	}
	at, ok := p.place[parent]
	if !ok || p.entries[at].Mode&ModeType != ModeDir && !bare(&p.entries[at]) {
		return "", malformed("%.200q is in no folder that was listed before", name)
	}
	path := p.entries[at].Path + "/" + name
	if strings.ContainsAny(name, "/\x00") || name == "" || name == "." || name == ".." || len(path) > maxPath {
		return "", malformed("%.200q is not a name", name)
	}
	return path, nil
}

// bare is the root as pkgbuild --component writes it: nothing but zeros.
func bare(e *Entry) bool { return e.Path == "." && e.Mode == 0 }

func readRecord(b []byte) (*Entry, error) {
	const fixed = 27
	if len(b) < fixed {
		return nil, malformed("a record of %d bytes", len(b))
	}
	u32 := binary.BigEndian.Uint32
	e := &Entry{
		Mode: uint32(binary.BigEndian.Uint16(b[4:])),
		UID:  u32(b[6:]), GID: u32(b[10:]), ModTime: u32(b[14:]),
		Size: int64(u32(b[18:])), Checksum: u32(b[23:]),
	}
	var err error
	switch rest := b[fixed:]; {
	case b[0] == typeSymlink:
		e.Target, err = readTarget(rest)
	case b[0] == typeFile && len(rest) > 8 && rest[0] == 1:
		e.Slices, err = readSlices(rest[1:])
	}
	return e, err
}

func readTarget(b []byte) (string, error) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return "", malformed("a link's target is cut short")
	}
	target, end, ok := bytes.Cut(b[4:4+binary.BigEndian.Uint32(b)], []byte{0})
	if !ok || len(end) > 0 || len(target) == 0 || len(target) > maxPath {
		return "", malformed("a link's target does not end where it should")
	}
	return string(target), nil
}

func readSlices(b []byte) ([]Slice, error) {
	if len(b) < 4 {
		return nil, malformed("an executable's architectures are cut short")
	}
	n := binary.BigEndian.Uint32(b)
	if n > maxSlices || len(b) < 4+16*int(n) {
		return nil, malformed("an executable of %d architectures", n)
	}
	list := make([]Slice, n)
	for i := range list {
		s := b[4+16*i:]
		list[i] = Slice{
			CPUType: binary.BigEndian.Uint32(s), CPUSubtype: binary.BigEndian.Uint32(s[4:]),
			Size: binary.BigEndian.Uint32(s[8:]), Checksum: binary.BigEndian.Uint32(s[12:]),
		}
	}
	return list, nil
}

// readSizes reads the sizes that need more than 32 bits, by the block of the
// path's record. Old Boms have no such tree.
func (s *store) readSizes() (map[uint32]int64, error) {
	sizes := map[uint32]int64{}
	if _, ok := s.vars["Size64"]; !ok {
		return sizes, nil
	}
	err := s.walk("Size64", func(value, key []byte) error {
		if len(value) < 8 || len(key) < 4 {
			return malformed("a size of %d bytes", len(value))
		}
		size := binary.BigEndian.Uint64(value)
		if size > 1<<62 {
			return malformed("a size of %d bytes", size)
		}
		sizes[binary.BigEndian.Uint32(key)] = int64(size)
		return nil
	})
	return sizes, err
}

// short makes the end of the file a fault of the format.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends early")
	}
	return err
}
