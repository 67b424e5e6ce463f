package xar

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/beevik/etree"
)

// Bounds on what an archive may claim.
const (
	maxTOC   = 16 << 20 // bytes, compressed or not
	maxDepth = 64       // folders within folders
	maxFiles = 1 << 16
)

// Archive is an archive that is read.
type Archive struct {
	// Checksum is the hash of the TOC; zero if it has none.
	Checksum crypto.Hash
	// Digest is what signatures sign: the hash of the compressed TOC. It was
	// compared with the one in the heap.
	Digest  []byte
	Created time.Time // zero if not told
	Files   []*File   // folders before what they hold, else in the order of the TOC
	// RSA and CMS are the signatures, nil if there are none. Their bytes are
	// not verified yet; see [Signature.Verify].
	RSA, CMS *Signature
	// Ticket is the notarisation ticket stapled to the archive, nil if there
	// is none.
	Ticket []byte
	// Oddities are sentences about bytes that nobody vouches for. An archive
	// made by Apple's tools or ours has none.
	Oddities []string

	r    io.ReaderAt
	size int64
	heap int64 // where it begins
}

// Open reads the table of contents. Errors wrap [ErrFormat], [ErrUnsupported]
// or [ErrChecksum].
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{r: r, size: size}
	style, compressed, plainSize, err := a.readHeader()
	if err != nil {
		return nil, err
	}
	toc, err := readTOC(compressed, plainSize)
	if err != nil {
		return nil, err
	}
	if err := a.readChecksum(toc, style, compressed); err != nil {
		return nil, err
	}
	if created := toc.SelectElement("creation-time"); created != nil {
		a.Created = parseTime(created.Text())
	}
	if a.RSA, err = a.readSignature(toc, "signature"); err != nil {
		return nil, err
	}
	if a.CMS, err = a.readSignature(toc, "x-signature"); err != nil {
		return nil, err
	}
	if err := a.readFiles(toc, "", 0); err != nil {
		return nil, err
	}
	end, err := a.checkSpans(toc)
	if err != nil {
		return nil, err
	}
	return a, a.readTrailer(a.heap + end)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// readHeader reads the header and the compressed TOC behind it.
func (a *Archive) readHeader() (style algorithm, compressed []byte, plainSize int64, err error) {
	var b [headerSize]byte
	if _, err := a.r.ReadAt(b[:], 0); err != nil {
		return style, nil, 0, short(err)
	}
	length := int64(binary.BigEndian.Uint16(b[4:]))
	compressedSize, plain := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	switch {
	case string(b[:4]) != magic:
		return style, nil, 0, malformed("no header of an archive")
	case binary.BigEndian.Uint16(b[6:]) != version || length != headerSize:
		return style, nil, 0, fmt.Errorf("%w: header of version %d, %d bytes", ErrUnsupported, binary.BigEndian.Uint16(b[6:]), length)
	case compressedSize > maxTOC || plain > maxTOC:
		return style, nil, 0, malformed("a table of contents of %d bytes, %d compressed", plain, compressedSize)
	case headerSize+int64(compressedSize) > a.size:
		return style, nil, 0, malformed("it ends early")
	}
	i := slices.IndexFunc(algorithms, func(s algorithm) bool { return s.number == binary.BigEndian.Uint32(b[24:]) })
	if i < 0 {
		return style, nil, 0, fmt.Errorf("%w: checksums of kind %d", ErrUnsupported, binary.BigEndian.Uint32(b[24:]))
	}
	a.heap = headerSize + int64(compressedSize)
	compressed = make([]byte, compressedSize)
	if _, err := a.r.ReadAt(compressed, headerSize); err != nil {
		return style, nil, 0, short(err)
	}
	return algorithms[i], compressed, int64(plain), nil
}

