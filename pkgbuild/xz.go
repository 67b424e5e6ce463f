package pkgbuild

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/ulikunitz/xz"
)

// Sizes in an xz stream, in bytes (The .xz File Format, 1.2).
const (
	xzHeader = 12 // of the stream
	xzFooter = 12
	// xzMaxDictionary is a code: 64 MiB. Apple's have 8 MiB.
	xzMaxDictionary = 28
)

var errXZ = errors.New("pbzx: a block that is not one block of xz")

// newXZ reads an xz stream of one block. What the decompressor would take for
// granted is checked before: a dictionary of 4 GiB is claimed in one byte.
func newXZ(data []byte) (io.Reader, error) {
	if len(data) < xzHeader+8+xzFooter || !bytes.Equal(data[len(data)-2:], []byte("YZ")) {
		return nil, errXZ
	}
	block := data[xzHeader:]
	footer := data[len(data)-xzFooter:]
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	index := int64(len(data)) - xzFooter - indexSize
	if index <= xzHeader || !isOneBlock(data[index:], index-xzHeader) || !isSmallFilter(block) {
		return nil, errXZ
	}
	return xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(data))
}

// isOneBlock reads the index: one record, of a block with all of that length.
func isOneBlock(index []byte, length int64) bool {
	if index[0] != 0 {
		return false
	}
	records, rest := uvarint(index[1:])
	unpadded, _ := uvarint(rest)
	return records == 1 && unpadded <= uint64(length) && (unpadded+3)&^3 == uint64(length)
}

// isSmallFilter reads the header of a block: LZMA2 alone, and not too large.
func isSmallFilter(block []byte) bool {
	size := (int(block[0]) + 1) * 4
	if block[0] == 0 || size > len(block) || block[1]&0x3f != 0 {
		return false
	}
	rest := block[2:size]
	for _, flag := range []byte{0x40, 0x80} { // sizes, compressed and not
		if block[1]&flag != 0 {
			_, rest = uvarint(rest)
		}
	}
	return len(rest) > 2 && rest[0] == 0x21 && rest[1] == 1 && rest[2] <= xzMaxDictionary
}

// uvarint reads a number of 7 bits to a byte; what is none is 0, without rest.
func uvarint(b []byte) (uint64, []byte) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil
	}
	return v, b[n:]
}
