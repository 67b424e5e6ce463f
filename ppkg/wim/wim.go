// Package wim reads and writes the Windows Imaging format: a compressed,
// de-duplicated archive of one or more file trees ("images"), as made by
// WIMGAPI, DISM and wimlib. A Windows provisioning package is such a file.
//
// [Write] makes a WIM of one image, compressed with XPRESS or not at all.
// [NewReader] reads stand-alone WIMs that are uncompressed or compressed with
// XPRESS or LZX. Solid WIMs (LZMS, version 0xE00), pipable and split ones are
// refused with [ErrUnsupported].
//
// A [Cache] holds contents that many WIMs shall have, and compresses them once.
//
// The layout is described in formats/ppkg.md §1 and design/libraries.md §3.2.
package wim

import (
	"errors"
	"time"
)

// What can be wrong with a WIM or with what shall become one. Errors of this
// package wrap one of these, an error of the file system, or the context's.
var (
	ErrFormat      = errors.New("wim: not a valid WIM")
	ErrChecksum    = errors.New("wim: checksum mismatch")
	ErrUnsupported = errors.New("wim: unsupported")
	ErrName        = errors.New("wim: name Windows cannot hold")
	ErrChanged     = errors.New("wim: file changed while being read")
)

const (
	headerSize = 208
	magic      = "MSWIM\x00\x00\x00"
	magicPipe  = "WLPWM\x00\x00\x00" // wimlib's pipable WIMs

	version      = 0x00010D00
	versionSolid = 0x00000E00

	chunkSize = 32768 // of what Write writes, and the only one WIMGAPI reads

	// segmentSize is how much of a content one task handles: large enough to
	// make hand-overs cheap, small enough to stay in a core's cache.
	segmentSize = 8 * chunkSize
)

// Flags of the header.
const (
	flagCompressed = 0x00000002
	flagSpanned    = 0x00000008
	flagUnfinished = 0x00000040 // a writer died, or is still at work
	flagRPFix      = 0x00000080 // reparse points were made relative to the image
	flagXPRESS     = 0x00020000
	flagLZX        = 0x00040000
	flagLZMS       = 0x00080000

	flagsCodec = flagXPRESS | flagLZX | flagLZMS
)

// Flags of a resource.
const (
	resFree       = 0x01
	resMetadata   = 0x02
	resCompressed = 0x04
	resSpanned    = 0x08
	resSolid      = 0x10
)

// Bounds on what a file may claim. All are far above what Windows' own
// install.wim needs.
const (
	maxImages   = 1 << 10
	maxBlobs    = 1 << 23
	maxMetadata = 1 << 27 // bytes of one image's metadata: some 800,000 files
	maxXML      = 1 << 22 // bytes of XML data
	maxDepth    = 512     // directories above a file
)

// epochSeconds is the distance from 1601, where FILETIME starts, to 1970.
const epochSeconds = 11644473600

// maxFiletime is the last moment Windows accepts (it reads the value as
// signed): some time in the year 30828.
const maxFiletime = 1<<63 - 1

// filetime counts t in steps of 100 ns from the year 1601; times before that,
// and the zero time, are 0.
func filetime(t time.Time) uint64 {
	seconds := t.Unix() + epochSeconds
	if seconds < 0 {
		return 0
	}
	if seconds > maxFiletime/10_000_000 {
		return maxFiletime
	}
	return uint64(seconds)*1e7 + uint64(t.Nanosecond()/100)
}

func fromFiletime(ft uint64) time.Time {
	return time.Unix(int64(ft/1e7)-epochSeconds, int64(ft%1e7)*100).UTC()
}
