package bom

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// The blocks that every Bom begins with, as mkbom numbers them. Further nodes
// of the two trees follow, then three blocks for each path.
const (
	blockInfo = iota + 1
	blockPaths
	blockPathsRoot
	blockLinks
	blockLinksRoot
	blockView
	blockViewTree
	blockViewRoot
	blockSizes
	blockSizesRoot
	blockMore
)

// dataStart is where Apple's tools put the first block, in bytes.
const dataStart = 512

// Write writes a Bom of the entries, which may come in any order and must form
// one tree with the root ".". Errors wrap [ErrPath] or [ErrTooLarge].
func Write(w io.Writer, entries []Entry) error {
	p, err := sortPaths(entries)
	if err != nil {
		return err
	}
	b := newBuilder(p)
	var size, count uint64
	b.blocks(func(block []byte) {
		size += uint64(len(block))
		count++
	})
	vars := b.vars()
	varsAt := dataStart + size
	indexAt := varsAt + uint64(len(vars))
	indexSize := 4 + 8*(count+1) + 4 + 2*8
	if indexAt+indexSize > math.MaxUint32 {
		return fmt.Errorf("%w: %d paths", ErrTooLarge, len(entries))
	}
	out := bufio.NewWriterSize(w, 64<<10)
	numbers := func(values ...uint64) {
		for _, v := range values {
			_, _ = out.Write(binary.BigEndian.AppendUint32(out.AvailableBuffer(), uint32(v))) // Flush tells
		}
	}
	_, _ = out.WriteString(magic)
	numbers(1, count, indexAt, indexSize, varsAt, uint64(len(vars)))
	_, _ = out.Write(make([]byte, dataStart-headerSize))
	b.blocks(func(block []byte) { _, _ = out.Write(block) })
	_, _ = out.Write(vars)
	numbers(count+1, 0, 0)
	at := uint64(dataStart)
	b.blocks(func(block []byte) {
		numbers(at, uint64(len(block)))
		at += uint64(len(block))
	})
	numbers(2, 0, 0, 0, 0) // the list of free blocks: none
	return out.Flush()
}

// builder makes the blocks of a Bom, one after the other and as often as they
// are needed, so that it need not hold them.
type builder struct {
	paths *paths
	tree  tree
	large []uint32 // places of the files whose size needs more than 32 bits
	sizes tree
	first uint32 // block of the first path
}

func newBuilder(p *paths) *builder {
	b := &builder{paths: p}
	for i, e := range p.entries {
		if e.Size > math.MaxUint32 {
			b.large = append(b.large, uint32(i))
		}
	}
	b.tree = tree{n: len(p.entries), root: blockPathsRoot, first: blockMore}
	b.sizes = tree{n: len(b.large), root: blockSizesRoot, first: blockMore + uint32(b.tree.more())}
	b.first = b.sizes.first + uint32(b.sizes.more())
	b.tree.pair = func(i int) (value, key uint32) {
		record := b.record(p.byParent[i])
		return record + 2, record + 1
	}
	b.sizes.pair = func(i int) (value, key uint32) {
		key = b.record(uint32(len(p.entries))) + 2*uint32(i)
		return key + 1, key
	}
	return b
}

// record is the block of a path's record; its name and numbers follow.
func (b *builder) record(place uint32) uint32 { return b.first + 3*place }

func (b *builder) vars() []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(varNames)))
	for i, block := range [...]uint32{blockInfo, blockPaths, blockLinks, blockView, blockSizes} {
		out = binary.BigEndian.AppendUint32(out, block)
		out = append(out, byte(len(varNames[i])))
		out = append(out, varNames[i]...)
	}
	return out
}

