package media

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// volumes gives the partitions of a disk, and the disk itself if a file system is
// all over it: an image of a CD that is copied to a stick is both. Where udev says
// nothing, it may look at the disk itself.
func (s *system) volumes(b *block, blocks map[string]*block, look bool) (list []Volume) {
	parts := partitions(b, blocks)
	whole := s.volume(b, look)
	if whole.Size > 0 && (len(parts) == 0 || whole.FileSystem != "" || len(whole.Mounts) > 0) {
		list = append(list, whole)
	}
	for _, part := range parts {
		list = append(list, s.volume(part, look))
	}
	return list
}

func (s *system) volume(b *block, look bool) Volume {
	v := Volume{Path: s.node(b), Size: number(b.dir, "size") * kernelSector, Mounts: b.mounts}
	if f, err := os.Open(filepath.Join(s.udev, "b"+b.number)); err == nil {
		v.FileSystem, v.Label = parseUdev(f)
		_ = f.Close()
	}
	if v.FileSystem == "" && look && v.Size > 0 {
		if f, err := os.Open(v.Path); err == nil {
			v.FileSystem, v.Label = probe(f)
			_ = f.Close()
		}
	}
	return v
}

// parseUdev reads what udev's file of a device says of its file system: lines such
// as E:ID_FS_TYPE=vfat. In the label it escapes what a shell might mind, as \x20.
func parseUdev(r io.Reader) (fileSystem, label string) {
	const most = 1 << 16
	b, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "E:ID_FS_TYPE":
			fileSystem = strings.ToValidUTF8(value, "\uFFFD")
		case "E:ID_FS_LABEL_ENC":
			label = strings.ToValidUTF8(unescapeHex(value), "\uFFFD")
		}
	}
	return fileSystem, label
}

func unescapeHex(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if len(after) >= 2 {
			if c, err := strconv.ParseUint(after[:2], 16, 8); err == nil {
				b.WriteByte(byte(c))
				s = after[2:]
				continue
			}
		}
		b.WriteString(`\x`)
		s = after
	}
}
