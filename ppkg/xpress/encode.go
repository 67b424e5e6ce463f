package xpress

import (
	"encoding/binary"
	"slices"
)

// encode appends the code lengths and the sequences to dst, if that takes at
// most limit bytes.
//
// The code is a stream of 16-bit words, most significant bit first. A reader
// holds 16 to 31 bits of it, so the two words after those written are always
// reserved, and the bytes of a long length go behind them.
func (c *Compressor) encode(dst, src []byte, limit int) ([]byte, bool) {
	size := c.size()
	if size > limit {
		return dst, false
	}
	base := len(dst)
	dst = slices.Grow(dst, size+4)
	out := dst[base : base+size+4] // a reader's look ahead ends 4 bytes behind
	for i := range numHeader {
		out[i] = byte(c.code.words[2*i]&15 | c.code.words[2*i+1]&15<<4)
	}
	var (
		words = &c.code.words
		bits  uint64 // n of them pending, right-justified; n is at most 32 between steps
		n     uint
		slot  = numHeader // where the next word goes,
		slot2 = slot + 2  // and the one after it
		next  = slot + 4  // where bytes go
	)
	flush := func() { // writes two words
		n -= 32
		binary.LittleEndian.PutUint16(out[slot:], uint16(bits>>n>>16))
		binary.LittleEndian.PutUint16(out[slot2:], uint16(bits>>n))
		slot, slot2, next = next, next+2, next+4
	}
	for _, s := range c.sequences {
		run := src[:s.literals]
		src = src[s.literals+uint32(s.length):]
		for ; len(run) >= 2; run = run[2:] {
			w1, w2 := words[run[0]], words[run[1]]
			bits = bits<<(w1&15) | uint64(w1>>4)
			bits = bits<<(w2&15) | uint64(w2>>4)
			if n += uint(w1&15 + w2&15); n > 32 {
				flush()
			}
		}
		if len(run) == 1 {
			w := words[run[0]]
			bits = bits<<(w&15) | uint64(w>>4)
			if n += uint(w & 15); n > 32 {
				flush()
			}
		}
		if s.length == 0 {
			break
		}
		class := log2(uint(s.offset))
		w := words[matchSymbol(uint(s.length), class)]
		bits = bits<<(w&15) | uint64(w>>4)
		n += uint(w & 15)
		if length := uint(s.length) - minMatch; length >= 15 {
			for n > 16 { // where a reader is now
				n -= 16
				binary.LittleEndian.PutUint16(out[slot:], uint16(bits>>n))
				slot, slot2, next = slot2, next, next+2
			}
			next += putLength(out[next:], length)
		}
		bits = bits<<class | uint64(s.offset)&^(1<<class)
		if n += class; n > 32 {
			flush()
		}
	}
	w := words[endOfData]
	bits = bits<<(w&15) | uint64(w>>4)
	for n += uint(w & 15); n > 16; {
		n -= 16
		binary.LittleEndian.PutUint16(out[slot:], uint16(bits>>n))
		slot, slot2, next = slot2, next, next+2
	}
	binary.LittleEndian.PutUint16(out[slot:], uint16(bits<<(16-n)))
	binary.LittleEndian.PutUint16(out[slot2:], 0)
	return dst[:base+next], true
}

// putLength writes the bytes of a length, less minMatch, of 15 or more.
func putLength(out []byte, length uint) int {
	if length < 255+15 {
		out[0] = byte(length - 15)
		return 1
	}
	out[0] = 255
	binary.LittleEndian.PutUint16(out[1:], uint16(length))
	return 3
}

// size is how many bytes encode will write.
func (c *Compressor) size() int {
	bits, bytes := 0, numHeader+4+2*c.farLong
	for symbol, times := range c.count {
		n := int(c.code.words[symbol] & 15)
		if symbol > endOfData {
			n += symbol >> 4 & 15
			if symbol&15 == 15 {
				bytes += int(times)
			}
		}
		bits += n * int(times)
	}
	return bytes + (bits-1)/16*2
}
