package xpress

import "slices"

// code is a canonical Huffman code of at most maxCodeLen bits.
type code struct {
	lens  [numSymbols]uint8
	codes [numSymbols]uint16

	// Scratch space of build.
	leaf   [numSymbols]uint32 // count<<9 | symbol, ascending
	weight [2 * numSymbols]uint32
	parent [2 * numSymbols]uint16
	depth  [2 * numSymbols]uint8
}

// build makes the code for symbols that occur count times. Counts stay below
// 1<<18.
func (c *code) build(count *[numSymbols]uint32) {
	clear(c.lens[:])
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
	leaves := c.leaf[:n]
	slices.Sort(leaves)
	perLength := c.tree(leaves)
	limitLengths(&perLength)

	// The rarest symbols get the longest codes; codes count up within a length.
	i := 0
	for l := maxCodeLen; l > 0; l-- {
		for range perLength[l] {
			c.lens[leaves[i]&(numSymbols-1)] = uint8(l)
			i++
		}
	}
	var next [maxCodeLen + 1]uint16
	for l := 2; l <= maxCodeLen; l++ {
		next[l] = (next[l-1] + uint16(perLength[l-1])) << 1
	}
	for symbol, l := range c.lens {
		if l != 0 {
			c.codes[symbol] = next[l]
			next[l]++
		}
	}
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
	root := 2*n - 2
	c.depth[root] = 0
	for node := root - 1; node >= 0; node-- {
		c.depth[node] = c.depth[c.parent[node]] + 1
		if node < n {
			perLength[min(c.depth[node], 31)]++
		}
	}
	return perLength
}

// limitLengths shortens what is longer than maxCodeLen, and lengthens others
// until the code is complete again.
func limitLengths(perLength *[32]int) {
	space := 0
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
