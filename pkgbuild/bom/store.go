package bom

import (
	"encoding/binary"
	"io"
)

// Bounds on what a store may claim.
const (
	maxVars   = 64
	maxBlock  = 1 << 16
	maxLevels = 8
)

// store is a file of numbered blocks.
type store struct {
	r     io.ReaderAt
	size  int64
	index []byte // 8 bytes for each block: where it is, how long it is
	vars  map[string]uint32
}

func readStore(r io.ReaderAt, size int64) (*store, error) {
	if size < headerSize || size > MaxSize {
		return nil, malformed("%d bytes", size)
	}
	s := &store{r: r, size: size}
	header, err := s.read(0, headerSize)
	if err != nil {
		return nil, err
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	if string(header[:8]) != magic || u32(8) != 1 {
		return nil, malformed("no header of a Bom")
	}
	index, err := s.read(u32(16), u32(20))
	if err != nil {
		return nil, err
	}
	if len(index) < 4 {
		return nil, malformed("no index of blocks")
	}
	count := uint64(binary.BigEndian.Uint32(index))
	if count*8 > uint64(len(index)-4) {
		return nil, malformed("%d blocks in an index of %d bytes", count, len(index))
	}
	s.index = index[4 : 4+count*8]
	vars, err := s.read(u32(24), u32(28))
	if err != nil {
		return nil, err
	}
	return s, s.readVars(vars)
}

// read reads a part of the file that must be there.
func (s *store) read(at, length uint32) ([]byte, error) {
	if int64(at)+int64(length) > s.size {
		return nil, malformed("%d bytes at %d are beyond the end", length, at)
	}
	b := make([]byte, length)
	if _, err := s.r.ReadAt(b, int64(at)); err != nil {
		return nil, short(err)
	}
	return b, nil
}

func (s *store) readVars(b []byte) error {
	if len(b) < 4 {
		return malformed("no variables")
	}
	count := binary.BigEndian.Uint32(b)
	if count > maxVars {
		return malformed("%d variables", count)
	}
	s.vars = map[string]uint32{}
	b = b[4:]
	for range count {
		if len(b) < 5 || len(b) < 5+int(b[4]) {
			return malformed("the variables are cut short")
		}
		name := string(b[5 : 5+int(b[4])])
		if _, twice := s.vars[name]; twice {
			return malformed("variable %q is there twice", name)
		}
		s.vars[name] = binary.BigEndian.Uint32(b)
		b = b[5+int(b[4]):]
	}
	return nil
}

func (s *store) block(n uint32) ([]byte, error) {
	if n == 0 || uint64(n)*8 >= uint64(len(s.index)) {
		return nil, malformed("there is no block %d", n)
	}
	at, length := binary.BigEndian.Uint32(s.index[8*n:]), binary.BigEndian.Uint32(s.index[8*n+4:])
	if length > maxBlock {
		return nil, malformed("block %d has %d bytes", n, length)
	}
	return s.read(at, length)
}

// walk calls each pair of the tree that the variable names, in order.
func (s *store) walk(name string, each func(value, key []byte) error) error {
	block, ok := s.vars[name]
	if !ok {
		return malformed("it has no %s", name)
	}
	header, err := s.block(block)
	if err != nil {
		return err
	}
	if len(header) < treeSize || string(header[:4]) != "tree" {
		return malformed("%s is no tree", name)
	}
	want := binary.BigEndian.Uint32(header[16:])
	if want > MaxPaths {
		return malformed("%s has %d entries", name, want)
	}
	leaf, err := s.firstLeaf(binary.BigEndian.Uint32(header[8:]))
	if err != nil {
		return err
	}
	// Each leaf but that of an empty tree holds an entry, so that a chain that
	// comes round again runs out of entries.
	for count := uint32(0); ; {
		pairs, next, err := s.node(leaf, true)
		if err != nil {
			return err
		}
		if count += uint32(len(pairs) / 8); count > want || len(pairs) == 0 && next != 0 {
			return malformed("%s has more entries than it says", name)
		}
		if err := s.pairs(pairs, each); err != nil {
			return err
		}
		if next == 0 {
			if count != want {
				return malformed("%s has %d entries of %d", name, count, want)
			}
			return nil
		}
		leaf = next
	}
}

func (s *store) pairs(pairs []byte, each func(value, key []byte) error) error {
	for ; len(pairs) > 0; pairs = pairs[8:] {
		value, err := s.block(binary.BigEndian.Uint32(pairs))
		if err != nil {
			return err
		}
		key, err := s.block(binary.BigEndian.Uint32(pairs[4:]))
		if err != nil {
			return err
		}
		if err := each(value, key); err != nil {
			return err
		}
	}
	return nil
}

// firstLeaf goes down the left side of a tree.
func (s *store) firstLeaf(n uint32) (uint32, error) {
	for range maxLevels {
		b, err := s.block(n)
		if err != nil {
			return 0, err
		}
		if len(b) < nodeHeader {
			return 0, malformed("a node of %d bytes", len(b))
		}
		if binary.BigEndian.Uint16(b) == 1 {
			return n, nil
		}
		pairs, _, err := s.node(n, false)
		if err != nil {
			return 0, err
		}
		if len(pairs) == 0 {
			return 0, malformed("a branch without leaves")
		}
		n = binary.BigEndian.Uint32(pairs)
	}
	return 0, malformed("a tree of more than %d levels", maxLevels)
}

// node gives the pairs of a node and the node that follows it.
func (s *store) node(n uint32, leaf bool) (pairs []byte, next uint32, err error) {
	b, err := s.block(n)
	if err != nil {
		return nil, 0, err
	}
	if len(b) < nodeHeader || leaf != (binary.BigEndian.Uint16(b) == 1) {
		return nil, 0, malformed("block %d is not the node it should be", n)
	}
	count := int(binary.BigEndian.Uint16(b[2:]))
	if nodeHeader+8*count > len(b) {
		return nil, 0, malformed("a node of %d bytes with %d entries", len(b), count)
	}
	return b[nodeHeader : nodeHeader+8*count], binary.BigEndian.Uint32(b[4:]), nil
}
