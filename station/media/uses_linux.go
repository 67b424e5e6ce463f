package media

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// uses is what the system does with a block device.
type uses struct {
	mounts []string // of its root
	others []string // of folders in it
	swap   bool
	images []string // loop devices made of files on it
}

// findUses notes with all block devices what is done with them.
func (s *system) findUses(blocks map[string]*block) error {
	mounts, err := s.readMounts()
	if err != nil {
		return err
	}
	byNumber := make(map[string]*block)
	for _, b := range blocks {
		byNumber[b.number] = b
	}
	for _, m := range mounts {
		for _, b := range s.mounted(m, blocks, byNumber) {
			where := &b.others
			if m.Root == "/" {
				where = &b.mounts
			}
			if !slices.Contains(*where, m.Mountpoint) {
				*where = append(*where, m.Mountpoint)
			}
		}
	}
	on := func(path string) []*block {
		if m := mountOf(path, mounts); m != nil {
			return s.mounted(m, blocks, byNumber)
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		b := blocks[name]
		for _, below := range on(attribute(b.dir, "loop/backing_file")) {
			below.images = append(below.images, b.name)
		}
	}
	swaps, err := s.readSwaps()
	if err != nil {
		return err
	}
	for _, path := range swaps {
		below := on(path)
		if b := s.named(path, blocks); b != nil {
			below = append(below, b)
		}
		for _, b := range below {
			b.swap = true
		}
	}
	return nil
}

func (s *system) readMounts() ([]*mountinfo.Info, error) {
	f, err := os.Open(s.mounts)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mountinfo.GetMountsFromReader(f, nil)
}

// readSwaps gives the files and devices that are swapped to (proc_swaps(5)).
func (s *system) readSwaps() (paths []string, err error) {
	f, err := os.Open(s.swaps)
	if errors.Is(err, fs.ErrNotExist) { // a kernel without
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the header
	for lines.Scan() {
		path, _, _ := strings.Cut(lines.Text(), " ")
		path, _, _ = strings.Cut(path, "\t")
		paths = append(paths, unescapeOctal(path))
	}
	return paths, lines.Err()
}

// unescapeOctal undoes what the kernel does to spaces and line breaks in paths.
func unescapeOctal(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(s)
}

// mounted gives the devices that a mounted file system is on. Those of btrfs,
// which may have several, have a number that is no device's.
func (s *system) mounted(m *mountinfo.Info, blocks, byNumber map[string]*block) []*block {
	if b := byNumber[fmt.Sprintf("%d:%d", m.Major, m.Minor)]; b != nil {
		return []*block{b}
	}
	b := s.named(m.Source, blocks)
	if b == nil {
		return nil
	}
	all := []*block{b}
	pools, _ := filepath.Glob(filepath.Join(s.sys, "fs/btrfs/*/devices", b.name))
	for _, pool := range pools {
		entries, _ := os.ReadDir(filepath.Dir(pool))
		for _, e := range entries {
			if other := blocks[e.Name()]; other != nil && other != b {
				all = append(all, other)
			}
		}
	}
	return all
}

// named finds a device by its path.
func (s *system) named(path string, blocks map[string]*block) *block {
	name, ok := strings.CutPrefix(path, "/dev/")
	if !ok {
		return nil
	}
	if b := blocks[strings.ReplaceAll(name, "/", "!")]; b != nil {
		return b
	}
	if mapped, ok := strings.CutPrefix(name, "mapper/"); ok {
		for _, b := range blocks {
			if attribute(b.dir, "dm/name") == mapped {
				return b
			}
		}
	}
	node, err := filepath.EvalSymlinks(filepath.Join(s.dev, name))
	if err != nil {
		return nil
	}
	return blocks[filepath.Base(node)]
}

// mountOf is the mount that a file is in: the last one of those that are nearest.
func mountOf(path string, mounts []*mountinfo.Info) (nearest *mountinfo.Info) {
	for _, m := range mounts {
		folder := strings.TrimSuffix(m.Mountpoint, "/")
		if strings.HasPrefix(path, folder+"/") && (nearest == nil || len(m.Mountpoint) >= len(nearest.Mountpoint)) {
			nearest = m
		}
	}
	return nearest
}
