package media

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"firstday.dev/internal/testtool"
)

// fatVolume begins one with clusters of a sector, and the label as an entry of its
// root folder.
func fatVolume(bits int, label string) []byte {
	b := make([]byte, 40*512)
	le := binary.LittleEndian
	copy(b, "\xeb\x58\x90mkfs.fat")
	le.PutUint16(b[11:], 512)
	b[13], b[16], b[21] = 1, 2, 0xf8
	le.PutUint16(b[14:], 2) // reserved
	own, root := b[43:54], 2+2*4
	if bits == 32 {
		le.PutUint32(b[36:], 4) // sectors of a FAT
		le.PutUint32(b[44:], 5) // cluster of the root
		own, root = b[71:82], root+3
	} else {
		le.PutUint16(b[17:], 16) // entries of the root
		le.PutUint16(b[22:], 4)
	}
	copy(own, "NO NAME    ")
	copy(b[510:], "\x55\xaa")
	entries := b[root*512:]
	copy(entries, "\xe5LD LABEL  \x08") // removed
	copy(entries[32:], "\x41L\x00o\x00n\x00g\x00\x00\x00\x0f")
	copy(entries[64:], "FILE       \x20")
	if label != "" {
		copy(entries[96:], label+"           "[len(label):]+"\x08")
	}
	return b
}

func exfatVolume(label string) []byte {
	b := make([]byte, 40*512)
	le := binary.LittleEndian
	copy(b, "\xeb\x76\x90EXFAT   ")
	le.PutUint32(b[88:], 20) // sector of the first cluster
	le.PutUint32(b[96:], 4)  // cluster of the root
	b[108], b[109] = 9, 1    // sectors of 512 bytes, two in a cluster
	root := b[(20+2*2)*512:]
	root[0] = 0x81
	root[32], root[33] = 0x83, byte(len(utf16.Encode([]rune(label))))
	for i, u := range utf16.Encode([]rune(label)) {
		le.PutUint16(root[34+2*i:], u)
	}
	return b
}

func ntfsVolume(label string) []byte {
	b := make([]byte, 40*512)
	le := binary.LittleEndian
	copy(b, "\xeb\x52\x90NTFS    ")
	le.PutUint16(b[11:], 512)
	b[13], b[64] = 2, 0xf6 // two sectors in a cluster; records of 1 << 10 bytes
	le.PutUint64(b[48:], 5)
	record := b[5*1024+3*1024:]
	copy(record, "FILE")
	le.PutUint16(record[20:], 56)
	le.PutUint32(record[56:], 0x30)
	le.PutUint32(record[60:], 32)
	name := record[88:]
	le.PutUint32(name, 0x60)
	le.PutUint32(name[4:], 24+2*uint32(len(label)))
	le.PutUint32(name[16:], 2*uint32(len(label)))
	le.PutUint16(name[20:], 24)
	for i, c := range []byte(label) {
		name[24+2*i] = c
	}
	return b
}

func with(offset int, magic string) []byte {
	b := make([]byte, 1<<17)
	copy(b[offset:], magic)
	return b
}

func TestProbe(t *testing.T) {
	table := with(510, "\x55\xaa")
	cut := ntfsVolume("WINDOWS")
	for _, c := range []struct {
		name              string
		volume            []byte
		fileSystem, label string
	}{
		{"nothing", nil, "", ""},
		{"a short one", []byte("LUKS"), "", ""},
		{"zeros", make([]byte, 1<<17), "", ""},
		{"a partition table", table, "", ""},
		{"FAT16", fatVolume(16, "ACME"), "vfat", "ACME"},
		{"FAT32", fatVolume(32, "FIRST DAY"), "vfat", "FIRST DAY"},
		{"FAT32 without a label", fatVolume(32, ""), "vfat", ""},
		{"FAT with a label in a code page", fatVolume(16, "M\x9aLLER"), "vfat", "M\uFFFDLLER"},
		{"FAT that ends before its root", fatVolume(32, "ACME")[:512], "vfat", ""},
		{"exFAT", exfatVolume("Müller"), "exfat", "Müller"},
		{"exFAT that ends before its root", exfatVolume("Müller")[:600], "exfat", ""},
		{"NTFS", ntfsVolume("WINDOWS"), "ntfs", "WINDOWS"},
		{"NTFS that ends in its table", cut[:8*1024+100], "ntfs", ""},
		{"LUKS", with(0, "LUKS\xba\xbe"), "crypto_LUKS", ""},
		{"LVM", with(512, "LABELONE"), "LVM2_member", ""},
		{"RAID", with(4096, "\xfc\x4e\x2b\xa9"), "linux_raid_member", ""},
		{"swap", with(4086, "SWAPSPACE2"), "swap", ""},
		{"a CD", with(32768, "\x01CD001\x01\x00"+"LINUX                           Debian 12                       "), "iso9660", "Debian 12"},
		{"ext4 that ends before its label", with(1080, "\x53\xef")[:1100], "ext4", ""},
		{"ext4 with a label", bytes.Join([][]byte{with(1080, "\x53\xef")[:1144], []byte("backup\x00"), make([]byte, 512)}, nil), "ext4", "backup"},
	} {
		fileSystem, label := probe(bytes.NewReader(c.volume))
		if fileSystem != c.fileSystem || label != c.label {
			t.Errorf("%s: %q, %q; want %q, %q", c.name, fileSystem, label, c.fileSystem, c.label)
		}
	}
}

// What tools make is known for what it is.
func TestProbeOfTools(t *testing.T) {
	fat, ext := testtool.Need(t, "mkfs.fat", "/usr/sbin/mkfs.fat"), testtool.Need(t, "mkfs.ext4", "/usr/sbin/mkfs.ext4")
	for _, c := range []struct {
		command           []string
		fileSystem, label string
	}{
		{[]string{fat, "-F", "32", "-n", "FIRST DAY"}, "vfat", "FIRST DAY"},
		{[]string{fat, "-F", "16"}, "vfat", ""},
		{[]string{fat, "-F", "12", "-S", "4096", "-n", "LARGE"}, "vfat", "LARGE"},
		{[]string{ext, "-q", "-L", "Müller"}, "ext4", "Müller"},
	} {
		path := filepath.Join(t.TempDir(), "volume")
		f, err := os.Create(path)
		if err == nil {
			err = f.Truncate(64 << 20)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if out, err := exec.Command(c.command[0], append(c.command[1:], path)...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", c.command, err, out)
		}
		if fileSystem, label := probe(f); fileSystem != c.fileSystem || label != c.label {
			t.Errorf("%q: %q, %q", c.command, fileSystem, label)
		}
	}
}

func FuzzProbe(f *testing.F) {
	for _, seed := range [][]byte{fatVolume(16, "A"), fatVolume(32, "A"), exfatVolume("A"), ntfsVolume("A"), with(0, "LUKS\xba\xbe"), {}} {
		f.Add(seed[:min(len(seed), 20<<10)])
	}
	f.Fuzz(func(t *testing.T, volume []byte) {
		fileSystem, label := probe(bytes.NewReader(volume))
		if fileSystem == "" && label != "" || len(label) > 3*256 {
			t.Errorf("%q, %q", fileSystem, label)
		}
	})
}
