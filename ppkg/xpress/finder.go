package xpress

import (
	"encoding/binary"
	"math/bits"
)

const (
	hash4Bits = 15
	hash3Bits = 12
	none      = 0xFFFF // no position: the last byte of a full chunk begins no match

	// Beyond this offset three literals are cheaper than a match of three.
	maxOffset3 = 4096
)

// finder finds earlier occurrences of what stands at a position: chains of
// positions with the same hash of four bytes, and the latest position for each
// hash of three.
type finder struct {
	src   []byte
	head4 [1 << hash4Bits]uint16
	head3 [1 << hash3Bits]uint16
	prev  [MaxChunk]uint16
}

func (f *finder) reset(src []byte) {
	f.src = src
	for i := range f.head4 {
		f.head4[i] = none
	}
	for i := range f.head3 {
		f.head3[i] = none
	}
}

func hash4(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - hash4Bits) }
func hash3(x uint32) uint32 { return x << 8 * 0x9E3779B1 >> (32 - hash3Bits) }

// find returns the best match at pos that is longer than longest, and enters
// pos into the tables. Positions must come in ascending order, each once. A
// length of 0 means there is none.
func (f *finder) find(pos, longest, depth, nice int) (length, offset int) {
	src := f.src
	if len(src)-pos < 4 {
		return 0, 0
	}
	here := src[pos:]
	x := binary.LittleEndian.Uint32(here)
	h4, h3 := hash4(x), hash3(x)
	candidate, near := f.head4[h4], f.head3[h3]
	f.head4[h4], f.head3[h3] = uint16(pos), uint16(pos)
	f.prev[pos&(MaxChunk-1)] = candidate

	if longest < minMatch && near != none && pos-int(near) <= maxOffset3 {
		if there := src[near:]; (binary.LittleEndian.Uint32(there)^x)<<8 == 0 {
			length, offset, longest = minMatch, pos-int(near), minMatch
		}
	}
	if longest >= len(here) {
		return length, offset
	}
	if longest < minMatch {
		longest = minMatch
	}
	tail := binary.LittleEndian.Uint32(here[longest-3:])
	for ; candidate != none && depth > 0; depth-- {
		there := src[candidate:]
		if binary.LittleEndian.Uint32(there[longest-3:]) == tail && binary.LittleEndian.Uint32(there) == x {
			n := matchLength(there, here)
			if n > longest {
				length, offset, longest = n, pos-int(candidate), n
				if n >= nice || n >= len(here) {
					break
				}
				tail = binary.LittleEndian.Uint32(here[longest-3:])
			}
		}
		candidate = f.prev[candidate]
	}
	return length, offset
}

// skip enters the positions from pos up to end into the tables.
func (f *finder) skip(pos, end int) {
	end = min(end, len(f.src)-3)
	for ; pos < end; pos++ {
		x := binary.LittleEndian.Uint32(f.src[pos:])
		h4, h3 := hash4(x), hash3(x)
		f.prev[pos&(MaxChunk-1)] = f.head4[h4]
		f.head4[h4], f.head3[h3] = uint16(pos), uint16(pos)
	}
}

// matchLength counts the bytes with which both begin; there lies before here
// in the same chunk, so it is the longer one.
func matchLength(there, here []byte) int {
	there = there[:len(here)]
	n := 0
	for ; n+8 <= len(here); n += 8 {
		if x := binary.LittleEndian.Uint64(there[n:]) ^ binary.LittleEndian.Uint64(here[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
	}
	for n < len(here) && there[n] == here[n] {
		n++
	}
	return n
}

// log2 is the position of the highest bit of x, which is not 0.
func log2(x int) int { return bits.Len32(uint32(x)) - 1 }
