// Package xpress compresses and decompresses chunks with the LZ77+Huffman
// variant of Microsoft's XPRESS, as WIM files use it ([MS-XCA] §2.1–2.2,
// "LZ77+Huffman").
//
// A chunk stands alone: 1 to 65536 bytes become 256 bytes of code lengths
// followed by a bit stream. Nothing is kept between chunks, so they may be
// handled in any order and by any number of goroutines, each with its own
// [Compressor] or [Decompressor].
package xpress

import "errors"

// MaxChunk is the largest chunk, in bytes of plain data.
const MaxChunk = 65536

// ErrCorrupt says that compressed data is not what a compressor writes.
var ErrCorrupt = errors.New("xpress: corrupt data")

const (
	numSymbols = 512 // 256 literals, then 16 offset classes times 16 length classes
	numHeader  = numSymbols / 2
	maxCodeLen = 15
	minMatch   = 3

	// endOfData closes the stream where readers look for it: WIMGAPI does,
	// wimlib stops when the chunk is full. Read as a match it is offset 1,
	// length 3.
	endOfData = 256
)
