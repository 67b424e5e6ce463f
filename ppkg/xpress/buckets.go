package xpress

const (
	bucketBits = 14
	threeBits  = 11

	// maxOffset3 is the offset beyond which three literals cost less than a
	// match of three.
	maxOffset3 = 4096
)

// buckets remembers, for each hash of four bytes, the four latest positions in
// one word, the latest one lowest; and for each hash of three bytes the latest
// position. Looking up takes one cache line, where a chain of positions takes
// one for each step.
//
// No position is 0, so a 0 needs no exception: comparing the data at the start
// of the chunk tells whether it matches.
type buckets struct {
	chunk
	four  [1 << bucketBits]uint64
	three [1 << threeBits]uint16
}

func (b *buckets) reset(src []byte) {
	b.chunk = newChunk(src)
	clear(b.four[:])
	clear(b.three[:])
}

func hashFour(x uint32) uint32  { return x * 0x9E3779B1 >> (32 - bucketBits) }
func hashThree(x uint32) uint32 { return x << 8 * 0x9E3779B1 >> (32 - threeBits) }

// longest enters pos and returns the longest match there if it is longer than
// beyond, which is at least 3. A length of 0 means there is none.
func (b *buckets) longest(pos, beyond uint) (length, offset uint) {
	x := b.load32(pos)
	h := hashFour(x)
	bucket := b.four[h]
	b.four[h] = bucket<<16 | uint64(pos)
	if pos+beyond >= b.size {
		return 0, 0
	}
	tail := b.load32(pos + beyond - 3)
	for {
		candidate := uint(bucket & 0xFFFF)
		if b.load32(candidate+beyond-3) == tail && b.load32(candidate) == x {
			if n := b.matchLength(candidate, pos); n > beyond {
				length, offset, beyond = n, pos-candidate, n
				if pos+n >= b.size {
					return length, offset
				}
				tail = b.load32(pos + beyond - 3)
			}
		}
		if bucket >>= 16; bucket == 0 {
			return length, offset
		}
	}
}

// latestThree enters pos for its first three bytes and returns the latest
// position with the same hash of them.
func (b *buckets) latestThree(pos uint) uint {
	h := hashThree(b.load32(pos))
	candidate := uint(b.three[h])
	b.three[h] = uint16(pos)
	return candidate
}

// enter enters the positions from pos up to end.
func (b *buckets) enter(pos, end uint) {
	for ; pos < end; pos++ {
		x := b.load32(pos)
		h := hashFour(x)
		b.four[h] = b.four[h]<<16 | uint64(pos)
		b.three[hashThree(x)] = uint16(pos)
	}
}

// enterHalf enters every second position from pos up to end, for four bytes.
func (b *buckets) enterHalf(pos, end uint) {
	for ; pos < end; pos += 2 {
		h := hashFour(b.load32(pos))
		b.four[h] = b.four[h]<<16 | uint64(pos)
	}
}

// latest enters pos and returns the longer match of the two latest places with
// its four bytes. A length of 0 means there is none.
func (b *buckets) latest(pos uint) (length, offset uint) {
	x := b.load32(pos)
	h := hashFour(x)
	bucket := b.four[h]
	b.four[h] = bucket<<16 | uint64(pos)
	first, second := uint(bucket&0xFFFF), uint(bucket>>16&0xFFFF)
	if b.load32(first) == x {
		length, offset = b.matchLength(first, pos), pos-first
	}
	if b.load32(second) == x {
		if n := b.matchLength(second, pos); n > length {
			return n, pos - second
		}
	}
	return length, offset
}
