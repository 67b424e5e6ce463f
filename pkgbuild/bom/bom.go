// Package bom reads and writes the Bom ("bill of materials") of macOS installer
// packages: the list of what a package puts where, with mode, owner, size and
// checksum of each, which Installer keeps as the receipt
// (formats/macos-pkg.md §3.4).
//
// A Bom is a store of numbered blocks, some of which have names (variables).
// The paths are in a tree of blocks, sorted by the number of the parent folder
// and the name.
package bom

import "errors"

var (
	// ErrFormat: this is no Bom, or a damaged one.
	ErrFormat = errors.New("bom: not a valid Bom")
	// ErrPath: a path that no Bom can list, or not in this place.
	ErrPath = errors.New("bom: unusable path")
	// ErrTooLarge: more than a Bom holds.
	ErrTooLarge = errors.New("bom: too large")
)

// The types of files among the bits of [Entry.Mode], as in POSIX <sys/stat.h>.
const (
	ModeType    = 0o170000
	ModeRegular = 0o100000
	ModeDir     = 0o040000
	ModeSymlink = 0o120000
)

// Entry is a file that a package installs.
type Entry struct {
	Path     string // "." for the root, else "./" and the path below it
	Mode     uint32 // permissions and type, as in st_mode
	UID, GID uint32
	ModTime  uint32 // seconds since 1970
	// Size in bytes. Of a folder it is what Apple's file system says:
	// [Write] computes it.
	Size     int64
	Checksum uint32  // of contents or target, see [NewChecksum]; of a folder 0
	Target   string  // of a symbolic link
	Slices   []Slice // of a Mach-O executable, one for each architecture
}

// Slice is one architecture in a Mach-O executable.
type Slice struct {
	CPUType, CPUSubtype uint32
	Size                uint32 // bytes
	Checksum            uint32 // of the slice alone
}

// MaxPaths bounds the entries of a Bom that is read or written.
const MaxPaths = 1 << 22

// The parts of the store.
const (
	magic       = "BOMStore"
	headerSize  = 32
	nodeSize    = 4096 // bytes of a node of the tree of paths
	nodeHeader  = 12
	nodeEntries = (nodeSize - nodeHeader) / 8
	treeSize    = 21

	viewIndexNode = 128 // bytes of the only node of the empty tree in VIndex
)

// The types of records of files.
const (
	typeFile    = 1
	typeDir     = 2
	typeSymlink = 3
)

// The architecture of a record says what there is to know beyond the file.
const (
	archPlain = 0x000f
	archThin  = 0x100f
	archFat   = 0x200f
)

// varNames are the variables of a Bom in Apple's order.
var varNames = [...]string{"BomInfo", "Paths", "HLIndex", "VIndex", "Size64"}
