package media

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// inUse says what the system does with a disk, if that is a reason not to write to
// it.
func inUse(b *block, blocks map[string]*block) string {
	parts := stack(b, blocks)
	for _, part := range parts {
		if slices.ContainsFunc(part.all(), ofSystem) {
			return "the system runs from it"
		}
	}
	for _, part := range parts {
		elsewhere := slices.IndexFunc(part.all(), func(folder string) bool { return !forSticks(folder) })
		switch {
		case part.swap:
			return "the system swaps to it"
		case len(part.images) > 0:
			return fmt.Sprintf("a disk image on it is in use, as %s", part.images[0])
		case elsewhere >= 0:
			return fmt.Sprintf("it is mounted at %s, where sticks are not", part.all()[elsewhere])
		case part != b && part.disk != b.name:
			return fmt.Sprintf("it is part of %s, which is in use", part.label())
		}
	}
	return ""
}

func (u *uses) all() []string { return slices.Concat(u.mounts, u.others) }

// label is the name of what a disk is a part of, which its maker gave it if it has
// one.
func (b *block) label() string {
	if name := attribute(b.dir, "dm/name"); name != "" {
		return name
	}
	return b.name
}

// stack gives a disk, its partitions, and all that is made of these: volumes of
// LVM, what LUKS has opened, RAIDs.
func stack(b *block, blocks map[string]*block) []*block {
	all := []*block{b}
	for i := 0; i < len(all); i++ {
		above := partitions(all[i], blocks) // a RAID has some, too
		holders, _ := os.ReadDir(filepath.Join(all[i].dir, "holders"))
		for _, h := range holders {
			holder := blocks[h.Name()]
			if holder == nil { // it came after the others were looked at
				holder = &block{name: h.Name(), dir: filepath.Join(all[i].dir, "holders", h.Name())}
			}
			above = append(above, holder)
		}
		for _, a := range above {
			if !slices.ContainsFunc(all, func(known *block) bool { return known.name == a.name }) {
				all = append(all, a)
			}
		}
	}
	return all
}

func partitions(b *block, blocks map[string]*block) (parts []*block) {
	for _, part := range blocks {
		if part.disk == b.name {
			parts = append(parts, part)
		}
	}
	slices.SortFunc(parts, func(x, y *block) int { return byNumbers(x.name, y.name) })
	return parts
}

// systemFolders are where systems have their own disks.
var systemFolders = []string{
	"/", "/boot", "/boot/efi", "/efi", "/home", "/usr", "/var", "/etc", "/opt", "/srv", "/root", "/tmp", "/nix", "/nix/store",
}

// liveFolders are where systems have the stick that they run from.
var liveFolders = []string{"/cdrom", "/run/live", "/run/initramfs", "/run/archiso", "/lib/live", "/usr/lib/live", "/sysroot"}

func ofSystem(folder string) bool {
	return slices.Contains(systemFolders, folder) || slices.ContainsFunc(liveFolders, func(live string) bool { return within(folder, live) })
}

// forSticks: people, and what mounts sticks for them, do so there.
func forSticks(folder string) bool {
	return within(folder, "/media") || within(folder, "/run/media") || within(folder, "/mnt") || strings.HasPrefix(folder, privateFolders())
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

// privateFolders is what paths of those that [Volume.Mount] makes begin with.
func privateFolders() string { return filepath.Join(os.TempDir(), "firstday-stick-") }

// members are what is a part of something larger.
var members = map[string]string{
	"crypto_LUKS": "an encrypted volume", "BitLocker": "an encrypted volume",
	"LVM2_member": "a part of a volume group", "linux_raid_member": "a part of a RAID",
	"zfs_member": "a part of a ZFS pool", "bcache": "a part of a cache", "swap": "swap space", "ddf_raid_member": "a part of a RAID",
	"isw_raid_member": "a part of a RAID", "drbd": "a part of a cluster", "ceph_bluestore": "a part of a cluster",
}

// isMember says why volumes such as these are not overwritten: nobody sees at a
// glance what is in them.
func isMember(volumes []Volume) string {
	for _, v := range volumes {
		if what := members[v.FileSystem]; what != "" {
			return "it holds " + what
		}
	}
	return ""
}
