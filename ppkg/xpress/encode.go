package xpress

import (
	"encoding/binary"
	"slices"
)

// encode appends the code lengths and the tokens to dst, if that takes at most
// limit bytes.
//
// A reader holds 16 to 31 bits, so at each moment the two words that follow
// those complete are reserved in the output: bytes of long lengths go behind
// them.
func (c *Compressor) encode(dst []byte, limit int) ([]byte, bool) {
	if c.size() > limit {
		return dst, false
	}
	base := len(dst)
	dst = slices.Grow(dst, limit+16)
	out := dst[base : base+limit+16]
	lens, codes := &c.code.lens, &c.code.codes
	for i := range numHeader {
		out[i] = lens[2*i] | lens[2*i+1]<<4
	}
	w := bitWriter{out: out, slot: numHeader, slot2: numHeader + 2, next: numHeader + 4}
	for _, t := range c.tokens {
		if t < 256 {
			w.put(uint64(codes[t]), uint(lens[t]))
			continue
		}
		length, offset := int(t>>16), int(t&0xFFFF)
		class := log2(offset)
		symbol := matchSymbol(length, class) & (numSymbols - 1)
		extra := uint64(offset) &^ (1 << class)
		if length -= minMatch; length < 15 {
			w.put(uint64(codes[symbol])<<class|extra, uint(lens[symbol])+uint(class))
			continue
		}
		w.put(uint64(codes[symbol]), uint(lens[symbol]))
		w.flush()
		if length < 255+15 {
			w.out[w.next] = byte(length - 15)
			w.next++
		} else {
			w.out[w.next] = 255
			binary.LittleEndian.PutUint16(w.out[w.next+1:], uint16(length))
			w.next += 3
		}
		w.put(extra, uint(class))
	}
	w.put(uint64(codes[endOfData]), uint(lens[endOfData]))
	w.flush()
	binary.LittleEndian.PutUint16(out[w.slot:], uint16(w.bits<<(16-w.n)))
	binary.LittleEndian.PutUint16(out[w.slot2:], 0)
	return dst[:base+w.next], true
}

// size is how many bytes encode will write.
func (c *Compressor) size() int {
	bits, bytes := 0, numHeader+4
	for symbol, times := range c.count {
		n := int(c.code.lens[symbol])
		if symbol >= 256 && symbol != endOfData {
			n += symbol >> 4 & 15
		}
		bits += n * int(times)
	}
	for class := range 16 {
		bytes += int(c.count[256+class<<4+15]) // the usual length byte
	}
	for _, t := range c.tokens {
		if t>>16 >= 255+15+minMatch {
			bytes += 2
		}
	}
	return bytes + (bits-1)/16*2
}

// bitWriter writes words of 16 bits to places reserved for them.
type bitWriter struct {
	out   []byte
	bits  uint64 // n pending bits, right-justified
	n     uint
	slot  int // where the next word goes
	slot2 int // where the one after it goes
	next  int // where bytes go
}

// put appends the lowest n bits of bits, 30 at most.
func (w *bitWriter) put(bits uint64, n uint) {
	w.bits = w.bits<<n | bits
	if w.n += n; w.n > 32 {
		w.flush()
	}
}

// flush writes complete words, but keeps 1 to 16 bits, as readers do.
func (w *bitWriter) flush() {
	for w.n > 16 {
		w.n -= 16
		binary.LittleEndian.PutUint16(w.out[w.slot:], uint16(w.bits>>w.n))
		w.slot, w.slot2, w.next = w.slot2, w.next, w.next+2
	}
}
