package cpio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Reader reads an archive from its beginning to its end.
type Reader struct {
	r    io.Reader
	left int64 // bytes of the current entry not read yet
	err  error // after it nothing more comes
	buf  [headerSize]byte
}

// NewReader returns a reader of the archive in r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next goes on to the next entry; io.EOF says that the archive has ended as it
// should. What follows the archive is not read. Names are those in the
// archive, which may be anything but empty: they must not be trusted as paths.
func (r *Reader) Next() (*Header, error) {
	if r.err != nil {
		return nil, r.err
	}
	if _, err := io.CopyN(io.Discard, r.r, r.left); err != nil {
		return nil, r.fail(short(err))
	}
	r.left = 0
	h, err := r.readHeader()
	if err != nil {
		return nil, r.fail(err)
	}
	if h.Name == trailer {
		return nil, r.fail(io.EOF)
	}
	r.left = h.Size
	return h, nil
}

func (r *Reader) readHeader() (*Header, error) {
	b := r.buf[:]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, short(err)
	}
	if err := checkMagic(b); err != nil {
		return nil, err
	}
	var values [10]int64
	rest := b[len(magic):]
	for i, f := range new(Header).fields() {
		value, err := strconv.ParseUint(string(rest[:f.digits]), 8, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is %q", ErrFormat, f.name, rest[:f.digits])
		}
		values[i] = int64(value)
		rest = rest[f.digits:]
	}
	name, err := r.readName(values[8])
	if err != nil {
		return nil, err
	}
	return &Header{
		Name: name,
		Dev:  uint32(values[0]), Inode: uint32(values[1]), Mode: uint32(values[2]),
		UID: uint32(values[3]), GID: uint32(values[4]), Links: uint32(values[5]),
		RDev: uint32(values[6]), ModTime: values[7], Size: values[9],
	}, nil
}

// checkMagic names the other formats, which people get by accident.
func checkMagic(b []byte) error {
	switch {
	case bytes.HasPrefix(b, []byte(magic)):
		return nil
	case bytes.HasPrefix(b, []byte("070701")), bytes.HasPrefix(b, []byte("070702")):
		return fmt.Errorf("%w: it is one in the new ASCII format (newc)", ErrFormat)
	case bytes.HasPrefix(b, []byte{0o161, 0o307}), bytes.HasPrefix(b, []byte{0o307, 0o161}):
		return fmt.Errorf("%w: it is one in the old binary format", ErrFormat)
	default:
		return fmt.Errorf("%w: no header where one should be", ErrFormat)
	}
}

func (r *Reader) readName(size int64) (string, error) {
	if size < 2 || size > maxName {
		return "", fmt.Errorf("%w: a name of %d bytes", ErrFormat, size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return "", short(err)
	}
	if bytes.IndexByte(b, 0) != len(b)-1 {
		return "", fmt.Errorf("%w: the name %.200q does not end where it should", ErrFormat, b)
	}
	return string(b[:len(b)-1]), nil
}

// Read reads contents of the current entry, up to io.EOF at their end.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return 0, r.err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err != nil && r.left > 0 {
		return n, r.fail(short(err))
	}
	return n, nil
}

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}

// short makes the end of the file a fault of the format.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrFormat)
	}
	return err
}
