package wim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/Microsoft/go-winio/wim/lzx"

	"firstday.dev/ppkg/xpress"
)

// decoder reads parts of resources. It is scratch space for one goroutine.
type decoder struct {
	r      *Reader
	in     []byte
	xpress xpress.Decompressor
}

func (r *Reader) newDecoder() *decoder {
	if d, ok := r.decoders.Get().(*decoder); ok {
		return d
	}
	return &decoder{r: r}
}

// checkResource refuses sizes that no resource can have, so that what is
// claimed stays in proportion to what is there.
func (r *Reader) checkResource(res resource) error {
	if !res.compressed() {
		return nil
	}
	if r.header.flags&flagCompressed == 0 {
		return fmt.Errorf("%w: compressed resource in an uncompressed WIM", ErrFormat)
	}
	chunk := int64(r.header.chunkSize)
	table := tableSize(res.plain, chunk)
	count := (res.plain + chunk - 1) / chunk
	if res.size < table+count || res.size > table+res.plain {
		return fmt.Errorf("%w: resource of %d bytes cannot be %d when decompressed", ErrFormat, res.size, res.plain)
	}
	return nil
}

// read fills dst with the plain bytes from pos on. pos must be a multiple of
// segmentSize, and dst a segment or what is left of the resource.
func (d *decoder) read(dst []byte, res resource, pos int64) error {
	if len(dst) == 0 {
		return nil
	}
	if !res.compressed() {
		return readAt(d.r.r, dst, res.offset+pos)
	}
	chunk := int64(d.r.header.chunkSize)
	first := pos / chunk
	count := (int64(len(dst)) + chunk - 1) / chunk
	table := tableSize(res.plain, chunk)
	width := tableEntrySize(res.plain)

	// A small resource takes one read, part of a large one two. In either
	// case entries holds what the table says of the chunks but the first of
	// all, and the end of the last.
	var in, entries []byte
	var base int64 // of in, counted from the table's end
	whole := int64(len(dst)) == res.plain
	if whole {
		in = d.buffer(res.size)
		if err := readAt(d.r.r, in, res.offset); err != nil {
			return err
		}
		entries, in = in[:table], in[table:]
	} else {
		from := max(first-1, 0) * width
		to := min((first+count)*width, table)
		entries = make([]byte, to-from)
		if err := readAt(d.r.r, entries, res.offset+from); err != nil {
			return err
		}
	}
	ends, err := chunkEnds(entries, width, first, count, res.size-table)
	if err != nil {
		return err
	}
	if !whole {
		base = ends[0]
		if ends[count]-base > int64(len(dst)) {
			return fmt.Errorf("%w: chunks grew when compressed", ErrFormat)
		}
		in = d.buffer(ends[count] - base)
		if err := readAt(d.r.r, in, res.offset+table+base); err != nil {
			return err
		}
	}
	for i := range count {
		plain := dst[i*chunk : min((i+1)*chunk, int64(len(dst)))]
		if err := d.chunk(plain, in[ends[i]-base:ends[i+1]-base]); err != nil {
			return fmt.Errorf("chunk %d at %d: %w", first+i, res.offset, err)
		}
	}
	return nil
}

// chunkEnds reads from a part of the chunk table where the given chunks start
// and, as the last of count+1 numbers, end.
func chunkEnds(entries []byte, width, first, count, size int64) ([]int64, error) {
	ends := make([]int64, 0, count+1)
	if first == 0 {
		ends = append(ends, 0)
	}
	for ; len(entries) > 0; entries = entries[width:] {
		offset := uint64(binary.LittleEndian.Uint32(entries))
		if width == 8 {
			offset = binary.LittleEndian.Uint64(entries)
		}
		if offset > uint64(size) {
			return nil, fmt.Errorf("%w: chunk at %d of %d", ErrFormat, offset, size)
		}
		ends = append(ends, int64(offset))
	}
	if int64(len(ends)) == count {
		ends = append(ends, size)
	}
	for i := range count {
		if ends[i+1] <= ends[i] {
			return nil, fmt.Errorf("%w: chunk table is not in order", ErrFormat)
		}
	}
	return ends, nil
}

// chunk decompresses one chunk. One as long as its plain bytes is stored raw.
func (d *decoder) chunk(dst, src []byte) error {
	switch {
	case len(src) == len(dst):
		copy(dst, src)
		return nil
	case len(src) > len(dst):
		return fmt.Errorf("%w: chunk grew when compressed", ErrFormat)
	case d.r.header.flags&flagXPRESS != 0:
		if err := d.xpress.Decompress(dst, src); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return nil
	default:
		return decompressLZX(dst, src)
	}
}

// decompressLZX guards go-winio's decoder, which panics on some damaged input.
func decompressLZX(dst, src []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: LZX: %v", ErrFormat, r)
		}
	}()
	z, err := lzx.NewReader(bytes.NewReader(src), len(dst))
	if err == nil {
		_, err = io.ReadFull(z, dst)
	}
	if err != nil {
		return fmt.Errorf("%w: LZX: %w", ErrFormat, noEOF(err))
	}
	return nil
}

func (d *decoder) buffer(size int64) []byte {
	if int64(cap(d.in)) < size {
		d.in = make([]byte, size)
	}
	return d.in[:size]
}

// readAt fills b, and takes the end of the file for an error if it is not full.
func readAt(r io.ReaderAt, b []byte, pos int64) error {
	n, err := r.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(b), pos, noEOF(err))
}

// noEOF turns the end of input where there should be more into an error that
// nobody takes for a regular end.
func noEOF(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
