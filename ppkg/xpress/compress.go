package xpress

// Level says how much time a [Compressor] may spend on finding matches.
type Level int

// The levels. All give the same format.
const (
	Default Level = iota
	Fast
	Best
)

// effort is what a level means to the match finder.
type effort struct {
	depth int // candidates looked at per position
	nice  int // a match of this length is taken at once
	lazy  int // positions looked ahead for a better match
}

var efforts = map[Level]effort{
	Fast:    {depth: 4, nice: 24, lazy: 0},
	Default: {depth: 12, nice: 40, lazy: 1},
	Best:    {depth: 160, nice: 272, lazy: 2},
}

// Compressor compresses chunks. It is not safe for concurrent use, and after
// NewCompressor it allocates nothing itself.
type Compressor struct {
	effort
	finder finder
	count  [numSymbols]uint32
	code   code
	tokens []token
}

// token is a literal or, with a length, a match.
type token uint32 // length<<16 | offset, or a byte

// NewCompressor returns a Compressor of that level; unknown levels are Default.
func NewCompressor(level Level) *Compressor {
	e, ok := efforts[level]
	if !ok {
		e = efforts[Default]
	}
	return &Compressor{effort: e, tokens: make([]token, 0, MaxChunk+1)}
}

// Compress appends the compressed form of src, 1 to [MaxChunk] bytes, to dst.
// If that would not be smaller than src it returns dst as it was, and false.
func (c *Compressor) Compress(dst, src []byte) (out []byte, ok bool) {
	if len(src) <= numHeader+4 || len(src) > MaxChunk {
		return dst, false
	}
	c.parse(src)
	c.count[endOfData]++
	c.code.build(&c.count)
	return c.encode(dst, len(src)-1)
}

// parse turns src into tokens and counts their symbols.
func (c *Compressor) parse(src []byte) {
	c.tokens = c.tokens[:0]
	clear(c.count[:])
	f := &c.finder
	f.reset(src)
	for pos := 0; pos < len(src); {
		length, offset := f.find(pos, minMatch-1, c.depth, c.nice)
		if length == 0 {
			c.literal(src[pos])
			pos++
			continue
		}
		// pos is in the tables; so will be every position up to known.
		known := pos + 1
		for ahead := 1; ahead <= c.lazy && length < c.nice; {
			length2, offset2 := f.find(pos+ahead, length-1, c.depth>>(ahead-1), c.nice)
			known = pos + ahead + 1
			if length2 == 0 || !better(length2, offset2, length, offset, ahead) {
				ahead++
				continue
			}
			for ; ahead > 0; ahead-- {
				c.literal(src[pos])
				pos++
			}
			length, offset, ahead = length2, offset2, 1
		}
		c.match(length, offset)
		f.skip(known, pos+length)
		pos += length
	}
}

// better says whether a match found ahead positions later is worth the
// literals before it. A byte of length counts as four bits of offset.
func better(length2, offset2, length, offset, ahead int) bool {
	return 4*(length2-length)+log2(offset)-log2(offset2) > 2+4*(ahead-1)
}

func (c *Compressor) literal(b byte) {
	c.tokens = append(c.tokens, token(b))
	c.count[b]++
}

func (c *Compressor) match(length, offset int) {
	c.tokens = append(c.tokens, token(length<<16|offset))
	c.count[matchSymbol(length, log2(offset))&(numSymbols-1)]++
}

func matchSymbol(length, class int) int {
	return 256 + class<<4 + min(length-minMatch, 15)
}
