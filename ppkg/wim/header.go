package wim

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// resource says where a stream of bytes lies in the file.
type resource struct {
	offset int64
	size   int64 // in the file
	plain  int64 // when decompressed
	flags  byte
}

const resourceSize = 24

func (r resource) end() int64       { return r.offset + r.size }
func (r resource) compressed() bool { return r.flags&resCompressed != 0 }

func (r resource) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.size)|uint64(r.flags)<<56)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.offset))
	return binary.LittleEndian.AppendUint64(b, uint64(r.plain))
}

// parseResource reads a resource header and holds it against the file's size.
func parseResource(b []byte, fileSize int64) (resource, error) {
	word := binary.LittleEndian.Uint64(b)
	offset := binary.LittleEndian.Uint64(b[8:])
	plain := binary.LittleEndian.Uint64(b[16:])
	size := word & (1<<56 - 1)
	r := resource{flags: byte(word >> 56)}
	switch {
	case size > uint64(fileSize) || offset > uint64(fileSize)-size:
		return r, fmt.Errorf("%w: resource of %d bytes at %d reaches beyond the file", ErrFormat, size, offset)
	case plain > 1<<62:
		return r, fmt.Errorf("%w: resource claims %d bytes", ErrFormat, plain)
	}
	r.size, r.offset, r.plain = int64(size), int64(offset), int64(plain)
	if !r.compressed() && r.size != r.plain {
		return r, fmt.Errorf("%w: uncompressed resource has two sizes, %d and %d", ErrFormat, size, plain)
	}
	return r, nil
}

// header is the first 208 bytes of a WIM (formats/ppkg.md §1.1).
type header struct {
	version   uint32
	flags     uint32
	chunkSize uint32
	guid      [16]byte
	part      uint16
	parts     uint16
	images    uint32
	blobs     resource
	xml       resource
	boot      resource // metadata of the bootable image
	bootIndex uint32
	integrity resource
}

func (h *header) bytes() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, headerSize)
	b = binary.LittleEndian.AppendUint32(b, h.version)
	b = binary.LittleEndian.AppendUint32(b, h.flags)
	b = binary.LittleEndian.AppendUint32(b, h.chunkSize)
	b = append(b, h.guid[:]...)
	b = binary.LittleEndian.AppendUint16(b, h.part)
	b = binary.LittleEndian.AppendUint16(b, h.parts)
	b = binary.LittleEndian.AppendUint32(b, h.images)
	b = h.blobs.append(b)
	b = h.xml.append(b)
	b = h.boot.append(b)
	b = binary.LittleEndian.AppendUint32(b, h.bootIndex)
	b = h.integrity.append(b)
	return b[:headerSize]
}

// parseHeader reads the header of a file of the given size and refuses the
// variants this package does not read.
func parseHeader(b []byte, fileSize int64) (*header, error) {
	switch {
	case bytes.HasPrefix(b, []byte(magicPipe)):
		return nil, fmt.Errorf("%w: pipable WIM", ErrUnsupported)
	case len(b) < headerSize || !bytes.HasPrefix(b, []byte(magic)):
		return nil, fmt.Errorf("%w: no WIM header", ErrFormat)
	}
	h := &header{
		version:   binary.LittleEndian.Uint32(b[0x0C:]),
		flags:     binary.LittleEndian.Uint32(b[0x10:]),
		chunkSize: binary.LittleEndian.Uint32(b[0x14:]),
		guid:      [16]byte(b[0x18:]),
		part:      binary.LittleEndian.Uint16(b[0x28:]),
		parts:     binary.LittleEndian.Uint16(b[0x2A:]),
		images:    binary.LittleEndian.Uint32(b[0x2C:]),
		bootIndex: binary.LittleEndian.Uint32(b[0x78:]),
	}
	for _, field := range []struct {
		name string
		at   int
		res  *resource
	}{
		{"blob table", 0x30, &h.blobs},
		{"XML data", 0x48, &h.xml},
		{"boot metadata", 0x60, &h.boot},
		{"integrity table", 0x7C, &h.integrity},
	} {
		var err error
		if *field.res, err = parseResource(b[field.at:], fileSize); err != nil {
			return nil, fmt.Errorf("reading header: %s: %w", field.name, err)
		}
	}
	return h, h.check(binary.LittleEndian.Uint32(b[0x08:]))
}

func (h *header) check(size uint32) error {
	switch codec := h.flags & flagsCodec; {
	case size != headerSize:
		return fmt.Errorf("%w: header of %d bytes", ErrFormat, size)
	case h.version == versionSolid || codec&flagLZMS != 0:
		return fmt.Errorf("%w: solid WIM (LZMS, version 0xE00)", ErrUnsupported)
	case h.version != version:
		return fmt.Errorf("%w: version %#x", ErrUnsupported, h.version)
	case h.parts != 1 || h.part != 1 || h.flags&flagSpanned != 0:
		return fmt.Errorf("%w: split WIM (part %d of %d)", ErrUnsupported, h.part, h.parts)
	case h.flags&flagUnfinished != 0:
		return fmt.Errorf("%w: its writer did not finish it", ErrFormat)
	case h.images > maxImages:
		return fmt.Errorf("%w: %d images", ErrFormat, h.images)
	case h.flags&flagCompressed == 0:
		return nil
	case codec == flagXPRESS:
		if h.chunkSize < 4096 || h.chunkSize > 65536 || h.chunkSize&(h.chunkSize-1) != 0 {
			return fmt.Errorf("%w: XPRESS chunks of %d bytes", ErrUnsupported, h.chunkSize)
		}
	case codec == flagLZX:
		if h.chunkSize != 32768 {
			return fmt.Errorf("%w: LZX chunks of %d bytes", ErrUnsupported, h.chunkSize)
		}
	default:
		return fmt.Errorf("%w: compression flags %#x", ErrFormat, h.flags)
	}
	return nil
}

// blob is a content stored once, whatever the number of files that have it.
type blob struct {
	resource
	refs uint32
	hash [20]byte // SHA-1 of the plain bytes
}

const blobEntrySize = resourceSize + 26

func (b *blob) append(table []byte) []byte {
	table = b.resource.append(table)
	table = binary.LittleEndian.AppendUint16(table, 1) // part number
	table = binary.LittleEndian.AppendUint32(table, b.refs)
	return append(table, b.hash[:]...)
}

// parseBlob reads one entry of the blob table.
func parseBlob(b []byte, fileSize int64) (*blob, error) {
	res, err := parseResource(b, fileSize)
	switch part := binary.LittleEndian.Uint16(b[24:]); {
	case res.flags&resSolid != 0:
		return nil, fmt.Errorf("%w: solid resource", ErrUnsupported)
	case res.flags&resSpanned != 0 || part != 1:
		return nil, fmt.Errorf("%w: resource in part %d", ErrUnsupported, part)
	case err != nil:
		return nil, err
	}
	return &blob{
		resource: res,
		refs:     binary.LittleEndian.Uint32(b[26:]),
		hash:     [20]byte(b[30:50]),
	}, nil
}

// tableEntrySize is the width of a chunk table's entries.
func tableEntrySize(plain int64) int64 {
	if plain >= 1<<32 {
		return 8
	}
	return 4
}

// tableSize is the length of the chunk table before a compressed resource's
// chunks: the offset of each chunk but the first, counted from the table's end.
func tableSize(plain, chunk int64) int64 {
	if plain == 0 {
		return 0
	}
	return (plain - 1) / chunk * tableEntrySize(plain)
}
