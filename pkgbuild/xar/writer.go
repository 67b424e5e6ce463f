package xar

import (
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"io"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zlib"
)

// Output is what an archive is written to. An *os.File is one.
type Output interface {
	io.WriterAt
}

// Header announces a file of the archive.
type Header struct {
	Name string // path with slashes, without a leading one
	// Compress is for files that are not compressed already: a payload that is
	// compressed twice cannot be installed.
	Compress bool
}

// Signer signs the digest of the table of contents.
type Signer struct {
	// Chain is the signer's certificate, then each one's issuer, the root
	// included: macOS wants it there.
	Chain []*x509.Certificate
	// Key is the signer's RSA key.
	Key crypto.Signer
	// CMS makes a detached SignedData (RFC 5652) over the digest, of at most
	// CMSSize bytes. Without CMS an archive cannot be notarised.
	CMS     func(ctx context.Context, digest []byte) ([]byte, error)
	CMSSize int // 0: 9216, as Apple keeps
}

const defaultCMSSize = 9216

// Options say how to write an archive.
type Options struct {
	Checksum crypto.Hash // SHA256 (also if zero), SHA1 or SHA512
	Created  time.Time
	Signer   *Signer // nil: unsigned
}

// Writer writes an archive.
type Writer struct {
	out    Output
	o      Options
	style  algorithm
	files  []*file // in the order of the TOC
	byName map[string]*file
	// folders are those of the files.
	folders map[string]bool
	rsa     span
	cms     span
	digest  span
	room    int64 // of header and TOC, bytes
	heap    int64 // bytes of it that are used
	open    *fileWriter
	err     error
}

// span is a part of the heap, in bytes.
type span struct{ offset, length int64 }

// file is one on its way into the archive.
type file struct {
	Header
	data                span
	size                int64 // when taken out
	archived, extracted []byte
	written             bool
}

// NewWriter begins an archive of exactly those files, which the TOC lists in
// this order; they may be written in any. Folders are made as needed.
func NewWriter(out Output, files []Header, o Options) (*Writer, error) {
	if o.Checksum == 0 {
		o.Checksum = crypto.SHA256
	}
	w := &Writer{out: out, o: o, byName: map[string]*file{}, folders: map[string]bool{}}
	for _, a := range algorithms {
		if a.hash == o.Checksum {
			w.style = a
		}
	}
	if w.style.hash == 0 {
		return nil, fmt.Errorf("%w: checksums by %v", ErrUnsupported, o.Checksum)
	}
	for _, h := range files {
		if err := w.declare(h); err != nil {
			return nil, err
		}
	}
	w.digest = w.take(int64(o.Checksum.Size()))
	if s := o.Signer; s != nil {
		key, ok := s.Key.Public().(*rsa.PublicKey)
		if !ok || len(s.Chain) == 0 {
			return nil, fmt.Errorf("%w: a signature needs an RSA key and a certificate", ErrUnsupported)
		}
		w.rsa = w.take(int64(key.Size()))
		if s.CMS != nil {
			w.cms = w.take(int64(s.cmsSize()))
		}
	}
	w.room = headerSize + w.tocRoom()
	return w, nil
}

func (s *Signer) cmsSize() int {
	if s.CMSSize == 0 {
		return defaultCMSSize
	}
	return s.CMSSize
}

func (w *Writer) declare(h Header) error {
	for part := range strings.SplitSeq(h.Name, "/") {
		if err := checkName(part); err != nil {
			return fmt.Errorf("%w: %.300q", err, h.Name)
		}
	}
	if w.byName[h.Name] != nil || w.folders[h.Name] {
		return fmt.Errorf("%w: %.300q is there twice", ErrName, h.Name)
	}
	for folder := path.Dir(h.Name); folder != "."; folder = path.Dir(folder) {
		if w.byName[folder] != nil {
			return fmt.Errorf("%w: %.300q is a file and the folder of %.300q", ErrName, folder, h.Name)
		}
		w.folders[folder] = true
	}
	f := &file{Header: h}
	w.files = append(w.files, f)
	w.byName[h.Name] = f
	return nil
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return ErrName
	}
	return nil
}

func (w *Writer) take(length int64) span {
	s := span{w.heap, length}
	w.heap += length
	return s
}

// tocRoom is more than the compressed TOC can need: it shrinks to less than
// half, but for certificates, which are random numbers in base64.
func (w *Writer) tocRoom() int64 {
	room := int64(4096)
	for _, f := range w.files {
		room += 600 + 2*int64(len(f.Name))
	}
	if w.o.Signer != nil {
		for _, cert := range w.o.Signer.Chain {
			room += 4 * int64(len(cert.Raw))
		}
	}
	return room
}

// Create begins the contents of a file, which end when the writer it gives
// back is closed. One file is written at a time.
func (w *Writer) Create(name string) (io.WriteCloser, error) {
	f := w.byName[name]
	switch {
	case w.err != nil:
		return nil, w.err
	case f == nil:
		return nil, fmt.Errorf("%w: %.300q was not announced", ErrName, name)
	case f.written:
		return nil, fmt.Errorf("%w: %.300q is written already", ErrName, name)
	case w.open != nil:
		return nil, fmt.Errorf("xar: %s is not finished yet", w.open.file.Name)
	}
	f.data.offset = w.heap
	fw := &fileWriter{archive: w, file: f, archived: w.o.Checksum.New()}
	fw.plain = io.Writer(fw.heapWriter())
	if f.Compress {
		fw.extracted = w.o.Checksum.New()
		fw.compressor = zlib.NewWriter(fw.heapWriter())
		fw.plain = io.MultiWriter(fw.extracted, fw.compressor)
	}
	w.open = fw
	return fw, nil
}

