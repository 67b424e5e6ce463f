package xpress

const chainBits = 15

// chains remembers all positions: for each hash of four bytes the latest one,
// and for each position the one before it with the same hash. For three bytes
// it remembers the latest. As in [buckets], no position is 0.
type chains struct {
	chunk
	head  [1 << chainBits]uint16
	prev  [MaxChunk]uint16
	three [1 << threeBits]uint16
}

func (c *chains) reset(src []byte) {
	c.chunk = newChunk(src)
	clear(c.head[:])
	clear(c.three[:])
}

// enter enters pos and returns the latest position with the same hash of four
// bytes, and of three.
func (c *chains) enter(pos uint) (four, three uint) {
	x := c.load32(pos)
	h4, h3 := x*0x9E3779B1>>(32-chainBits), hashThree(x)
	four, three = uint(c.head[h4]), uint(c.three[h3])
	c.prev[pos&(MaxChunk-1)] = uint16(four)
	c.head[h4], c.three[h3] = uint16(pos), uint16(pos)
	return four, three
}

// longest enters pos and returns the longest match there that is longer than
// beyond, at least 2, among depth places; one of nice bytes is taken at once.
// A length of 0 means there is none.
func (c *chains) longest(pos, beyond uint, depth int, nice uint) (length, offset uint) {
	candidate, near := c.enter(pos)
	x := c.load32(pos)
	if beyond < minMatch {
		beyond = minMatch
		if c.nearThree(near, pos) {
			length, offset = minMatch, pos-near
		}
	}
	if pos+beyond >= c.size {
		return length, offset
	}
	tail := c.load32(pos + beyond - 3)
	for ; depth > 0; depth-- {
		if c.load32(candidate+beyond-3) == tail && c.load32(candidate) == x {
			if n := c.matchLength(candidate, pos); n > beyond {
				length, offset, beyond = n, pos-candidate, n
				if n >= nice || pos+n >= c.size {
					return length, offset
				}
				tail = c.load32(pos + beyond - 3)
			}
		}
		if candidate == 0 {
			return length, offset
		}
		candidate = uint(c.prev[candidate&(MaxChunk-1)])
	}
	return length, offset
}
