package pkgbuild

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"firstday.dev/pkgbuild/cpio"
)

// openPayload reads a Payload or Scripts file: a cpio archive, compressed.
func openPayload(r io.Reader) (*cpio.Reader, error) {
	plain, err := decompress(r)
	if err != nil {
		return nil, err
	}
	return cpio.NewReader(plain), nil
}

// maxPayload bounds what a payload holds, in bytes: a compressed file claims
// a thousand times its size with ease.
const maxPayload = 256 << 30

// decompress undoes the compression, one of those that Apple's tools had over
// the years.
func decompress(r io.Reader) (io.Reader, error) {
	source := &sourceReader{r: r}
	in := bufio.NewReaderSize(source, 64<<10)
	head, err := in.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var plain io.Reader
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		plain, err = gzip.NewReader(in)
	case bytes.HasPrefix(head, []byte("BZh")):
		plain = bzip2.NewReader(in)
	case bytes.HasPrefix(head, []byte("pbzx")):
		plain, err = newPBZX(in)
	case bytes.HasPrefix(head, []byte("0707")): // other kinds of cpio are for its reader to name
		plain = in
	default:
		return nil, fmt.Errorf("%w: a payload that begins with %x", ErrUnsupported, head)
	}
	if err != nil {
		return nil, source.blame(err)
	}
	return &boundedReader{plain, source, maxPayload}, nil
}

// sourceReader remembers why it could not read on.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// blame makes an error of a decompressor a fault of the format, unless it had
// nothing to read.
func (s *sourceReader) blame(err error) error {
	if s.err != nil || err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("%w: payload: %w", ErrFormat, err)
}

// boundedReader fails where there is more than it may give.
type boundedReader struct {
	r      io.Reader
	source *sourceReader
	left   int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("%w: a payload of more than %d bytes", ErrUnsupported, int64(maxPayload))
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, b.source.blame(err)
}

// maxBlock bounds the blocks of pbzx, in bytes: Apple's have 16 MiB.
const maxBlock = 64 << 20

// pbzx is a sequence of blocks, each compressed on its own with xz or, where
// that gains nothing, as it is (formats/macos-pkg.md §3.5).
type pbzx struct {
	in    io.Reader
	size  uint64 // of a block, but for the last
	block io.Reader
	left  uint64 // of the block, plain
	last  bool
}

func newPBZX(in io.Reader) (*pbzx, error) {
	var b [12]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return nil, early(err)
	}
	p := &pbzx{in: in, size: binary.BigEndian.Uint64(b[4:])}
	if p.size == 0 || p.size > maxBlock {
		return nil, fmt.Errorf("pbzx: blocks of %d bytes", p.size)
	}
	return p, nil
}

func (p *pbzx) Read(b []byte) (int, error) {
	for p.left == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n, err := p.block.Read(b[:min(uint64(len(b)), p.left)])
	p.left -= uint64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; p.left > 0 {
			err = errors.New("pbzx: a block is shorter than it says")
		}
	}
	return n, err
}

// next begins the next block. One that is not full is the last.
func (p *pbzx) next() error {
	if p.block != nil {
		if _, err := io.Copy(io.Discard, p.block); err != nil { // to its end, and its check
			return err
		}
	}
	var b [16]byte
	switch _, err := io.ReadFull(p.in, b[:]); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return early(err)
	case p.last:
		return errors.New("pbzx: something follows the last block")
	}
	plain, stored := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	if plain == 0 || plain > p.size || stored > maxBlock+1<<20 {
		return fmt.Errorf("pbzx: a block of %d bytes in %d", plain, stored)
	}
	data := make([]byte, stored)
	if _, err := io.ReadFull(p.in, data); err != nil {
		return early(err)
	}
	p.left, p.last = plain, plain < p.size
	if stored == plain {
		p.block = bytes.NewReader(data)
		return nil
	}
	block, err := newXZ(data)
	p.block = block
	return err
}

func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends early")
	}
	return err
}
