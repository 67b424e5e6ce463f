package wim

import (
	"cmp"
	"crypto/sha1"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// Reader reads a WIM. It is safe for concurrent use.
type Reader struct {
	Images      []*ImageReader
	GUID        [16]byte
	Compression Compression

	r        io.ReaderAt
	size     int64
	header   *header
	blobs    map[[20]byte]*blob
	order    []*blob // as they lie in the file
	decoders sync.Pool

	mu       sync.Mutex
	verified map[*blob]bool // blobs once read whole whose hash was right
}

// ImageReader is an image of a WIM that is read. It is a file system whose
// files return a [*Stat] from [fs.FileInfo].Sys.
type ImageReader struct {
	Image // its FS is the ImageReader itself, so that Write can copy the image

	r        *Reader
	metadata *blob
	root     func() (*node, error)
}

var (
	_ fs.ReadDirFS  = (*ImageReader)(nil)
	_ fs.ReadFileFS = (*ImageReader)(nil)
	_ fs.StatFS     = (*ImageReader)(nil)
)

// NewReader reads the header, the blob table and the XML data of a WIM of the
// given size. An image's tree is read when it is first needed. What is in the
// images is verified when it is read; [Reader.Verify] verifies all.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	b := make([]byte, min(size, headerSize))
	if err := readAt(r, b, 0); err != nil {
		return nil, fmt.Errorf("reading header: %w", err)
	}
	h, err := parseHeader(b, size)
	if err != nil {
		return nil, err
	}
	wim := &Reader{r: r, size: size, header: h, GUID: h.guid, verified: map[*blob]bool{}}
	switch h.flags & flagsCodec {
	case 0:
		wim.Compression = None
	case flagLZX:
		wim.Compression = LZX
	}
	metadata, err := wim.readBlobTable()
	if err != nil {
		return nil, fmt.Errorf("reading blob table: %w", err)
	}
	xml, err := wim.readXML()
	if err != nil {
		return nil, fmt.Errorf("reading XML data: %w", err)
	}
	for i, m := range metadata {
		image := &ImageReader{Image: xml[i], r: wim, metadata: m}
		image.FS = image
		image.root = sync.OnceValues(image.readTree)
		wim.Images = append(wim.Images, image)
	}
	return wim, nil
}

// readBlobTable returns the metadata blobs, one for each image.
func (r *Reader) readBlobTable() (metadata []*blob, err error) {
	table, err := r.readWhole(r.header.blobs, maxBlobs*blobEntrySize)
	if err != nil {
		return nil, err
	}
	if len(table)%blobEntrySize != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrFormat, len(table))
	}
	r.blobs = make(map[[20]byte]*blob, len(table)/blobEntrySize)
	for ; len(table) > 0; table = table[blobEntrySize:] {
		b, err := parseBlob(table, r.size)
		if err != nil {
			return nil, err
		}
		if b.flags&resFree != 0 || b.plain == 0 {
			continue
		}
		if err := r.checkResource(b.resource); err != nil {
			return nil, err
		}
		if b.flags&resMetadata != 0 {
			metadata = append(metadata, b)
		} else if r.blobs[b.hash] == nil {
			r.blobs[b.hash] = b
			r.order = append(r.order, b)
		}
	}
	if len(metadata) != int(r.header.images) {
		return nil, fmt.Errorf("%w: metadata of %d images, the header says %d", ErrFormat, len(metadata), r.header.images)
	}
	slices.SortFunc(r.order, func(a, b *blob) int { return cmp.Compare(a.offset, b.offset) })
	return metadata, r.checkOverlap(metadata)
}

// checkOverlap refuses resources that share bytes: no writer makes them, and
// a small file could claim to hold any amount of data with them.
func (r *Reader) checkOverlap(metadata []*blob) error {
	all := []resource{r.header.blobs, r.header.xml, r.header.integrity}
	for _, b := range slices.Concat(metadata, r.order) {
		all = append(all, b.resource)
	}
	slices.SortFunc(all, func(a, b resource) int { return cmp.Compare(a.offset, b.offset) })
	end := int64(headerSize)
	for _, res := range all {
		if res.size == 0 {
			continue
		}
		if res.offset < end {
			return fmt.Errorf("%w: resources overlap at %d", ErrFormat, res.offset)
		}
		end = res.end()
	}
	return nil
}

func (r *Reader) readXML() ([]Image, error) {
	data, err := r.readWhole(r.header.xml, maxXML)
	if err != nil {
		return nil, err
	}
	return decodeXML(data, int(r.header.images))
}

// readWhole reads a resource into memory, which it takes only as fast as the
// file keeps its promises.
func (r *Reader) readWhole(res resource, limit int64) ([]byte, error) {
	if res.plain > limit {
		return nil, fmt.Errorf("%w: %d bytes", ErrUnsupported, res.plain)
	}
	if err := r.checkResource(res); err != nil {
		return nil, err
	}
	d := r.newDecoder()
	defer r.decoders.Put(d)
	var b []byte
	for pos := int64(0); pos < res.plain; pos += segmentSize {
		n := int(min(segmentSize, res.plain-pos))
		b = slices.Grow(b, n)[:int(pos)+n]
		if err := d.read(b[pos:], res, pos); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readTree reads the image's metadata and looks up the sizes of its files.
func (i *ImageReader) readTree() (*node, error) {
	b, err := i.r.readWhole(i.metadata.resource, maxMetadata)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	if sha1.Sum(b) != i.metadata.hash {
		return nil, fmt.Errorf("%w: metadata", ErrChecksum)
	}
	root, err := decodeMetadata(b)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	root.all(func(n *node) bool {
		if n.isDir() || n.hash == [20]byte{} {
			return true
		}
		b := i.r.blobs[n.hash]
		if b == nil {
			err = fmt.Errorf("%w: contents of %q are not in the blob table", ErrFormat, n.name)
			return false
		}
		n.size = b.plain
		return true
	})
	return root, err
}
