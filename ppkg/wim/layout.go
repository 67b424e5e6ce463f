package wim

import (
	"encoding/binary"
	"fmt"
)

// deliver gives finished contents their place in the file and writes them.
func (s *store) deliver(t *task) error {
	switch {
	case t.prepared != nil:
		return s.deliverPrepared(t)
	case t.large != nil:
		return s.deliverSegment(t)
	}
	var size int64
	out := t.out[:0]
	for i := range t.small {
		p := &t.small[i]
		size += p.size
		if !s.place(p.node, s.pos+int64(len(out)), int64(p.end-p.start), p.compressed) {
			continue
		}
		// Moves only if a file before it turned out a duplicate.
		if p.start == len(out) {
			out = out[:p.end]
		} else {
			out = append(out, t.out[p.start:p.end]...)
		}
	}
	if err := s.write(out, s.pos); err != nil {
		return err
	}
	s.pos += int64(len(out))
	s.progress(size)
	return nil
}

// place enters a file's contents into the blob table, unless they are there.
func (s *store) place(n *node, offset, size int64, compressed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contents[n.hash]
	if c == nil { // a large or prepared file, which makes no claims
		c = &content{blob: blob{hash: n.hash}}
		s.contents[n.hash] = c
	}
	c.refs++
	if c.refs > 1 {
		return false
	}
	c.resource = resource{offset: offset, size: size, plain: n.size, flags: s.flags}
	if compressed {
		c.flags |= resCompressed
	}
	s.order = append(s.order, c)
	return true
}

// layout is the resource of a large file while its segments come in.
type layout struct {
	*node
	chunks   int64  // where the first chunk goes, behind the table
	pos      int64  // where the next chunk goes
	table    []byte // entries of the chunk table not yet written
	tablePos int64  // where they go
	raw      bool   // is not compressed, or turned out not worth it
}

func (s *store) deliverSegment(t *task) error {
	if t.first {
		l := &layout{node: t.large, pos: s.pos, tablePos: s.pos, raw: s.Compression == None}
		if !l.raw {
			l.pos += tableSize(l.size, chunkSize)
		}
		l.chunks = l.pos
		s.layout = l
	}
	l := s.layout
	out := t.out
	if s.Compression == None {
		out = t.src
	} else if l.pos+int64(len(out)) >= s.pos+l.size && s.flags&resMetadata == 0 {
		// All in all it will not shrink. Nothing beyond its plain size has
		// been written yet; its plain bytes will go over what has.
		l.raw, out = true, nil
	}
	if err := s.write(out, l.pos); err != nil {
		return err
	}
	if !l.raw {
		if err := s.addToTable(t); err != nil {
			return err
		}
	}
	l.pos += int64(len(out))
	s.progress(int64(len(t.src)))
	if !t.last {
		return nil
	}
	if l.raw && s.Compression != None {
		if err := s.rewriteRaw(t.buffer()); err != nil {
			return err
		}
	}
	s.place(l.node, s.pos, l.pos-s.pos, !l.raw)
	s.pos = l.pos
	return nil
}

// tableBatch is how many bytes of a chunk table are written at a time.
const tableBatch = 1 << 16

// addToTable notes where the chunks of t start, but for the resource's first.
func (s *store) addToTable(t *task) error {
	l := s.layout
	for i := range t.ends {
		offset := l.pos - l.chunks
		if i > 0 {
			offset += int64(t.ends[i-1])
		}
		switch {
		case offset == 0:
		case tableEntrySize(l.size) == 8:
			l.table = binary.LittleEndian.AppendUint64(l.table, uint64(offset))
		default:
			l.table = binary.LittleEndian.AppendUint32(l.table, uint32(offset))
		}
	}
	if len(l.table) < tableBatch && !t.last {
		return nil
	}
	if err := s.write(l.table, l.tablePos); err != nil {
		return err
	}
	l.tablePos += int64(len(l.table))
	l.table = l.table[:0]
	return nil
}

// rewriteRaw reads the file anew and stores it as it is.
func (s *store) rewriteRaw(buf []byte) error {
	l := s.layout
	l.pos = s.pos
	hash, err := s.copyFile(l.node, buf, func(b []byte) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := s.write(b, l.pos)
		l.pos += int64(len(b))
		return err
	})
	if err == nil && hash != l.hash {
		err = fmt.Errorf("%w: %s", ErrChanged, l.path())
	}
	return err
}
