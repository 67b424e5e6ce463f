//go:build unix

package station

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/filelock"
	"firstday.dev/station/media"
)

// claim takes a folder for this run alone, until it is closed.
func claim(root *os.Root) (*os.File, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	err = filelock.Lock(f)
	if errors.Is(err, filelock.ErrBusy) {
		err = media.ErrBusy
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// isMounted says whether a folder is the root of what is mounted there.
func isMounted(folder string) (bool, error) {
	var here, above unix.Stat_t
	if err := errors.Join(unix.Stat(folder, &here), unix.Stat(filepath.Join(folder, ".."), &above)); err != nil {
		return false, &os.PathError{Op: "stat", Path: folder, Err: err}
	}
	return here.Dev != above.Dev, nil
}

// syncFolder has the stick keep which files are in a folder.
func syncFolder(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems have no such thing
		return err
	}
	return nil
}
