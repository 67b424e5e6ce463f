package wim

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
)

// stream is a large file being read.
type stream struct {
	*node
	io.ReadCloser
	sum  hash.Hash
	left int64
}

func (s *store) openStream(n *node) (*stream, error) {
	f, err := s.open(n)
	if err != nil {
		return nil, err
	}
	return &stream{node: n, ReadCloser: f, sum: sha1.New(), left: n.size}, nil
}

// read fills buf with the next segment, and makes sure that the last one is
// the last.
func (r *stream) read(buf []byte) ([]byte, error) {
	buf = buf[:min(segmentSize, r.left)]
	n, err := io.ReadFull(r, buf)
	r.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %s: shorter than %d bytes", ErrChanged, r.path(), r.size)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", r.path(), err)
	}
	if r.left == 0 {
		if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
			return nil, fmt.Errorf("%w: %s: longer than %d bytes", ErrChanged, r.path(), r.size)
		}
	}
	r.sum.Write(buf)
	return buf, nil
}

// copyFile hands a file's bytes to f, piece by piece, and returns their hash.
func (s *store) copyFile(n *node, buf []byte, f func([]byte) error) (hash [20]byte, err error) {
	r, err := s.openStream(n)
	if err != nil {
		return hash, err
	}
	defer r.Close()
	for r.left > 0 {
		b, err := r.read(buf)
		if err != nil {
			return hash, err
		}
		if err := f(b); err != nil {
			return hash, err
		}
	}
	return [20]byte(r.sum.Sum(nil)), nil
}
