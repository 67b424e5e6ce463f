package macho

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrSignature: the code signature is malformed, or made for other code.
var ErrSignature = errors.New("macho: bad code signature")

// ErrUnsigned: there is no code signature.
var ErrUnsigned = errors.New("macho: not signed")

func badSignature(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrSignature, fmt.Errorf(format, args...))
}

// What a code signature is made of: blobs, each with its magic number and
// length in front, in big endian (xnu's <kern/cs_blobs.h>).
const (
	magicRequirement     = 0xfade0c00
	magicRequirements    = 0xfade0c01
	magicCodeDirectory   = 0xfade0c02
	magicEmbedded        = 0xfade0cc0
	magicEntitlements    = 0xfade7171
	magicEntitlementsDER = 0xfade7172
	magicWrapper         = 0xfade0b01 // around the CMS signature

	blobHeaderSize = 8
)

// The slots of a signature. A CodeDirectory holds a hash of what is in the
// slots below slotAlternate.
const (
	slotCodeDirectory   = 0
	slotInfoPlist       = 1
	slotRequirements    = 2
	slotResources       = 3
	slotEntitlements    = 5
	slotEntitlementsDER = 7
	slotAlternate       = 0x1000 // further CodeDirectories, with other hashes
	slotSignature       = 0x10000

	maxAlternates = 5
)

// blob puts the header before contents.
func blob(magic uint32, contents []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	b = binary.BigEndian.AppendUint32(b, uint32(blobHeaderSize+len(contents)))
	return append(b, contents...)
}

// openBlob takes the header off a blob that fills b.
func openBlob(b []byte, magic uint32) ([]byte, error) {
	if len(b) < blobHeaderSize || binary.BigEndian.Uint32(b) != magic || int64(binary.BigEndian.Uint32(b[4:])) != int64(len(b)) {
		return nil, badSignature("no blob %#x where one is named", magic)
	}
	return b[blobHeaderSize:], nil
}

// slot is a blob and the kind of thing it is.
type slot struct {
	kind uint32
	blob []byte
}

// superBlob puts blobs together, with an index in front.
func superBlob(magic uint32, slots []slot) []byte {
	const entrySize = 8
	index := binary.BigEndian.AppendUint32(nil, uint32(len(slots)))
	at := blobHeaderSize + 4 + len(slots)*entrySize
	var blobs []byte
	for _, s := range slots {
		index = binary.BigEndian.AppendUint32(index, s.kind)
		index = binary.BigEndian.AppendUint32(index, uint32(at+len(blobs)))
		blobs = append(blobs, s.blob...)
	}
	return blob(magic, append(index, blobs...))
}

// maxSlots bounds an index; signatures have about six.
const maxSlots = 100

// openSuperBlob takes blobs apart, each slot once. Apple's readers want them
// within the whole; where they lie is up to who writes them: some linkers align
// them (lld's to 8 bytes). Between them nothing may hide.
func openSuperBlob(b []byte, magic uint32) ([]slot, error) {
	contents, err := openBlob(b, magic)
	if err != nil {
		return nil, err
	}
	if len(contents) < 4 || binary.BigEndian.Uint32(contents) > maxSlots {
		return nil, badSignature("the index of its parts is damaged")
	}
	count := int(binary.BigEndian.Uint32(contents))
	index := contents[4:]
	if len(index) < count*8 {
		return nil, badSignature("the index of its parts ends early")
	}
	end := blobHeaderSize + 4 + count*8
	var slots []slot
	taken := []extent{{0, int64(end)}}
	for i := range count {
		kind, at := binary.BigEndian.Uint32(index[i*8:]), int64(binary.BigEndian.Uint32(index[i*8+4:]))
		if at < int64(end) || at+blobHeaderSize > int64(len(b)) {
			return nil, badSignature("part %#x lies where it cannot", kind)
		}
		length := int64(binary.BigEndian.Uint32(b[at+4:]))
		if length < blobHeaderSize || length > int64(len(b))-at {
			return nil, badSignature("part %#x is %d bytes long", kind, length)
		}
		if slices.ContainsFunc(slots, func(s slot) bool { return s.kind == kind }) {
			return nil, badSignature("part %#x is there twice", kind)
		}
		slots, taken = append(slots, slot{kind, b[at : at+length]}), append(taken, extent{at, at + length})
	}
	return slots, checkGaps(b, taken)
}

// extent is a part of a blob, in bytes from its beginning.
type extent struct{ from, to int64 }

// checkGaps demands that no two parts share a byte, and that all bytes of none
// are zero.
func checkGaps(b []byte, taken []extent) error {
	slices.SortFunc(taken, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	for i, part := range append(taken, extent{int64(len(b)), int64(len(b))}) {
		if i == 0 {
			continue
		}
		before := taken[i-1].to
		switch {
		case part.from < before:
			return badSignature("a part at %d lies in another one", part.from)
		case !bytes.Equal(b[before:part.from], make([]byte, part.from-before)):
			return badSignature("something is between its parts, at %d", before)
		}
	}
	return nil
}

// find gives a slot's blob, nil if there is none.
func find(slots []slot, kind uint32) []byte {
	for _, s := range slots {
		if s.kind == kind {
			return s.blob
		}
	}
	return nil
}
