package wim

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"firstday.dev/ppkg/xpress"
)

// worker returns the function that does one worker's tasks.
func (s *store) worker() func(*task) error {
	var c *xpress.Compressor
	if s.Compression == XPRESS {
		c = xpress.NewCompressor(s.Level)
	}
	return func(t *task) error {
		if t.prepared != nil {
			return nil
		}
		if t.out == nil {
			// Chunks stay below their plain size; the rest is for the
			// tables of small files and the compressor's last steps.
			t.out = make([]byte, 0, segmentSize+4096)
		}
		if t.large != nil {
			if c != nil {
				t.compress(c, t.src)
			}
			return nil
		}
		for i := range t.small {
			if err := s.storeSmall(t, i, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// compress appends the chunks of src to t.out. A chunk that would not shrink
// is stored as it is.
func (t *task) compress(c *xpress.Compressor, src []byte) {
	for len(src) > 0 {
		chunk := src[:min(chunkSize, len(src))]
		src = src[len(chunk):]
		var ok bool
		if t.out, ok = c.Compress(t.out, chunk); !ok {
			t.out = append(t.out, chunk...)
		}
		t.ends = append(t.ends, len(t.out))
	}
}

// storeSmall reads a small file and appends its resource to t.out, unless an
// earlier file is known to have the same contents.
func (s *store) storeSmall(t *task, i int, c *xpress.Compressor) error {
	p := &t.small[i]
	src, err := s.readSmall(p.node, t.buffer())
	if err != nil {
		return err
	}
	p.hash = sha1.Sum(src)
	p.start, p.end = len(t.out), len(t.out)
	if !s.claim(p.hash, t.index+i) {
		return nil
	}
	p.compressed = c != nil && t.compressSmall(c, src, s.flags&resMetadata != 0)
	if !p.compressed {
		t.out = append(t.out, src...)
	}
	p.end = len(t.out)
	return nil
}

// readSmall reads a file whole into buf.
func (s *store) readSmall(n *node, buf []byte) ([]byte, error) {
	f, err := s.open(n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := io.ReadFull(f, buf[:n.size+1])
	switch {
	case err == nil:
		return nil, fmt.Errorf("%w: %s: longer than %d bytes", ErrChanged, n.path(), n.size)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("reading %s: %w", n.path(), err)
	case int64(got) != n.size:
		return nil, fmt.Errorf("%w: %s: shorter than %d bytes", ErrChanged, n.path(), n.size)
	}
	return buf[:got], nil
}

// claim tells whether the file of that index must compress its contents: it
// must, unless an earlier file has claimed them. Since the order of claims
// depends on chance, a later file may compress in vain; what is written does
// not change.
func (s *store) claim(hash [20]byte, index int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contents[hash]
	switch {
	case c == nil:
		s.contents[hash] = &content{blob: blob{hash: hash}, first: index}
	case index < c.first:
		c.first = index
	default:
		return false
	}
	return true
}

// compressSmall appends src as a compressed resource, the table of its chunks
// before them. If that gains nothing it appends nothing, unless forced.
func (t *task) compressSmall(c *xpress.Compressor, src []byte, forced bool) bool {
	start := len(t.out)
	table := int(tableSize(int64(len(src)), chunkSize))
	t.ends = t.ends[:0]
	t.out = append(t.out, make([]byte, table)...)
	t.compress(c, src)
	if len(t.out)-start >= len(src) && !forced {
		t.out = t.out[:start]
		return false
	}
	for i, end := range t.ends[:len(t.ends)-1] {
		binary.LittleEndian.PutUint32(t.out[start+4*i:], uint32(end-start-table))
	}
	return true
}