// fileWriter writes one file to the heap.
type fileWriter struct {
	archive             *Writer
	file                *file
	plain               io.Writer
	compressor          *zlib.Writer
	archived, extracted hash.Hash
}

func (f *fileWriter) Write(p []byte) (int, error) {
	if f.archive.open != f {
		return 0, errors.New("xar: write to a finished file")
	}
	n, err := f.plain.Write(p)
	f.file.size += int64(n)
	if err != nil {
		f.archive.err = err
	}
	return n, err
}

// heapWriter writes behind what is in the heap.
func (f *fileWriter) heapWriter() writerFunc {
	return func(p []byte) (int, error) {
		w := f.archive
		n, err := w.out.WriteAt(p, w.room+w.heap)
		f.archived.Write(p[:n])
		w.heap += int64(n)
		f.file.data.length += int64(n)
		return n, err
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (f *fileWriter) Close() error {
	w := f.archive
	if w.open != f {
		return nil
	}
	w.open = nil
	if f.compressor != nil {
		if err := f.compressor.Close(); err != nil {
			w.err = err
			return err
		}
	}
	f.file.written = true
	f.file.archived = f.archived.Sum(nil)
	f.file.extracted = f.file.archived
	if f.extracted != nil {
		f.file.extracted = f.extracted.Sum(nil)
	}
	return nil
}

// Close writes the table of contents and signs it. It does not close the
// output.
func (w *Writer) Close(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	for _, f := range w.files {
		if !f.written {
			return fmt.Errorf("xar: %s was announced and is not written", f.Name)
		}
	}
	w.err = errors.New("xar: archive is closed")
	plain, err := w.encodeTOC()
	if err != nil {
		return err
	}
	toc, size, err := fill(plain, w.room-headerSize)
	if err != nil {
		return err
	}
	header := append(make([]byte, 0, headerSize), magic...)
	header = binary.BigEndian.AppendUint16(header, headerSize)
	header = binary.BigEndian.AppendUint16(header, version)
	header = binary.BigEndian.AppendUint64(header, uint64(len(toc)))
	header = binary.BigEndian.AppendUint64(header, uint64(size))
	header = binary.BigEndian.AppendUint32(header, w.style.number)
	if _, err := w.out.WriteAt(append(header, toc...), 0); err != nil {
		return err
	}
	h := w.o.Checksum.New()
	h.Write(toc)
	digest := h.Sum(nil)
	if err := w.writeSpan(w.digest, digest); err != nil {
		return err
	}
	return w.sign(ctx, digest)
}

// writeSpan fills a part of the heap, with zeros at its end.
func (w *Writer) writeSpan(s span, content []byte) error {
	if int64(len(content)) > s.length {
		return fmt.Errorf("%w: %d bytes where %d are kept", ErrRoom, len(content), s.length)
	}
	_, err := w.out.WriteAt(append(content, make([]byte, s.length-int64(len(content)))...), w.room+s.offset)
	return err
}

func (w *Writer) sign(ctx context.Context, digest []byte) error {
	s := w.o.Signer
	if s == nil {
		return nil
	}
	signature, err := s.Key.Sign(rand.Reader, digest, w.o.Checksum)
	if err != nil {
		return fmt.Errorf("signing the table of contents: %w", err)
	}
	if err := w.writeSpan(w.rsa, signature); err != nil {
		return err
	}
	if s.CMS == nil {
		return nil
	}
	cms, err := s.CMS(ctx, digest)
	if err != nil {
		return fmt.Errorf("signing the table of contents: %w", err)
	}
	return w.writeSpan(w.cms, cms)
}

// fill compresses the TOC to exactly room bytes. Behind it come spaces, which
// XML ignores, in blocks that deflate stores as they are; size is that of the
// TOC with them.
func fill(toc []byte, room int64) (compressed []byte, size int, err error) {
	const maxBlock, blockHeader = 65535, 5
	b := &sliceWriter{0x78, 0xda} // zlib: a window of 32 KiB, best compression
	fw, err := flate.NewWriter(b, flate.BestCompression)
	if err != nil {
		return nil, 0, err
	}
	if _, err = fw.Write(toc); err == nil {
		err = fw.Flush() // up to a whole byte
	}
	if err != nil {
		return nil, 0, err
	}
	left := room - int64(len(*b)) - adler32.Size
	if left < blockHeader {
		return nil, 0, fmt.Errorf("%w: %d bytes, %d are kept", ErrRoom, len(*b), room)
	}
	spaces := make([]byte, 0, left)
	for left > 0 {
		n := min(left-blockHeader, maxBlock)
		if rest := left - blockHeader - n; rest > 0 && rest < blockHeader {
			n -= blockHeader // a last block needs its header
		}
		final := byte(0)
		if left == blockHeader+n {
			final = 1
		}
		*b = append(*b, final, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		for range n {
			spaces = append(spaces, ' ')
		}
		*b = append(*b, spaces[len(spaces)-int(n):]...)
		left -= blockHeader + n
	}
	sum := adler32.New()
	sum.Write(toc)
	sum.Write(spaces)
	return sum.Sum(*b), len(toc) + len(spaces), nil
}

type sliceWriter []byte

func (s *sliceWriter) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}
