// Package xar reads and writes xar archives as Apple uses them for installer
// packages (formats/macos-pkg.md §3.1-3.3).
//
// An archive is a header, a table of contents (TOC: XML, compressed with zlib)
// and the heap: the digest of the compressed TOC, signatures of that digest,
// then the contents of all files. A stapled ticket may follow as a trailer.
//
// [Writer] signs while it writes: every file goes straight to its final place,
// behind room that is kept for the TOC, and the TOC is made to fill that room
// to the byte. [Open] trusts nothing that an archive says.
package xar

import (
	"crypto"
	_ "crypto/sha1" // what Apple's own tools still write
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"strings"
)

var (
	// ErrFormat: this is no xar archive, or one that contradicts itself.
	ErrFormat = errors.New("xar: not a valid archive")
	// ErrUnsupported: an archive of a kind that installer packages are not.
	ErrUnsupported = errors.New("xar: unsupported archive")
	// ErrChecksum: something is not what its checksum says.
	ErrChecksum = errors.New("xar: checksum does not match")
	// ErrSignature: the signature is not by the certificate it names.
	ErrSignature = errors.New("xar: signature does not match")
	// ErrName: a name that no file in an archive can have.
	ErrName = errors.New("xar: not the name of a file")
	// ErrRoom: the table of contents does not fit the room kept for it.
	ErrRoom = errors.New("xar: no room for the table of contents")
)

const (
	magic      = "xar!"
	headerSize = 28
	version    = 1
)

// algorithm is how the header and the TOC call a hash.
type algorithm struct {
	number uint32
	name   string
	hash   crypto.Hash
}

// Apple's numbers. Another branch of xar counts otherwise and adds the name to
// the header; installer packages do not come from there.
var algorithms = []algorithm{
	{0, "none", 0}, {1, "sha1", crypto.SHA1}, {3, "sha256", crypto.SHA256}, {4, "sha512", crypto.SHA512},
}

// algorithmOf finds one by its name, which some tools write in capitals.
func algorithmOf(name string) (algorithm, bool) {
	for _, a := range algorithms {
		if strings.EqualFold(a.name, name) {
			return a, true
		}
	}
	return algorithm{}, false
}

// The encodings of files. What the second calls gzip is zlib.
const (
	encodingPlain = "application/octet-stream"
	encodingZlib  = "application/x-gzip"
	encodingBzip2 = "application/x-bzip2"
)
