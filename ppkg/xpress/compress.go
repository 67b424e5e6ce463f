package xpress

import "math/bits"

// Level says how much time a [Compressor] may spend on finding matches.
type Level int

// The levels. All give the same format.
const (
	Default Level = iota
	Fast
	Best
)

// Compressor compresses chunks. It is not safe for concurrent use, and after
// NewCompressor it allocates nothing itself.
type Compressor struct {
	level   Level
	buckets *buckets // Fast and Default
	chains  *chains  // Best

	sequences []sequence
	count     [numSymbols]uint32 // how often each symbol stands in sequences
	farLong   int                // matches whose length takes two bytes more
	code      code
}

// sequence is a run of literals and the match behind it. The last one of a
// chunk has a length of 0 and no match.
type sequence struct {
	literals uint32
	length   uint16
	offset   uint16
}

// NewCompressor returns a Compressor of that level; unknown levels are Default.
func NewCompressor(level Level) *Compressor {
	c := &Compressor{level: level, sequences: make([]sequence, 0, MaxChunk/minMatch+2)}
	if level == Best {
		c.chains = new(chains)
	} else {
		c.buckets = new(buckets)
	}
	return c
}

// Compress appends the compressed form of src, 1 to [MaxChunk] bytes, to dst.
// If that would not be smaller than src it returns dst as it was, and false.
func (c *Compressor) Compress(dst, src []byte) (out []byte, ok bool) {
	if len(src) <= numHeader+4 || len(src) > MaxChunk {
		return dst, false
	}
	clear(c.count[:])
	c.sequences, c.farLong = c.sequences[:0], 0
	switch c.level {
	case Fast:
		c.parseGreedy(src)
	case Best:
		c.parseDeep(src)
	default:
		c.parseLazy(src)
	}
	c.count[endOfData]++
	c.code.build(&c.count)
	return c.encode(dst, src, len(src)-1)
}

// add appends a sequence and counts its symbols.
func (c *Compressor) add(literals []byte, length, offset uint) {
	for _, b := range literals {
		c.count[b]++
	}
	c.sequences = append(c.sequences, sequence{uint32(len(literals)), uint16(length), uint16(offset)})
	if length == 0 {
		return
	}
	c.count[matchSymbol(length, log2(offset))]++
	if length >= 255+15+minMatch {
		c.farLong++
	}
}

// matchSymbol is the symbol of a match of that length whose offset has class
// bits below its highest.
func matchSymbol(length, class uint) uint {
	return (256 + class<<4 + min(length-minMatch, 15)) & (numSymbols - 1)
}

// log2 is the position of the highest bit of x, which is not 0.
func log2(x uint) uint { return uint(bits.Len32(uint32(x))-1) & 15 }
