package xpress

// code is a canonical Huffman code of at most maxCodeLen bits.
type code struct {
	words [numSymbols]uint32 // code<<4 | length; 0 for symbols without one

	// Scratch space of build.
	leaf   [numSymbols]uint32 // count<<9 | symbol
	spare  [numSymbols]uint32
	weight [2 * numSymbols]uint32
	parent [2 * numSymbols]uint16
	depth  [2 * numSymbols]uint8
}

// build makes the code for symbols that occur count times, 1<<16 at most.
func (c *code) build(count *[numSymbols]uint32) {
	n := 0
	for symbol, times := range count {
		if times != 0 {
			c.leaf[n] = times<<9 | uint32(symbol)
			n++
		}
	}
	if n == 1 { // readers want at least two codes
		other := uint32(0)
		if c.leaf[0]&(numSymbols-1) == 0 {
			other = 1
		}
		c.leaf[1] = 1<<9 | other
		n = 2
	}
	leaves := c.sorted(n)
	perLength := c.tree(leaves)
	limitLengths(&perLength)

	// The rarest symbols get the longest codes; codes count up within a length.
	clear(c.words[:])
	i := 0
	for l := maxCodeLen; l > 0; l-- {
		for range perLength[l] {
			c.words[leaves[i]&(numSymbols-1)] = uint32(l)
			i++
		}
	}
	var next [maxCodeLen + 1]uint32
	for l := 2; l <= maxCodeLen; l++ {
		next[l] = (next[l-1] + uint32(perLength[l-1])) << 1
	}
	for symbol, l := range c.words {
		if l != 0 {
			c.words[symbol] = next[l&15]<<4 | l
			next[l&15]++
		}
	}
}

// sorted orders the first n leaves by count, the rarest first: a stable pass
// for each byte of the count.
func (c *code) sorted(n int) []uint32 {
	from, to := c.leaf[:n], c.spare[:n]
	for shift := 9; shift < 32; shift += 8 {
		var end [256]uint16
		all := uint32(0)
		for _, x := range from {
			end[x>>shift&255]++
			all |= x
		}
		if all>>shift == 0 {
			break
		}
		sum := uint16(0)
		for i := range end {
			sum += end[i]
			end[i] = sum
		}
		for i := n - 1; i >= 0; i-- {
			at := &end[from[i]>>shift&255]
			*at--
			to[*at] = from[i]
		}
		from, to = to, from
	}
	return from
}

// tree finds how many codes of each length an optimal code has: Huffman's
// algorithm over two queues, the sorted leaves and the inner nodes, which come
// in order by themselves.
func (c *code) tree(leaves []uint32) (perLength [32]int) {
	n := len(leaves)
	for i, leaf := range leaves {
		c.weight[i] = leaf >> 9
	}
	leaf, inner := 0, n
	for node := n; node < 2*n-1; node++ {
		sum := uint32(0)
		for range 2 {
			child := inner
			if leaf < n && (inner == node || c.weight[leaf] <= c.weight[inner]) {
				child = leaf
				leaf++
			} else {
				inner++
			}
			sum += c.weight[child]
			c.parent[child] = uint16(node)
		}
		c.weight[node] = sum
	}
	c.depth[2*n-2] = 0
	for node := 2*n - 3; node >= 0; node-- {
		c.depth[node] = c.depth[c.parent[node]] + 1
		if node < n {
			perLength[min(c.depth[node], 31)]++
		}
	}
	return perLength
}

// limitLengths shortens codes longer than maxCodeLen, and lengthens others
// until the code is complete again.
func limitLengths(perLength *[32]int) {
	space := 0 // in units of the longest code; a complete code fills 1<<maxCodeLen
	for l := len(perLength) - 1; l > 0; l-- {
		if l > maxCodeLen {
			perLength[maxCodeLen] += perLength[l]
			perLength[l] = 0
			continue
		}
		space += perLength[l] << (maxCodeLen - l)
	}
	for ; space > 1<<maxCodeLen; space-- {
		l := maxCodeLen - 1
		for perLength[l] == 0 {
			l--
		}
		perLength[l]--
		perLength[l+1] += 2
		perLength[maxCodeLen]--
	}
}
