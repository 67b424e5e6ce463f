package wim

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"firstday.dev/ppkg/xpress"
)

// Compression is how contents are stored.
type Compression int

const (
	XPRESS Compression = iota // LZ77 and Huffman
	None
	LZX // which only a Reader knows
)

func (c Compression) String() string {
	switch c {
	case XPRESS:
		return "XPRESS"
	case None:
		return "none"
	case LZX:
		return "LZX"
	}
	return fmt.Sprintf("Compression(%d)", int(c))
}

// Options say how [Write] stores an image. The zero value is what Windows
// Configuration Designer does, but for the GUID.
type Options struct {
	Compression Compression
	Level       xpress.Level
	GUID        [16]byte // identifies the file; best random
	Integrity   bool     // add a table of hashes over the file itself

	// Prepared are contents that need only be copied, by the path of their
	// file. They come first, and room is left here and there, so that many
	// WIMs with the same ones begin alike.
	Prepared map[string]*Prepared

	// Prefix, if set, is told what the WIM begins with, if it is written.
	Prefix *Prefix

	// Threads bounds the cores used; 0 means all that Go may use. The bytes
	// written do not depend on it.
	Threads int

	// Progress, if set, is told now and then how many bytes of the files are
	// stored. It is never called twice at a time.
	Progress func(done, total int64)
}

// Output is the file that [Write] writes, empty at first. Only the integrity
// table needs ReadAt.
type Output interface {
	io.WriterAt
	io.ReaderAt
}

// Write makes out a WIM of one image. The same image and options give the
// same bytes. It keeps some ten megabytes in use and 300 bytes for each file,
// however large the files are; a program that must stay small among very many
// files should call [runtime/debug.SetMemoryLimit].
//
// The header is written last: an output left behind by an error or a crash is
// not a WIM. Names that Windows cannot hold are refused with [ErrName], files
// that grow or shrink meanwhile with [ErrChanged].
func Write(ctx context.Context, out Output, image *Image, opts Options) error {
	if opts.Compression != XPRESS && opts.Compression != None {
		return fmt.Errorf("%w: writing %v", ErrUnsupported, opts.Compression)
	}
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	root, err := scan(ctx, image.FS)
	if err != nil {
		return fmt.Errorf("listing files: %w", err)
	}
	w := &writer{Options: opts, ctx: ctx, out: out, pos: headerSize}
	w.header = header{
		version: version, flags: flagRPFix, guid: opts.GUID,
		part: 1, parts: 1, images: 1,
	}
	if opts.Compression == XPRESS {
		w.header.flags |= flagCompressed | flagXPRESS
		w.header.chunkSize = chunkSize
	}
	return w.writeImage(image, root)
}

type writer struct {
	Options
	ctx    context.Context // of the one call this writer lives for
	out    Output
	pos    int64 // where the next byte goes
	header header
	prefix Prefix
}

func (w *writer) writeImage(image *Image, root *node) error {
	c, files := countTree(root)
	if err := w.claimPrepared(files); err != nil {
		return err
	}
	open := func(n *node) (io.ReadCloser, error) { return image.FS.Open(n.path()) }
	blobs, err := w.storeAll(files, open, c.bytes)
	if err != nil {
		return err
	}
	metadata, err := w.storeMetadata(root)
	if err != nil {
		return err
	}
	xmlUnit := int64(1)
	if w.prefix.Size > 0 {
		w.pos = w.prefix.Size + roundUp(w.pos-w.prefix.Size, tableStep)
		xmlUnit = xmlStep
	}
	table := metadata.append(make([]byte, 0, blobEntrySize*(len(blobs)+1)))
	for _, b := range blobs {
		table = b.append(table)
	}
	if w.header.blobs, err = w.append(table, resMetadata); err != nil {
		return err
	}
	xml, err := encodeXML(image, c, w.pos, xmlUnit)
	if err != nil {
		return err
	}
	if w.header.xml, err = w.append(xml, resMetadata); err != nil {
		return err
	}
	if w.Integrity {
		table, err := integrityTable(w.ctx, w.out, w.header.blobs.end())
		if err != nil {
			return fmt.Errorf("making integrity table: %w", err)
		}
		if w.header.integrity, err = w.append(table, 0); err != nil {
			return err
		}
	}
	header := w.header.bytes()
	if err := w.write(header, 0); err != nil {
		return err
	}
	if w.Prefix != nil {
		w.prefix.header = [headerSize]byte(header)
		*w.Prefix = w.prefix
	}
	return nil
}

// countTree also lists the files that have contents to store, those of one
// chunk first: what describes the others, such as the XML of a provisioning
// package, then lies where a reader begins. file(1) looks for it in the first
// 68 kB.
func countTree(root *node) (c counts, files []*node) {
	root.all(func(n *node) bool {
		switch {
		case n == root:
		case n.isDir():
			c.dirs++
		default:
			c.files++
			c.bytes += n.size
			if n.size > 0 {
				files = append(files, n)
			}
		}
		return true
	})
	small := func(n *node) bool { return n.size <= chunkSize }
	slices.SortStableFunc(files, func(a, b *node) int {
		switch {
		case small(a) == small(b):
			return 0
		case small(a):
			return -1
		default:
			return 1
		}
	})
	return c, files
}

// append writes b as an uncompressed resource.
func (w *writer) append(b []byte, flags byte) (resource, error) {
	r := resource{offset: w.pos, size: int64(len(b)), plain: int64(len(b)), flags: flags}
	w.pos = r.end()
	return r, w.write(b, r.offset)
}

func (w *writer) write(b []byte, at int64) error {
	if _, err := w.out.WriteAt(b, at); err != nil {
		return fmt.Errorf("writing WIM: %w", err)
	}
	return nil
}
