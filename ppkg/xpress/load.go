package xpress

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// chunk is the data being compressed. The match finders spend their time on
// loads at positions that they made themselves; checking the bounds of each
// again would cost a fifth of the compressor's speed, so this file, and only
// this file, does without. Callers keep positions, and what they load there,
// within the chunk.
type chunk struct {
	base unsafe.Pointer
	size uint
}

func newChunk(src []byte) chunk {
	return chunk{unsafe.Pointer(unsafe.SliceData(src)), uint(len(src))}
}

func (c chunk) load32(pos uint) uint32 {
	return binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(c.base, pos))[:])
}

func (c chunk) load64(pos uint) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(c.base, pos))[:])
}

// matchLength counts the bytes that are the same from there and from here on,
// where there lies before here and the first four are known to be the same.
func (c chunk) matchLength(there, here uint) uint {
	n := uint(4)
	for ; here+n+8 <= c.size; n += 8 {
		if x := c.load64(there+n) ^ c.load64(here+n); x != 0 {
			return n + uint(bits.TrailingZeros64(x)>>3)
		}
	}
	for here+n < c.size && *(*byte)(unsafe.Add(c.base, there+n)) == *(*byte)(unsafe.Add(c.base, here+n)) {
		n++
	}
	return n
}

// nearThree tells whether a match of three bytes, from there and from here on,
// is worth it: beyond maxOffset3 three literals cost less.
func (c chunk) nearThree(there, here uint) bool {
	return here-there <= maxOffset3 && (c.load32(there)^c.load32(here))<<8 == 0
}
