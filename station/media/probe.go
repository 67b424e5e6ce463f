package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"strings"
	"unicode/utf16"
)

// signatures are what file systems, and what carries them, begin with. Those that
// carry others come first: inside there may be anything.
var signatures = []struct {
	fileSystem string
	offset     int
	magic      string
}{
	{"crypto_LUKS", 0, "LUKS\xba\xbe"},
	{"LVM2_member", 0, "LABELONE"}, {"LVM2_member", 512, "LABELONE"}, {"LVM2_member", 1024, "LABELONE"}, {"LVM2_member", 1536, "LABELONE"},
	{"linux_raid_member", 0, "\xfc\x4e\x2b\xa9"}, {"linux_raid_member", 4096, "\xfc\x4e\x2b\xa9"},
	{"swap", 4086, "SWAPSPACE2"},
	{"exfat", 3, "EXFAT   "},
	{"ntfs", 3, "NTFS    "},
	{"BitLocker", 3, "-FVE-FS-"},
	{"iso9660", 32769, "CD001"},
	{"ext4", 1080, "\x53\xef"},
	{"xfs", 0, "XFSB"},
	{"apfs", 32, "NXSB"},
	{"hfsplus", 1024, "H+\x00\x04"}, {"hfsplus", 1024, "HX\x00\x05"},
	{"btrfs", 65600, "_BHRfS_M"},
}

// probe tells a volume's file system and label, as udev calls it; empty if it
// cannot be known. It reads some hundred kilobytes at most, and trusts nothing.
func probe(r io.ReaderAt) (fileSystem, label string) {
	begin := make([]byte, 1<<17)
	n, _ := r.ReadAt(begin, 0)
	begin = begin[:n]
	for _, s := range signatures {
		if s.offset+len(s.magic) <= n && string(begin[s.offset:s.offset+len(s.magic)]) == s.magic {
			fileSystem = s.fileSystem
			break
		}
	}
	if n < bootSector || fileSystem != "" && fileSystem != "exfat" && fileSystem != "ntfs" && fileSystem != "ext4" && fileSystem != "iso9660" {
		return fileSystem, ""
	}
	switch fileSystem {
	case "exfat":
		return fileSystem, exfatLabel(r, begin)
	case "ntfs":
		return fileSystem, ntfsLabel(r, begin)
	case "ext4":
		return fileSystem, trimmed(begin[1144:1160])
	case "iso9660":
		return fileSystem, trimmed(begin[32808:32840])
	}
	if label, ok := fatLabel(r, begin); ok {
		return "vfat", label
	}
	return "", ""
}

const (
	bootSector = 512
	maxCluster = 1 << 16 // of a folder that is looked at, bytes
)

func trimmed(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.ToValidUTF8(strings.TrimRight(string(b), " "), "\uFFFD")
}

// sectorSize is how many bytes a sector has by a boot sector of FAT or NTFS; 0 if it
// cannot be.
func sectorSize(boot []byte) int64 {
	n := binary.LittleEndian.Uint16(boot[11:])
	if n < 512 || n > 4096 || bits.OnesCount16(n) != 1 {
		return 0
	}
	return int64(n)
}

// fatLabel takes a partition table, whose last bytes are those of a boot sector,
// for no FAT: that has a jump, and numbers that fit. The label is an entry of the
// root folder; the boot sector's is old as soon as somebody changes it.
func fatLabel(r io.ReaderAt, boot []byte) (label string, ok bool) {
	le := binary.LittleEndian
	sector, perCluster := sectorSize(boot), boot[13]
	jump := boot[0] == 0xeb && boot[2] == 0x90 || boot[0] == 0xe9
	if boot[510] != 0x55 || boot[511] != 0xaa || !jump || sector == 0 || bits.OnesCount8(perCluster) != 1 ||
		le.Uint16(boot[14:]) == 0 || boot[16] == 0 || boot[16] > 2 || boot[21] < 0xf0 {
		return "", false
	}
	reserved, fats := int64(le.Uint16(boot[14:])), int64(boot[16])
	size := int64(le.Uint16(boot[22:])) // of a FAT, sectors
	own, at, length := boot[43:54], (reserved+fats*size)*sector, int64(le.Uint16(boot[17:]))*32
	if size == 0 { // FAT32
		size = int64(le.Uint32(boot[36:]))
		cluster := int64(le.Uint32(boot[44:]))
		if size == 0 || cluster < 2 {
			return "", false
		}
		own, length = boot[71:82], sector*int64(perCluster)
		at = (reserved+fats*size)*sector + (cluster-2)*length
	}
	root := make([]byte, min(length, maxCluster))
	n, _ := r.ReadAt(root, at)
	for e := root[:n]; len(e) >= 32 && e[0] != 0; e = e[32:] {
		if attr := e[11]; e[0] != 0xe5 && attr&0x0f != 0x0f && attr&0x18 == 0x08 {
			return trimmed(e[:11]), true
		}
	}
	if label := trimmed(own); label != "NO NAME" {
		return label, true
	}
	return "", true
}

// exfatLabel finds the entry of the label in the first cluster of the root folder
// (exFAT specification, 3.1 and 7.3).
func exfatLabel(r io.ReaderAt, boot []byte) string {
	le := binary.LittleEndian
	heap, cluster, sector, perCluster := int64(le.Uint32(boot[88:])), int64(le.Uint32(boot[96:])), boot[108], boot[109]
	if sector < 9 || sector > 12 || perCluster > 25-sector || cluster < 2 {
		return ""
	}
	root := make([]byte, min(int64(1)<<(sector+perCluster), maxCluster))
	n, _ := r.ReadAt(root, heap<<sector+(cluster-2)<<(sector+perCluster))
	for e := root[:n]; len(e) >= 32 && e[0] != 0; e = e[32:] {
		if e[0] == 0x83 && e[1] <= 11 {
			return fromUTF16(e[2 : 2+2*int(e[1])])
		}
	}
	return ""
}

// ntfsLabel finds the attribute $VOLUME_NAME in the file $Volume, which is the
// fourth of the master file table.
func ntfsLabel(r io.ReaderAt, boot []byte) string {
	const volume, volumeName, end, most = 3, 0x60, 0xffffffff, 4096
	le := binary.LittleEndian
	sector := sectorSize(boot)
	cluster := sector * int64(boot[13])
	record := cluster * int64(boot[64])
	if n := int8(boot[64]); n < 0 { // a power of two
		record = 1 << min(-int(n), 16)
	}
	table := int64(le.Uint64(boot[48:]))
	if cluster == 0 || record < 512 || record > most || table < 0 || table > 1<<40 {
		return ""
	}
	b := make([]byte, record)
	if n, _ := r.ReadAt(b, table*cluster+volume*record); n < len(b) || string(b[:4]) != "FILE" {
		return ""
	}
	for at := int(le.Uint16(b[20:])); at+24 <= len(b); {
		a := b[at:]
		kind, length := le.Uint32(a), le.Uint32(a[4:])
		if kind == end || length < 24 || int64(length) > int64(len(a)) {
			break
		}
		size, offset := int64(le.Uint32(a[16:])), int64(le.Uint16(a[20:]))
		if kind == volumeName && a[8] == 0 && size <= 256 && offset+size <= int64(length) {
			return fromUTF16(a[offset : offset+size])
		}
		at += int(length)
	}
	return ""
}

func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
