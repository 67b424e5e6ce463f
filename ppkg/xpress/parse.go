package xpress

// margin is how many bytes at the end of a chunk no match begins in, so that
// loads stay within it.
const margin = 8

// parseGreedy takes every match it meets. The longer it meets none, the fewer
// positions it tries.
func (c *Compressor) parseGreedy(src []byte) {
	b := c.buckets
	b.reset(src)
	start, end := uint(0), uint(len(src))-margin
	for pos := uint(1); pos < end; {
		length, offset := b.latest(pos)
		if length == 0 {
			pos += 1 + (pos-start)>>7
			continue
		}
		c.add(src[start:pos], length, offset)
		start = pos + length
		b.enterHalf(pos+1, min(start, end))
		pos = start
	}
	c.add(src[start:], 0, 0)
}

// parseLazy looks one position further before it takes a match, as long as
// that is short.
func (c *Compressor) parseLazy(src []byte) {
	const nice = 16
	b := c.buckets
	b.reset(src)
	start, end := uint(0), uint(len(src))-margin
	for pos := uint(1); pos < end; {
		three := b.latestThree(pos)
		length, offset := b.longest(pos, minMatch)
		if length == 0 {
			if !b.nearThree(three, pos) {
				pos++
				continue
			}
			length, offset = minMatch, pos-three
		}
		known := pos + 1 // every position below is entered
		for length < nice && known < end {
			length2, offset2 := b.longest(known, max(length-1, minMatch))
			known++
			if length2 == 0 || !better(length2, offset2, length, offset, 1) {
				break
			}
			pos, length, offset = pos+1, length2, offset2
		}
		c.add(src[start:pos], length, offset)
		start = pos + length
		b.enter(known, min(start, end))
		pos = start
	}
	c.add(src[start:], 0, 0)
}

// parseDeep looks two positions further, and far back at each.
func (c *Compressor) parseDeep(src []byte) {
	const depth, nice = 200, 272
	f := c.chains
	f.reset(src)
	start, end := uint(0), uint(len(src))-margin
	for pos := uint(1); pos < end; {
		length, offset := f.longest(pos, minMatch-1, depth, nice)
		if length == 0 {
			pos++
			continue
		}
		known := pos + 1
		for ahead := uint(1); ahead <= 2 && length < nice && known < end; ahead++ {
			length2, offset2 := f.longest(known, length-1, depth, nice)
			known++
			if length2 != 0 && better(length2, offset2, length, offset, ahead) {
				pos, length, offset, ahead = known-1, length2, offset2, 0
			}
		}
		c.add(src[start:pos], length, offset)
		start = pos + length
		for stop := min(start, end); known < stop; known++ {
			f.enter(known)
		}
		pos = start
	}
	c.add(src[start:], 0, 0)
}

// better says whether a match found ahead positions later is worth the
// literals before it. A byte of length counts as four bits of offset.
func better(length2, offset2, length, offset, ahead uint) bool {
	return 4*int(length2)+int(log2(offset)) > 4*int(length)+int(log2(offset2))+int(4*ahead)-2
}
