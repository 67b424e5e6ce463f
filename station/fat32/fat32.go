// Package fat32 writes and reads images of USB sticks: a partition table with
// one FAT32 volume, which firmware, Windows, macOS and its Recovery all mount.
//
// [Write] takes a tree of files and needs neither root nor memory for their
// contents. Everything is written once, each file in one piece; the same tree
// and [Options] give the same bytes. [Open] reads volumes that others may have
// written, and trusts nothing in them.
//
// The format is that of Microsoft's "FAT32 File System Specification", version
// 1.03 (fatgen103).
package fat32

import (
	"errors"
	"fmt"
)

// What can be wrong with a tree, an image, or what was asked for.
var (
	ErrFormat = errors.New("fat32: not a readable FAT32 volume")
	ErrName   = errors.New("fat32: a name that FAT32 cannot hold")
	ErrFile   = errors.New("fat32: a file that FAT32 cannot hold")
	ErrFull   = errors.New("fat32: the image is too small")
	ErrSize   = errors.New("fat32: unusable size of an image")
	ErrLabel  = errors.New("fat32: unusable label")
)

const (
	// SectorSize is that of every stick, in bytes.
	SectorSize = 512
	entrySize  = 32 // of a folder

	// firstSector is where the volume begins: at 1 MiB, as all systems align
	// partitions today.
	firstSector = 2048
	// spareSectors stay free at the end: tools that make a GPT of an MBR want
	// room for its copy there.
	spareSectors = 33
	// minReserved is the usual number of sectors before the FATs: the boot sector
	// and FSInfo, and copies of both.
	minReserved   = 32
	infoSector    = 1
	backupSector  = 6
	fats          = 2
	rootCluster   = 2
	minClusters   = 65525 // fewer, and systems take it for FAT16
	maxClusters   = 1<<28 - 16
	endOfChain    = 0x0fffffff
	clusterMask   = 0x0fffffff
	firstBad      = 0x0ffffff7 // this and above ends a chain, or should not be in one
	mediaFixed    = 0xf8
	typeFAT32     = 0x0b
	typeFAT32LBA  = 0x0c
	typeGPT       = 0xee
	maxEntries    = 65536 // of a folder, 2 MiB
	attrReadOnly  = 0x01
	attrHidden    = 0x02
	attrSystem    = 0x04
	attrLabel     = 0x08
	attrDirectory = 0x10
	attrArchive   = 0x20
	attrLongName  = attrReadOnly | attrHidden | attrSystem | attrLabel

	infoLead, infoMiddle, infoTrail = 0x41615252, 0x61417272, 0xaa550000
)

// MaxFile is the largest file that FAT32 can hold, in bytes.
const MaxFile = 1<<32 - 1

// The bounds of an image's size, in bytes. Windows is said not to look for
// packages on sticks of 128 GB and more (formats/ppkg.md §11).
const (
	MinSize = 64 << 20
	MaxSize = 127_000_000_000
)

// geometry is where things are in a volume. Sectors are counted from its begin.
type geometry struct {
	start      int64  // of the volume, in bytes
	sectors    uint32 // of the volume
	perCluster uint32 // sectors
	reserved   uint32 // sectors before the first FAT
	fat        uint32 // sectors of each FAT
	clusters   uint32
}

// newGeometry lays out an image of a size.
func newGeometry(size int64) (geometry, error) {
	if size < MinSize || size > MaxSize || size%SectorSize != 0 {
		return geometry{}, fmt.Errorf("%w: %d bytes; it must be between %d and %d, in sectors of %d", ErrSize, size, MinSize, int64(MaxSize), SectorSize)
	}
	g := geometry{start: firstSector * SectorSize, sectors: uint32(size/SectorSize - firstSector - spareSectors)}
	g.perCluster = sectorsPerCluster(g.sectors)
	// The specification's formula; the FAT is at most eight sectors too large.
	perFATSector := (256*g.perCluster + fats) / 2
	g.fat = (g.sectors - minReserved + perFATSector - 1) / perFATSector
	// Flash is erased in large blocks: clusters begin where those do.
	g.reserved = minReserved
	if over := (g.reserved + fats*g.fat) % firstSector; over > 0 {
		g.reserved += firstSector - over
	}
	g.clusters = (g.sectors - g.reserved - fats*g.fat) / g.perCluster
	return g, nil
}

// sectorsPerCluster is the specification's table, DskTableFAT32.
func sectorsPerCluster(sectors uint32) uint32 {
	switch {
	case sectors <= 532480: // 260 MB
		return 1
	case sectors <= 16777216: // 8 GB
		return 8
	case sectors <= 33554432: // 16 GB
		return 16
	case sectors <= 67108864: // 32 GB
		return 32
	default:
		return 64
	}
}

func (g *geometry) clusterSize() int64 { return int64(g.perCluster) * SectorSize }

// sector is where a sector is in the image, in bytes.
func (g *geometry) sector(n uint32) int64 { return g.start + int64(n)*SectorSize }

// cluster is where a cluster is in the image, in bytes.
func (g *geometry) cluster(n uint32) int64 {
	return g.sector(g.reserved+fats*g.fat) + int64(n-rootCluster)*g.clusterSize()
}

// need is how many clusters so many bytes take.
func (g *geometry) need(size int64) uint32 {
	return uint32((size + g.clusterSize() - 1) / g.clusterSize())
}
