package bom

import "encoding/binary"

// tree is a tree of n pairs of block numbers, a value and the key by which they
// are sorted. Its nodes are blocks of one size. The root has a block of its
// own; the others follow each other, the leaves first.
type tree struct {
	n     int
	pair  func(i int) (value, key uint32)
	root  uint32
	first uint32 // block of the first node that is not the root
}

// levels gives the number of nodes on each level, the leaves' first.
func (t *tree) levels() []int {
	levels := []int{max(1, (t.n+nodeEntries-1)/nodeEntries)}
	for nodes := levels[0]; nodes > 1; levels = append(levels, nodes) {
		nodes = (nodes + nodeEntries - 1) / nodeEntries
	}
	return levels
}

// more is how many blocks the tree needs besides the root's.
func (t *tree) more() int {
	n := -1
	for _, nodes := range t.levels() {
		n += nodes
	}
	return n
}

// header makes the block that names the tree.
func (t *tree) header(nodeSize uint32) []byte {
	b := append(make([]byte, 0, treeSize), "tree"...)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, t.root)
	b = binary.BigEndian.AppendUint32(b, nodeSize)
	b = binary.BigEndian.AppendUint32(b, uint32(t.n))
	return append(b, 0)
}

// node makes a node: of a leaf the pairs, above that for each child its block
// and its last key.
func (t *tree) node(level, i int) []byte {
	levels := t.levels()
	from, to := i*nodeEntries, t.n
	if level > 0 {
		to = levels[level-1]
	}
	to = min(from+nodeEntries, to)
	b := make([]byte, 0, nodeSize)
	b = binary.BigEndian.AppendUint16(b, map[bool]uint16{true: 1}[level == 0])
	b = binary.BigEndian.AppendUint16(b, uint16(to-from))
	next, previous := uint32(0), uint32(0)
	if i+1 < levels[level] {
		next = t.block(level, i+1)
	}
	if i > 0 {
		previous = t.block(level, i-1)
	}
	b = binary.BigEndian.AppendUint32(b, next)
	b = binary.BigEndian.AppendUint32(b, previous)
	for j := from; j < to; j++ {
		value, key := t.entry(level, j)
		b = binary.BigEndian.AppendUint32(b, value)
		b = binary.BigEndian.AppendUint32(b, key)
	}
	return b[:nodeSize]
}

func (t *tree) entry(level, j int) (value, key uint32) {
	if level == 0 {
		return t.pair(j)
	}
	last := j + 1 // pairs below and including child j
	for range level {
		last *= nodeEntries
	}
	_, key = t.pair(min(last, t.n) - 1)
	return t.block(level-1, j), key
}

func (t *tree) block(level, i int) uint32 {
	levels := t.levels()
	if level == len(levels)-1 {
		return t.root
	}
	b := t.first + uint32(i)
	for _, nodes := range levels[:level] {
		b += uint32(nodes)
	}
	return b
}
