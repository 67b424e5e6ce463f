package bom

import (
	"encoding/binary"
	"hash"
)

// polynomial is that of POSIX cksum, most significant bit first.
const polynomial = 0x04C11DB7

// crcTables are the tables of the CRC for a byte followed by 0 to 15 zero bytes,
// so that sixteen bytes go in one step, of which only four wait for the last.
var crcTables = makeCRCTables()

func makeCRCTables() (t [16][256]uint32) {
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
	t := &crcTables
	for ; len(p) >= 16; p = p[16:] {
		x, y := uint64(crc)<<32^binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])
		crc = t[7][y>>56] ^ t[6][y>>48&0xff] ^ t[5][y>>40&0xff] ^ t[4][y>>32&0xff] ^
			t[3][y>>24&0xff] ^ t[2][y>>16&0xff] ^ t[1][y>>8&0xff] ^ t[0][y&0xff] ^
			t[11][x>>24&0xff] ^ t[10][x>>16&0xff] ^ t[9][x>>8&0xff] ^ t[8][x&0xff] ^
			t[15][x>>56] ^ t[14][x>>48&0xff] ^ t[13][x>>40&0xff] ^ t[12][x>>32&0xff]
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
func (c *checksum) BlockSize() int { return 16 }
