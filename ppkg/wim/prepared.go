package wim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Prefix is what a WIM with prepared contents begins with: the header and those
// contents, which lie at the same places in every WIM that has the same ones.
// WIMs whose prefixes are equal (==) begin with the same bytes, unless a copy
// went wrong unnoticed.
type Prefix struct {
	Size     int64 // bytes; 0 if nothing was prepared
	header   [headerSize]byte
	cache    *Cache
	contents string // place and size of each in the cache, as they lie in the WIM
}

// To give many WIMs the same header, too, what follows the prefix is filled up:
// the gap before the blob table to a multiple of tableStep, the XML data to one
// of xmlStep. Nothing refers to the gap, such as WIMGAPI itself leaves behind the
// header (formats/ppkg.md §1.1). The XML data is filled with line ends after the
// root element, where they belong to no value and to no list of elements; wimlib
// writes one there, and Windows reads its WIMs (§1.2: some values are bounded,
// so NOTES had better stay short). What needs more than a step has another header,
// that is all.
const (
	tableStep = 1 << 16
	xmlStep   = 1 << 12
)

// claimPrepared gives the files of the tree their prepared contents, and puts
// those first, where they are at the same place in all WIMs that have them.
func (w *writer) claimPrepared(files []*node) error {
	if len(w.Prepared) == 0 {
		return nil
	}
	found := 0
	for _, n := range files {
		path := n.path()
		p := w.Prepared[path]
		if p == nil {
			continue
		}
		found++
		switch {
		case p.compression != w.Compression || p.level != w.Level:
			return fmt.Errorf("%s was prepared for another compression", path)
		case p.blob.plain != n.size:
			return fmt.Errorf("%w: %s has %d bytes, and had %d when it was prepared", ErrChanged, path, n.size, p.blob.plain)
		case w.prefix.cache != nil && w.prefix.cache != p.cache:
			return fmt.Errorf("%s was prepared in another cache", path)
		}
		n.hash, w.prefix.cache = p.blob.hash, p.cache
	}
	if found != len(w.Prepared) {
		return errors.New("a file was prepared that the image does not have")
	}
	// By their hash, whatever the paths are and however the cache was filled.
	// No other file has a hash yet.
	slices.SortStableFunc(files, func(a, b *node) int {
		switch claimedA, claimedB := a.hash != [20]byte{}, b.hash != [20]byte{}; {
		case claimedA && claimedB:
			return slices.Compare(a.hash[:], b.hash[:])
		case claimedA:
			return -1
		case claimedB:
			return 1
		}
		return 0
	})
	w.pos = inBlocks(headerSize)
	w.prefix.Size = w.pos
	return nil
}

// deliverPrepared copies a prepared content to its place, unless it is in the
// file already.
func (s *store) deliverPrepared(t *task) error {
	n, p := t.large, t.prepared
	if s.place(n, s.pos, p.blob.size, p.blob.compressed()) {
		if err := p.copyTo(s.out, s.pos); err != nil {
			return err
		}
		s.pos += inBlocks(p.blob.size)
		s.prefix.Size = s.pos
		s.prefix.contents += string(binary.LittleEndian.AppendUint64(
			binary.LittleEndian.AppendUint64(nil, uint64(p.blob.offset)), uint64(p.blob.size)))
	}
	s.progress(n.size)
	return s.ctx.Err()
}
