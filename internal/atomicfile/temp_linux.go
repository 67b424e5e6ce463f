package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// createTemp prefers a file without any name (O_TMPFILE): even a process that
// is killed outright then leaves nothing behind. File systems without it get
// a hidden named file.
func createTemp(path string, perm fs.FileMode) (*os.File, error) {
	dir := filepath.Dir(path)
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, perm)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		return createNamed(path, perm)
	default:
		return nil, &fs.PathError{Op: "create", Path: path, Err: errors.Unwrap(err)}
	}
}

// isNameless tells whether f came from O_TMPFILE: such a file was opened
// under its folder's name.
func isNameless(f *os.File, target string) bool { return f.Name() == filepath.Dir(target) }

func publish(f *os.File, target string) error {
	if !isNameless(f, target) {
		return publishNamed(f, target)
	}
	defer f.Close()
	// linkat does not replace an existing file, rename does: give the file a
	// temporary name for the blink between the two.
	temp := tempName(target)
	fd := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if err := unix.Linkat(unix.AT_FDCWD, fd, unix.AT_FDCWD, temp, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: fd, New: temp, Err: err}
	}
	if err := os.Rename(temp, target); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

func discard(f *os.File, target string) error {
	if isNameless(f, target) {
		return f.Close()
	}
	return discardNamed(f)
}

// exchange swaps temp and target in one step where the file system can, and
// returns where the old target is now: "" if there was none.
func exchange(temp, target string) (old string, err error) {
	err = unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, target, unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return temp, nil
	case errors.Is(err, unix.ENOENT):
		return "", os.Rename(temp, target)
	default: // FAT, NFS and others know no exchange
		return swapByRename(temp, target)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
