package fat32

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"sort"
)

// Layout is where everything of a tree goes on an image or a stick. Nothing is
// written yet.
type Layout struct {
	geometry
	Options
	root *node
	free uint32 // first free cluster
	ends []uint32
}

// NewLayout looks at every name and size of a tree, and opens no file.
func NewLayout(tree fs.FS, o Options) (*Layout, error) {
	g, err := newGeometry(o.Size)
	if err != nil {
		return nil, err
	}
	if err := CheckLabel(o.Label); err != nil {
		return nil, err
	}
	root, err := readTree(tree)
	if err != nil {
		return nil, err
	}
	l := &Layout{geometry: g, Options: o, root: root}
	if l.free, err = root.allocate(&g); err != nil {
		return nil, err
	}
	_ = root.each(func(n *node) error {
		if n.clusters > 0 {
			l.ends = append(l.ends, n.first+n.clusters-1)
		}
		return nil
	})
	return l, nil
}

// Extent is where a file lies: all of it in one piece.
type Extent struct {
	Path   string
	Size   int64 // bytes
	Offset int64 // on the disk, in bytes
	Room   int64 // of its clusters, bytes: what follows the file in them are zeros
}

// Extents gives those of all files.
func (l *Layout) Extents() (list []Extent) {
	_ = l.root.each(func(n *node) error {
		if !n.dir {
			list = append(list, Extent{n.path, n.size, l.cluster(max(n.first, rootCluster)), int64(n.clusters) * l.clusterSize()})
		}
		return nil
	})
	return list
}

// block is something to be written in one piece.
type block struct {
	at   int64 // on the disk, in bytes
	data []byte
}

// state is one of the two that the volume of a layout is in.
type state struct {
	label string
	root  uint32 // the cluster where the root folder begins
	free  uint32 // the first free cluster
	used  uint32 // how many clusters are
	// chains: those of the files stand in the FATs.
	chains bool
	// spare stands in the FATs as a folder of one cluster; 0: none does.
	spare uint32
}

func (l *Layout) final() state {
	return state{label: l.Label, root: rootCluster, free: l.free, used: l.free - rootCluster, chains: true}
}

// nextDevice is what a BIOS runs that starts from the stick: it goes on to the
// next device, since the stick is in the laptop while that starts.
var nextDevice = []byte{0xcd, 0x18, 0xf4, 0xeb, 0xfd} // int 18h; hlt; jmp back

// table makes an MBR. A GPT has a copy at the end of its disk: on a stick
// that is larger than the image it would be in the wrong place, and systems call
// the stick damaged or offer to format it. Sticks leave the factory with an MBR;
// Windows, macOS and UEFI take it on removable media.
func (l *Layout) table() block {
	b := make([]byte, SectorSize)
	copy(b, nextDevice)
	binary.LittleEndian.PutUint32(b[440:], l.Signature)
	p := b[446:]
	// Not active. Cylinders, heads and sectors are at their limit: only the
	// numbers of sectors count.
	copy(p, []byte{0, 0xfe, 0xff, 0xff, typeFAT32LBA, 0xfe, 0xff, 0xff})
	binary.LittleEndian.PutUint32(p[8:], firstSector)
	binary.LittleEndian.PutUint32(p[12:], l.sectors)
	b[510], b[511] = 0x55, 0xaa
	return block{0, b}
}

// boot makes the boot sector.
func (l *Layout) boot(s state) []byte {
	b := make([]byte, SectorSize)
	le := binary.LittleEndian
	copy(b, []byte{0xeb, 0x58, 0x90})
	copy(b[3:], "MSWIN4.1") // what the specification recommends
	le.PutUint16(b[11:], SectorSize)
	b[13] = byte(l.perCluster)
	le.PutUint16(b[14:], uint16(l.reserved))
	b[16] = fats
	b[21] = mediaFixed
	le.PutUint16(b[24:], 63)  // sectors of a track
	le.PutUint16(b[26:], 255) // heads
	le.PutUint32(b[28:], firstSector)
	le.PutUint32(b[32:], l.sectors)
	le.PutUint32(b[36:], l.fat)
	le.PutUint32(b[44:], s.root)
	le.PutUint16(b[48:], infoSector)
	le.PutUint16(b[50:], backupSector)
	b[64] = 0x80 // drive
	b[66] = 0x29 // the next three are there
	le.PutUint32(b[67:], l.Serial)
	copy(b[71:], fmt.Sprintf("%-11s", s.label))
	copy(b[82:], "FAT32   ")
	copy(b[90:], nextDevice)
	b[510], b[511] = 0x55, 0xaa
	return b
}

// info makes FSInfo, and the third of the boot sectors behind it.
func (l *Layout) info(s state) []byte {
	b := make([]byte, 2*SectorSize)
	le := binary.LittleEndian
	le.PutUint32(b, infoLead)
	le.PutUint32(b[484:], infoMiddle)
	le.PutUint32(b[488:], l.clusters-s.used)
	le.PutUint32(b[492:], s.free)
	le.PutUint32(b[508:], infoTrail)
	b[SectorSize+510], b[SectorSize+511] = 0x55, 0xaa
	return b
}

// bootCopies are the boot sectors but for the first, which decides.
func (l *Layout) bootCopies(s state) []block {
	return []block{
		{l.sector(infoSector), l.info(s)},
		{l.sector(backupSector), append(l.boot(s), l.info(s)...)},
	}
}

// bootSectors are the partition table and the first boot sector.
func (l *Layout) bootSectors(s state) []block {
	return []block{{l.sector(0), l.boot(s)}, l.table()}
}

// usedFAT is how many sectors of a FAT say something of the tree.
func (l *Layout) usedFAT() uint32 { return (l.free*4 + SectorSize - 1) / SectorSize }

// eachFAT gives so many sectors of both FATs, piece by piece.
func (l *Layout) eachFAT(s state, sectors uint32, visit func(block) error) error {
	const piece = 2048 // sectors
	for i := range uint32(fats) {
		for at := uint32(0); at < sectors; at += piece {
			b := make([]byte, min(piece, sectors-at)*SectorSize)
			l.fillFAT(b, at*SectorSize/4, s)
			if err := visit(block{l.sector(l.reserved + i*l.fat + at), b}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillFAT writes the entries from a cluster on. The chain of every node is in one
// piece.
func (l *Layout) fillFAT(b []byte, first uint32, s state) {
	end := sort.Search(len(l.ends), func(i int) bool { return l.ends[i] >= first })
	for i := range len(b) / 4 {
		c, value := first+uint32(i), uint32(0)
		switch {
		case c == 0: // the medium
			value = clusterMask&^0xff | mediaFixed
		case c == 1, c == s.spare: // the volume was left in order; a folder ends
			value = endOfChain
		case !s.chains || c >= l.free:
		case c == l.ends[end]:
			value = endOfChain
			end++
		default:
			value = c + 1
		}
		binary.LittleEndian.PutUint32(b[4*i:], value)
	}
}

// folders gives the entries of every folder, in whole clusters if asked for.
func (l *Layout) folders(visit func(block) error) error {
	return l.root.each(func(n *node) error {
		if !n.dir {
			return nil
		}
		b := make([]byte, int64(n.clusters)*l.clusterSize())
		copy(b, l.folder(n, l.Label))
		return visit(block{l.cluster(n.first), b})
	})
}
