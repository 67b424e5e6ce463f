// Package cpio reads and writes cpio archives in the "portable ASCII" format,
// also called odc: the one that macOS installer packages hold their files in
// (formats/macos-pkg.md §3.5), and the only one that Installer reads.
//
// An entry is a header of 76 octal digits, the name, and the contents. An
// archive ends with an entry called TRAILER!!!.
package cpio

import (
	"errors"
	"fmt"
)

// The types of files among the bits of [Header.Mode], as in POSIX <sys/stat.h>.
const (
	ModeType    = 0o170000
	ModeRegular = 0o100000
	ModeDir     = 0o040000
	ModeSymlink = 0o120000
)

// The largest numbers that the fields of a header hold.
const (
	max6  = 1<<18 - 1 // dev, ino, mode, uid, gid, nlink, rdev, length of the name
	max11 = 1<<33 - 1 // mtime, size: a file is at most 8 GiB - 1
)

// MaxSize is the size of the largest file an archive holds, in bytes.
const MaxSize = max11

// maxName bounds names in bytes. macOS's PATH_MAX is 1024.
const maxName = 4096

const (
	magic      = "070707"
	headerSize = 76
	trailer    = "TRAILER!!!"
)

var (
	// ErrFormat: this is no archive in this format, or a damaged one.
	ErrFormat = errors.New("cpio: not a valid archive in portable ASCII format")
	// ErrTooLarge: something does not fit the fields of a header.
	ErrTooLarge = errors.New("cpio: does not fit the format")
	// ErrName: a name that no entry can have.
	ErrName = errors.New("cpio: not the name of an entry")
)

// Header describes a file. Its contents follow: for a symbolic link its target.
type Header struct {
	Name       string
	Mode       uint32 // permissions and type, as in st_mode
	UID, GID   uint32
	ModTime    int64 // seconds since 1970
	Size       int64 // bytes
	Dev, Inode uint32
	Links      uint32
	RDev       uint32
}

// field is a number in a header.
type field struct {
	name   string
	value  int64
	digits int
}

func (h *Header) fields() []field {
	return []field{
		{"dev", int64(h.Dev), 6}, {"ino", int64(h.Inode), 6}, {"mode", int64(h.Mode), 6},
		{"uid", int64(h.UID), 6}, {"gid", int64(h.GID), 6}, {"nlink", int64(h.Links), 6},
		{"rdev", int64(h.RDev), 6}, {"mtime", h.ModTime, 11},
		{"namesize", int64(len(h.Name) + 1), 6}, {"filesize", h.Size, 11},
	}
}

// appendTo writes the header and the name, which ends with NUL.
func (h *Header) appendTo(b []byte) ([]byte, error) {
	b = append(b, magic...)
	for _, f := range h.fields() {
		limit := int64(max6)
		if f.digits == 11 {
			limit = max11
		}
		if f.value < 0 || f.value > limit {
			return nil, fmt.Errorf("%w: %.200q: %s %d is not between 0 and %d", ErrTooLarge, h.Name, f.name, f.value, limit)
		}
		b = fmt.Appendf(b, "%0*o", f.digits, f.value)
	}
	b = append(b, h.Name...)
	return append(b, 0), nil
}
