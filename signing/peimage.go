package signing

import (
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"firstday.dev/internal/contextio"
)

// peImage is what signing needs to know of a PE file, all in bytes from the
// start of the file (Microsoft PE/COFF specification, "PE Format").
type peImage struct {
	r    io.ReaderAt
	size int64
	// checksum and directory are where the optional header keeps CheckSum (4
	// bytes) and the entry of the certificate table (8 bytes).
	checksum, directory int64
	// certificates and certificatesSize are what that entry says; zero if unsigned.
	certificates, certificatesSize int64
}

const (
	// maxPEHeaders bounds where the headers may end.
	maxPEHeaders = 1 << 20
	// maxPE bounds a file: the certificate table's place is a 32-bit number.
	maxPE = 1<<32 - 1<<21

	certificateTable = 4 // its index among the data directories
	peSectionHeader  = 40
)

// readPE reads and checks headers. It refuses files that are cut off and
// certificate tables that are not the very end.
func readPE(r io.ReaderAt, size int64) (*peImage, error) {
	bad := func(what string) error { return fmt.Errorf("%w: not a Windows program: %s", ErrFormat, what) }
	if size > maxPE {
		return nil, bad("larger than 4 GiB")
	}
	var dos [64]byte
	if _, err := r.ReadAt(dos[:], 0); err != nil {
		return nil, readError(err, bad("shorter than its header"))
	}
	start := int64(binary.LittleEndian.Uint32(dos[0x3c:]))
	if string(dos[:2]) != "MZ" || start < 4 || start > maxPEHeaders {
		return nil, bad("no MZ header")
	}
	var coff [24]byte
	if _, err := r.ReadAt(coff[:], start); err != nil {
		return nil, readError(err, bad("no PE header"))
	}
	if string(coff[:4]) != "PE\x00\x00" {
		return nil, bad("no PE header")
	}
	sections := int64(binary.LittleEndian.Uint16(coff[6:]))
	optional := make([]byte, binary.LittleEndian.Uint16(coff[20:]))
	if _, err := r.ReadAt(optional, start+24); err != nil {
		return nil, readError(err, bad("its optional header is cut off"))
	}
	if len(optional) < 2 {
		return nil, bad("it has no optional header")
	}
	directories := int64(0) // where their table begins
	switch binary.LittleEndian.Uint16(optional) {
	case 0x10b:
		directories = 96
	case 0x20b:
		directories = 112
	default:
		return nil, bad("neither 32 nor 64 bit")
	}
	entry := directories + 8*certificateTable
	if int64(len(optional)) < entry+8 || binary.LittleEndian.Uint32(optional[directories-4:]) <= certificateTable {
		return nil, bad("its headers have no room for a signature")
	}
	pe := &peImage{
		r: r, size: size, checksum: start + 24 + 64, directory: start + 24 + entry,
		certificates:     int64(binary.LittleEndian.Uint32(optional[entry:])),
		certificatesSize: int64(binary.LittleEndian.Uint32(optional[entry+4:])),
	}
	headersEnd := start + 24 + int64(len(optional)) + sections*peSectionHeader
	end, err := pe.sectionsEnd(start+24+int64(len(optional)), sections)
	if err != nil {
		return nil, readError(err, bad("its section headers are cut off"))
	}
	switch {
	case (pe.certificates == 0) != (pe.certificatesSize == 0):
		return nil, bad("half an entry for the signature")
	case pe.certificates != 0 && (pe.certificates%8 != 0 || pe.certificates < headersEnd || pe.certificatesSize < 8):
		return nil, bad("its signature is in the wrong place")
	case pe.certificates != 0 && pe.certificates+pe.certificatesSize != size:
		return nil, bad("its signature does not end with the file")
	case end > pe.contentEnd():
		return nil, bad("its sections are cut off")
	}
	return pe, nil
}

// readError tells the end of a file from trouble in reading it.
func readError(err, short error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return short
	}
	return err
}

// sectionsEnd is where the last section's data ends.
func (pe *peImage) sectionsEnd(table, count int64) (end int64, err error) {
	headers := make([]byte, count*peSectionHeader)
	if _, err := pe.r.ReadAt(headers, table); err != nil {
		return 0, err
	}
	end = table + int64(len(headers))
	for ; len(headers) > 0; headers = headers[peSectionHeader:] {
		size, offset := int64(binary.LittleEndian.Uint32(headers[16:])), int64(binary.LittleEndian.Uint32(headers[20:]))
		if size > 0 {
			end = max(end, offset+size)
		}
	}
	return end, nil
}

// contentEnd is where the program ends and the signature, if any, begins.
func (pe *peImage) contentEnd() int64 {
	if pe.certificates != 0 {
		return pe.certificates
	}
	return pe.size
}

// padding is how many zeros a signature needs before it, to begin at a
// multiple of 8.
func (pe *peImage) padding() int64 { return -pe.contentEnd() & 7 }

// digest is the Authenticode digest: of the file but for the checksum, the
// certificate table and its entry. Other than the specification's walk over
// the sections it also covers gaps between them, as Windows does.
func (pe *peImage) digest(ctx context.Context, algorithm crypto.Hash) ([]byte, error) {
	h := algorithm.New()
	for _, part := range [][2]int64{
		{0, pe.checksum}, {pe.checksum + 4, pe.directory}, {pe.directory + 8, pe.contentEnd()},
	} {
		if err := copyContext(ctx, h, io.NewSectionReader(pe.r, part[0], part[1]-part[0])); err != nil {
			return nil, err
		}
	}
	h.Write(make([]byte, pe.padding()))
	return h.Sum(nil), nil
}

// copyBuffer is how much of a file is in memory at a time, in bytes.
const copyBuffer = 256 << 10

// copyContext copies until the end, or until the context ends.
func copyContext(ctx context.Context, w io.Writer, r io.Reader) error {
	_, err := io.CopyBuffer(w, contextio.Reader(ctx, r), make([]byte, copyBuffer))
	return err
}

// peChecksum is the checksum of a PE file: the 16-bit words added up with
// their carries, plus the size. The CheckSum field itself counts as zero.
type peChecksum struct {
	sum  uint64
	size int64
}

func (c *peChecksum) Write(p []byte) (int, error) {
	n := len(p)
	if c.size%2 != 0 && n > 0 {
		c.sum += uint64(p[0]) << 8
		c.size++
		p = p[1:]
	}
	for ; len(p) >= 2; p = p[2:] {
		c.sum += uint64(p[0]) | uint64(p[1])<<8
		c.size += 2
	}
	if len(p) == 1 {
		c.sum += uint64(p[0])
		c.size++
	}
	return n, nil
}

func (c *peChecksum) value() uint32 {
	sum := c.sum
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint32(sum) + uint32(c.size)
}

// sum computes the checksum of a whole file.
func (pe *peImage) sum(ctx context.Context) (uint32, error) {
	var c peChecksum
	if err := copyContext(ctx, &c, io.NewSectionReader(pe.r, 0, pe.checksum)); err != nil {
		return 0, err
	}
	_, _ = c.Write(make([]byte, 4))
	if err := copyContext(ctx, &c, io.NewSectionReader(pe.r, pe.checksum+4, pe.size-pe.checksum-4)); err != nil {
		return 0, err
	}
	return c.value(), nil
}
