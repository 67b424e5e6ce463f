// Package pkgbuild writes and reads macOS installer packages ("flat packages")
// on any system, without Apple's tools (formats/macos-pkg.md).
//
// A component package installs one tree of files and runs scripts before and
// after. A product archive holds components and a Distribution, which says
// what Installer shows and where it may install: it is what device management
// takes. Either is a xar archive; it is streamed to its place once, signed
// while it is written, and needs little memory whatever its size.
//
// [Open] reads either, from any tool, and trusts nothing in it: [Package.List]
// and [Package.CheckContents] tell what it installs, [Expand] and [Flatten] take
// it apart and put it together again, and [Lint] finds what will not work.
package pkgbuild

import (
	"crypto"
	"errors"
	"io/fs"
	"runtime"
	"time"

	"firstday.dev/pkgbuild/xar"
)

var (
	// ErrTree: a tree holds what no package can install.
	ErrTree = errors.New("pkgbuild: cannot be installed")
	// ErrChanged: a file changed while it was packed.
	ErrChanged = errors.New("pkgbuild: file changed while it was read")
	// ErrDescription: what is said of a package makes no sense.
	ErrDescription = errors.New("pkgbuild: invalid description")
)

// Attributes are what a file gets on the Mac.
type Attributes struct {
	Mode     uint32 // permissions, with set-user-ID and sticky bits
	UID, GID uint32
}

// The groups of macOS that own its folders.
const (
	wheel = 0
	admin = 80
)

// systemFolders are Apple's own, with what Apple gives them: Installer sets
// owner and mode of folders that are there already, too.
var systemFolders = map[string]Attributes{
	"Applications":                {0o775, 0, admin},
	"Library":                     {0o1775, 0, admin},
	"Library/Application Support": {0o755, 0, admin},
	"Users":                       {0o755, 0, admin},
	"Users/Shared":                {0o1777, 0, wheel},
	"private/tmp":                 {0o1777, 0, wheel},
}

// DefaultAttributes makes everything root's, whatever the builder's own owner
// and umask are: folders and programs 0755, other files 0644, Apple's folders
// as Apple has them. The path is relative to the volume, "." for its root.
func DefaultAttributes(path string, info fs.FileInfo) Attributes {
	if a, ok := systemFolders[path]; ok && info.IsDir() {
		return a
	}
	mode := uint32(0o644)
	if info.IsDir() || info.Mode()&fs.ModeSymlink != 0 || info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return Attributes{Mode: mode}
}

// Options say how to write a package.
type Options struct {
	// Time is that of the package; no file in it is younger. Zero is 1970.
	Time     time.Time
	Checksum crypto.Hash // of the archive: SHA256 (also if zero) or SHA1
	Signer   *xar.Signer // nil: unsigned
	Threads  int         // of compression; 0: one for each processor, at most 16
	// Progress, if set, is told how many bytes of all payloads are packed.
	Progress func(done int64)

	packed int64 // so far
}

// maxThreads bounds the memory that machines with many processors take: a
// thread holds about five MiB.
const maxThreads = 16

func (o *Options) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return min(runtime.GOMAXPROCS(0), maxThreads)
}