// blocks emits every block in order, from number 1.
func (b *builder) blocks(emit func([]byte)) {
	links, view := tree{root: blockLinksRoot}, tree{root: blockViewRoot}
	emit(b.info())
	emit(b.tree.header(nodeSize))
	b.root(&b.tree, emit)
	emit(links.header(nodeSize))
	b.root(&links, emit)
	emit([]byte{0, 0, 0, 1, 0, 0, 0, blockViewTree, 0, 0, 0, 0, 0})
	emit(view.header(viewIndexNode))
	emit(view.node(0, 0)[:viewIndexNode])
	emit(b.sizes.header(nodeSize))
	b.root(&b.sizes, emit)
	b.nodes(&b.tree, emit)
	b.nodes(&b.sizes, emit)
	var buf []byte
	for i, e := range b.paths.entries {
		buf = b.paths.appendRecord(buf[:0], i)
		emit(buf)
		_, name := splitPath(e.Path)
		buf = binary.BigEndian.AppendUint32(buf[:0], b.paths.parents[i])
		emit(append(append(buf, name...), 0))
		buf = binary.BigEndian.AppendUint32(buf[:0], uint32(i)+1)
		emit(binary.BigEndian.AppendUint32(buf, b.record(uint32(i))))
	}
	for _, i := range b.large {
		emit(binary.BigEndian.AppendUint32(nil, b.record(i)))
		emit(binary.BigEndian.AppendUint64(nil, uint64(b.paths.entries[i].Size)))
	}
}

func (b *builder) root(t *tree, emit func([]byte)) { emit(t.node(len(t.levels())-1, 0)) }

func (b *builder) nodes(t *tree, emit func([]byte)) {
	levels := t.levels()
	for level, nodes := range levels[:len(levels)-1] {
		for i := range nodes {
			emit(t.node(level, i))
		}
	}
}

// info makes BomInfo: how many bytes there are for each architecture, and for
// none, to which folders count, too.
func (b *builder) info() []byte {
	totals := map[uint32]uint32{0: 0}
	for i, e := range b.paths.entries {
		for _, s := range e.Slices {
			totals[s.CPUType] += s.Size
		}
		if len(e.Slices) == 0 {
			totals[0] += uint32(b.paths.size(i)) // mkbom keeps the low 32 bits
		}
	}
	out := binary.BigEndian.AppendUint32(nil, 1)
	out = binary.BigEndian.AppendUint32(out, uint32(len(b.paths.entries))+1)
	out = binary.BigEndian.AppendUint32(out, uint32(len(totals)))
	for _, cpu := range slices.Sorted(maps.Keys(totals)) {
		for _, v := range [...]uint32{cpu, 0, totals[cpu], 0} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
	}
	return out
}

// size is that of the file or target; of a folder what APFS says.
func (p *paths) size(i int) int64 {
	if p.entries[i].Mode&ModeType == ModeDir {
		return 32 * (int64(p.children[i]) + 2)
	}
	return p.entries[i].Size
}

// appendRecord makes the record of a path.
func (p *paths) appendRecord(b []byte, i int) []byte {
	e := p.entries[i]
	kind, arch := byte(typeFile), uint16(archPlain)
	switch e.Mode & ModeType {
	case ModeDir:
		kind = typeDir
	case ModeSymlink:
		kind = typeSymlink
	}
	switch {
	case len(e.Slices) == 1:
		arch = archThin
	case len(e.Slices) > 1:
		arch = archFat
	}
	b = append(b, kind, 1)
	b = binary.BigEndian.AppendUint16(b, arch)
	b = binary.BigEndian.AppendUint16(b, uint16(e.Mode))
	for _, v := range [...]uint32{e.UID, e.GID, e.ModTime, uint32(p.size(i))} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, 1)
	b = binary.BigEndian.AppendUint32(b, e.Checksum)
	switch {
	case kind == typeDir:
		return binary.BigEndian.AppendUint32(b, 0)
	case kind == typeSymlink:
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Target))+1)
		b = append(append(b, e.Target...), 0)
	case len(e.Slices) > 0:
		b = append(b, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Slices)))
		for _, s := range e.Slices {
			for _, v := range [...]uint32{s.CPUType, s.CPUSubtype, s.Size, s.Checksum} {
				b = binary.BigEndian.AppendUint32(b, v)
			}
		}
	}
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}
