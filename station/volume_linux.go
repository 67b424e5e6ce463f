package station

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"firstday.dev/station/media"
)

// fileSystems are those that sticks come with, by their number in statfs(2).
var fileSystems = map[int64]string{
	unix.MSDOS_SUPER_MAGIC: "vfat", unix.EXFAT_SUPER_MAGIC: "exfat",
	0x5346544e: "ntfs", 0x7366746e: "ntfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	unix.ISOFS_SUPER_MAGIC: "iso9660", unix.UDF_SUPER_MAGIC: "udf", 0x482b: "hfsplus", 0x4244: "hfs",
}

func volumeOf(folder string) (v volume, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return v, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	v = volume{fileSystem: fileSystems[s.Type], free: int64(s.Bavail) * s.Bsize, block: s.Bsize, readOnly: s.Flags&unix.ST_RDONLY != 0}
	v.root, err = isMounted(folder)
	return v, err
}

// openUncached opens a file so that what is read comes from the stick, as far as
// the system lets it. The file was synced. It is read in whole pages.
func openUncached(root *os.Root, name string) (*os.File, string, error) {
	const flags = os.O_RDONLY | unix.O_NONBLOCK
	f, err := root.OpenFile(name, flags|unix.O_DIRECT, 0)
	if err == nil {
		// Some file systems refuse only when it is read.
		_, err = f.ReadAt(media.Buffer(4096), 0)
		if !errors.Is(err, unix.EINVAL) {
			return f, ReadPast, nil
		}
		f.Close()
	}
	if !errors.Is(err, unix.EINVAL) {
		return nil, "", err
	}
	if f, err = root.OpenFile(name, flags, 0); err != nil {
		return nil, "", err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return f, ReadDropped, nil
}
