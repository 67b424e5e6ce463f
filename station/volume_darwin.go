package station

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func volumeOf(folder string) (v volume, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return v, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	v = volume{fileSystem: unix.ByteSliceToString(s.Fstypename[:]), free: int64(s.Bavail) * int64(s.Bsize), block: int64(s.Bsize), readOnly: s.Flags&unix.MNT_RDONLY != 0}
	if v.fileSystem == "msdos" {
		v.fileSystem = "vfat"
	}
	v.root, err = isMounted(folder)
	return v, err
}

// openUncached opens a file so that what is read comes from the stick, as far as
// the system lets it: pages that are in memory it may still give (fcntl(2)).
func openUncached(root *os.Root, name string) (*os.File, string, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_NOCACHE, 1); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return f, ReadDropped, nil
}