// readTOC decompresses and parses the TOC, which must be exactly as long as
// the header says before and after.
func readTOC(compressed []byte, plainSize int64) (*etree.Element, error) {
	in := bytes.NewReader(compressed)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, malformed("table of contents: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, plainSize+1))
	if err != nil {
		return nil, malformed("table of contents: %w", err)
	}
	if int64(len(plain)) != plainSize || in.Len() > 0 {
		return nil, malformed("the table of contents is not as long as the header says")
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, MaxDepth: maxDepth + 8}
	if err := doc.ReadFromBytes(bytes.TrimRight(plain, " \t\r\n\x00")); err != nil {
		return nil, malformed("table of contents: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "xar" || root.SelectElement("toc") == nil {
		return nil, malformed("table of contents: no toc in it")
	}
	return root.SelectElement("toc"), nil
}

// readChecksum compares the TOC with its digest. Header and TOC must agree on
// how it is made, or somebody could choose the weaker.
func (a *Archive) readChecksum(toc *etree.Element, header algorithm, compressed []byte) error {
	e := toc.SelectElement("checksum")
	name := header.name
	if e != nil {
		name = e.SelectAttrValue("style", "")
	}
	style, ok := algorithmOf(name)
	if !ok || style != header || e == nil && header.hash != 0 {
		return malformed("the header has a digest by %s, the table of contents one by %.40q", header.name, name)
	}
	if style.hash == 0 {
		return nil
	}
	s, err := a.readSpan(e, "size")
	if err != nil {
		return err
	}
	h := style.hash.New()
	h.Write(compressed)
	a.Checksum, a.Digest = style.hash, h.Sum(nil)
	stored := make([]byte, len(a.Digest))
	if s.length != int64(len(stored)) {
		return malformed("a digest of %d bytes", s.length)
	}
	if _, err := a.r.ReadAt(stored, a.heap+s.offset); err != nil {
		return short(err)
	}
	if !bytes.Equal(stored, a.Digest) {
		return fmt.Errorf("%w: of the table of contents", ErrChecksum)
	}
	return nil
}

// readSpan reads where something is, which must be in the heap.
func (a *Archive) readSpan(e *etree.Element, length string) (span, error) {
	offset, err := number(e, "offset")
	if err != nil {
		return span{}, err
	}
	n, err := number(e, length)
	if err != nil {
		return span{}, err
	}
	if offset > a.size-a.heap || n > a.size-a.heap-offset {
		return span{}, malformed("%d bytes at %d of the heap are beyond the end", n, offset)
	}
	return span{offset, n}, nil
}

// checkSpans finds parts of the heap that two things claim, which is an error,
// or none. It gives back where the heap ends.
func (a *Archive) checkSpans(toc *etree.Element) (end int64, err error) {
	type claim struct {
		span
		by string
	}
	var claims []claim
	add := func(s span, by string) {
		if s.length > 0 {
			claims = append(claims, claim{s, by})
		}
	}
	if a.Checksum != 0 {
		s, err := a.readSpan(toc.SelectElement("checksum"), "size")
		if err != nil {
			return 0, err
		}
		add(s, "the digest")
	}
	for _, s := range []*Signature{a.RSA, a.CMS} {
		if s != nil {
			add(s.span, "the "+s.Style+" signature")
		}
	}
	for _, f := range a.Files {
		add(f.data, f.Name)
	}
	slices.SortFunc(claims, func(x, y claim) int { return int(min(max(x.offset-y.offset, -1), 1)) })
	before := "the table of contents"
	for _, c := range claims {
		switch {
		case c.offset < end:
			return 0, malformed("%.300q overlaps %.300q", c.by, before)
		case c.offset > end:
			a.odd("%d bytes behind %s belong to nothing", c.offset-end, before)
		}
		end, before = c.offset+c.length, c.by
	}
	return end, nil
}

func (a *Archive) odd(format string, args ...any) {
	a.Oddities = append(a.Oddities, fmt.Sprintf(format, args...))
}

// short makes the end of the file a fault of the format.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends early")
	}
	return err
}

// parseTime reads a time as archives have it, with or without a Z; what cannot
// be read is no time.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// checkedReader reads through to the end, and there compares.
type checkedReader struct {
	r    io.Reader
	h    hash.Hash
	want []byte
	what string
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	if errors.Is(err, io.EOF) && !bytes.Equal(c.h.Sum(nil), c.want) {
		return n, fmt.Errorf("%w: of %s", ErrChecksum, c.what)
	}
	return n, err
}
