package bom

import (
	"encoding/binary"
	"hash"
)

// polynomial is that of POSIX cksum, most significant bit first.
const polynomial = 0x04C11DB7

// crcTables are the tables of the CRC for a byte followed by 0 to 7 zero bytes,
// so that eight bytes go in one step.
var crcTables = makeCRCTables()

func makeCRCTables() (t [8][256]uint32) {
	for i := range t[0] {
		crc := uint32(i) << 24
		for range 8 {
			if carry := crc >> 31; carry != 0 {
				crc = crc<<1 ^ polynomial
			} else {
				crc <<= 1
			}
		}
		t[0][i] = crc
	}
	for i := range t[0] {
		for k := 1; k < len(t); k++ {
			t[k][i] = t[k-1][i]<<8 ^ t[0][t[k-1][i]>>24]
		}
	}
	return t
}

// checksum is what the tool cksum of POSIX computes: a CRC over the data and
// then over its length. A Bom holds it of every file (formats/macos-pkg.md §3.4).
type checksum struct {
	crc    uint32
	length uint64
}

// NewChecksum returns a hash that computes what POSIX cksum does.
func NewChecksum() hash.Hash32 { return new(checksum) }

func (c *checksum) Write(p []byte) (int, error) {
	n := len(p)
	c.length += uint64(n)
	crc := c.crc
	for ; len(p) >= 8; p = p[8:] {
		x := uint64(crc)<<32 ^ binary.BigEndian.Uint64(p)
		crc = crcTables[7][x>>56] ^ crcTables[6][x>>48&0xff] ^ crcTables[5][x>>40&0xff] ^ crcTables[4][x>>32&0xff] ^
			crcTables[3][x>>24&0xff] ^ crcTables[2][x>>16&0xff] ^ crcTables[1][x>>8&0xff] ^ crcTables[0][x&0xff]
	}
	for _, b := range p {
		crc = crc<<8 ^ crcTables[0][byte(crc>>24)^b]
	}
	c.crc = crc
	return n, nil
}

// Sum32 is the checksum of what was written so far.
func (c *checksum) Sum32() uint32 {
	crc := c.crc
	for n := c.length; n > 0; n >>= 8 { // least significant byte first, no zeros at the end
		crc = crc<<8 ^ crcTables[0][byte(crc>>24)^byte(n)]
	}
	return ^crc
}

func (c *checksum) Sum(b []byte) []byte { return binary.BigEndian.AppendUint32(b, c.Sum32()) }

func (c *checksum) Reset()         { *c = checksum{} }
func (c *checksum) Size() int      { return 4 }
func (c *checksum) BlockSize() int { return 8 }
