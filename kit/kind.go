package kit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrKind: the file is of no kind that can be handled so.
var ErrKind = errors.New("unknown kind of file")

// kind is what a file is.
type kind int

const (
	kindOther kind = iota
	kindPackage
	kindCatalog
	kindProgram
	kindScript
	kindInstaller
	kindMachO
)

// kindOf tells by how a file begins, and for scripts and damaged files by its
// name.
func kindOf(r io.ReaderAt, name string) kind {
	head := make([]byte, 8)
	n, _ := r.ReadAt(head, 0) // a short file has a short head
	head = head[:n]
	ext := strings.ToLower(filepath.Ext(name))
	switch {
	case bytes.Equal(head, []byte("MSWIM\x00\x00\x00")) || ext == packageExt:
		return kindPackage
	case bytes.HasPrefix(head, []byte("xar!")) || ext == installerExt:
		return kindInstaller
	case bytes.HasPrefix(head, []byte("MZ")):
		return kindProgram
	case isMachO(head):
		return kindMachO
	case ext == catalogExt:
		return kindCatalog
	case ext == ".ps1" || ext == ".psm1" || ext == ".psd1":
		return kindScript
	default:
		return kindOther
	}
}

// isMachO tells programs for macOS, thin and universal, by how they begin.
// Java's class files begin alike, but with a larger number after it.
func isMachO(head []byte) bool {
	const universal, thin = "\xca\xfe\xba\xbe", "\xcf\xfa\xed\xfe"
	return bytes.HasPrefix(head, []byte(thin)) ||
		len(head) == 8 && bytes.HasPrefix(head, []byte(universal)) && binary.BigEndian.Uint32(head[4:]) < 30
}

// maxSmall bounds the files that are read whole, in bytes: catalogs, scripts,
// signatures.
const maxSmall = 16 << 20

func readSmall(path string) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(data) > maxSmall {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxSmall)
	}
	return data, err
}

// openRegular opens a regular file and gives its size in bytes. It looks first:
// to open a pipe is to wait for somebody at its other end.
func openRegular(path string) (*os.File, int64, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
