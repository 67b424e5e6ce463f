package station

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// largestCluster is that of FAT32, in bytes: Windows does not tell it of a folder.
const largestCluster = 64 << 10

func volumeOf(folder string) (v volume, err error) {
	fail := func(op string, err error) (volume, error) { return v, &os.PathError{Op: op, Path: folder, Err: err} }
	if folder, err = filepath.Abs(folder); err != nil {
		return v, err
	}
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return fail("GetVolumePathName", err)
	}
	root := make([]uint16, windows.MAX_LONG_PATH)
	if err := windows.GetVolumePathName(path, &root[0], uint32(len(root))); err != nil {
		return fail("GetVolumePathName", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return fail("GetDiskFreeSpaceEx", err)
	}
	var flags uint32
	name := make([]uint16, windows.MAX_PATH)
	if err := windows.GetVolumeInformation(&root[0], nil, 0, nil, nil, &flags, &name[0], uint32(len(name))); err != nil {
		return fail("GetVolumeInformation", err)
	}
	v = volume{fileSystem: strings.ToLower(windows.UTF16ToString(name)), free: int64(free), block: largestCluster, readOnly: flags&windows.FILE_READ_ONLY_VOLUME != 0}
	if strings.HasPrefix(v.fileSystem, "fat") {
		v.fileSystem = "vfat"
	}
	trim := func(s string) string { return strings.TrimRight(s, `\`) }
	v.root = strings.EqualFold(trim(windows.UTF16ToString(root)), trim(folder))
	return v, nil
}

// openUncached opens a file so that what is read comes from the stick. It is read
// in whole sectors.
func openUncached(root *os.Root, name string) (*os.File, string, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|windows.FILE_FLAG_NO_BUFFERING, 0)
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		f, err = root.Open(name)
		return f, ReadDropped, err
	}
	return f, ReadPast, err
}
