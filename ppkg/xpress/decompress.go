package xpress

import (
	"encoding/binary"
	"fmt"
)

// tableBits is how many bits one look-up decodes. Longer codes are rare and
// are found by their length.
const tableBits = 11

// Decompressor decompresses chunks. The zero value is ready to use; it is not
// safe for concurrent use.
type Decompressor struct {
	table [1 << tableBits]uint16 // symbol<<4 | code length; 0: a longer code
	// For each code length above tableBits: the first code that is longer,
	// left-justified in 15 bits, and what to add to a code for its place in
	// order.
	limit [maxCodeLen + 2]uint32
	delta [maxCodeLen + 2]int32
	order [numSymbols]uint16 // symbols by code length, then value
}

// Decompress fills dst, a chunk of known size, from src. Whatever src holds, it
// writes nothing but dst. The error wraps [ErrCorrupt].
func (d *Decompressor) Decompress(dst, src []byte) error {
	if len(dst) > MaxChunk {
		return fmt.Errorf("%w: a chunk of %d bytes", ErrCorrupt, len(dst))
	}
	if len(src) < numHeader {
		return fmt.Errorf("%w: %d bytes are less than the code lengths", ErrCorrupt, len(src))
	}
	if err := d.readCode(src[:numHeader]); err != nil {
		return err
	}
	return d.decode(dst, src[numHeader:])
}

// readCode builds the decoding tables from the 512 code lengths, 4 bits each.
func (d *Decompressor) readCode(header []byte) error {
	var count [maxCodeLen + 1]int
	for _, b := range header {
		count[b&15]++
		count[b>>4]++
	}
	count[0] = 0
	// A complete code: every sequence of bits means something.
	var place [maxCodeLen + 2]int
	space := 0
	for l := 1; l <= maxCodeLen; l++ {
		place[l+1] = place[l] + count[l]
		space += count[l] << (maxCodeLen - l)
	}
	if space != 1<<maxCodeLen {
		return fmt.Errorf("%w: the code is not complete", ErrCorrupt)
	}
	next := place
	for i, b := range header {
		if l := b & 15; l != 0 {
			d.order[next[l]] = uint16(2 * i)
			next[l]++
		}
		if l := b >> 4; l != 0 {
			d.order[next[l]] = uint16(2*i + 1)
			next[l]++
		}
	}
	fill := 0
	for l := 1; l <= tableBits; l++ {
		run := 1 << (tableBits - l)
		for _, symbol := range d.order[place[l]:place[l+1]] {
			entry := symbol<<4 | uint16(l)
			for i := range d.table[fill : fill+run] {
				d.table[fill+i] = entry
			}
			fill += run
		}
	}
	clear(d.table[fill:])
	code := uint32(fill) << (maxCodeLen - tableBits)
	for l := tableBits + 1; l <= maxCodeLen; l++ {
		d.delta[l] = int32(place[l]) - int32(code>>(maxCodeLen-l))
		code += uint32(count[l]) << (maxCodeLen - l)
		d.limit[l] = code
	}
	return nil
}

// decode reads symbols until dst is full.
//
// The stream consists of 16-bit words, each taken most significant bit first.
// Between them stand the bytes of long lengths, at the place a reader has
// reached that always holds 16 to 31 bits. This one holds up to 64, and steps
// back for those bytes.
func (d *Decompressor) decode(dst, src []byte) error {
	var (
		buf uint64 // the next bits, left-justified
		n   uint   // how many of them are counted; any beyond are right, too
		pos int    // of the first byte not counted; beyond src all is zero
		out int
	)
	for out < len(dst) {
		if n < 32 {
			words := (64 - n) >> 4
			buf |= next64(src, pos) >> n
			n += 16 * words
			pos += int(2 * words)
		}
		entry := d.table[buf>>(64-tableBits)]
		if entry == 0 {
			entry = d.longCode(uint32(buf >> (64 - maxCodeLen)))
		}
		l := uint(entry & 15)
		buf <<= l
		n -= l
		symbol := uint(entry >> 4)
		if symbol < 256 {
			dst[out] = byte(symbol)
			out++
			continue
		}
		length := int(symbol & 15)
		if length == 15 {
			words := n>>4 - 1 // n is 17 at least: 32 less one code
			n -= 16 * words
			pos -= int(2 * words)
			buf &^= 1<<(64-n) - 1
			var ok bool
			if length, pos, ok = longLength(src, pos); !ok {
				return errEarly
			}
		}
		length += minMatch
		class := symbol >> 4 & 15
		offset := int(1<<class | buf>>1>>(63-class))
		buf <<= class
		n -= class
		if offset > out || length > len(dst)-out {
			return fmt.Errorf("%w: a match of %d bytes, %d back, at byte %d of %d", ErrCorrupt, length, offset, out, len(dst))
		}
		copyMatch(dst, out, offset, length)
		out += length
	}
	if used := pos - int(n>>4)*2; used > len(src) {
		return errEarly
	}
	return nil
}

var errEarly = fmt.Errorf("%w: data ends early", ErrCorrupt)

// next64 returns four words from src[pos:], the first one on top.
func next64(src []byte, pos int) uint64 {
	var x uint64
	if pos+8 <= len(src) {
		x = binary.LittleEndian.Uint64(src[pos:])
	} else if pos < len(src) {
		var rest [8]byte
		copy(rest[:], src[pos:])
		x = binary.LittleEndian.Uint64(rest[:])
	}
	x = x>>32 | x<<32
	return x>>16&0x0000FFFF0000FFFF | x<<16&0xFFFF0000FFFF0000
}

// longCode finds the symbol whose code, longer than tableBits, begins the 15
// bits.
func (d *Decompressor) longCode(bits uint32) uint16 {
	l := tableBits + 1
	for l < maxCodeLen && bits >= d.limit[l] {
		l++
	}
	place := int32(bits>>(maxCodeLen-l)) + d.delta[l]
	return d.order[place&(numSymbols-1)]<<4 | uint16(l)
}

// longLength reads a length of 15 or more, less minMatch, from src[pos:].
func longLength(src []byte, pos int) (length, end int, ok bool) {
	if pos >= len(src) {
		return 0, pos, false
	}
	if b := src[pos]; b != 255 {
		return int(b) + 15, pos + 1, true
	}
	if pos+3 > len(src) {
		return 0, pos, false
	}
	return int(binary.LittleEndian.Uint16(src[pos+1:])), pos + 3, true
}

// copyMatch repeats length bytes of dst from offset bytes before at.
func copyMatch(dst []byte, at, offset, length int) {
	if length <= 16 && offset >= 8 && at+16 <= len(dst) {
		// Two steps of eight; what is too much will be overwritten.
		d, s := dst[at:at+16], dst[at-offset:]
		binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(s))
		binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:]))
		return
	}
	d := dst[at : at+length]
	if offset >= length {
		copy(d, dst[at-offset:at])
		return
	}
	// The match overlaps itself: what is copied doubles each time.
	for done := 0; done < length; {
		done += copy(d[done:], dst[at-offset:at+done])
	}
}
