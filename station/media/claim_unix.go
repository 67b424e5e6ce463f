//go:build unix

package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/filelock"
)

// shared is the folder that all users have in common, wherever their own
// temporary files are.
var shared = "/tmp"

// claim locks a file in the common folder. The disk's own node would be no place to
// meet: not everybody who may write to a mounted stick may open it. The file stays,
// since one that is taken away could be locked twice.
func claim(name string) (release func() error, err error) {
	path := filepath.Join(shared, name+".lock")
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (func() error, error) { return nil, errors.Join(err, f.Close()) }
	err = filelock.Lock(f)
	if errors.Is(err, filelock.ErrBusy) {
		err = ErrBusy
	}
	if err != nil {
		return fail(err)
	}
	mine, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(mine, now) {
		return fail(fmt.Errorf("%w: %s was taken away meanwhile", ErrBusy, path))
	}
	return f.Close, nil
}

// openLock opens a file that anybody may have made, or makes it. Nothing is ever
// written to it, and it is followed nowhere.
func openLock(path string) (*os.File, error) {
	const flags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	// Kernels keep root, too, from files of others here if it would make them.
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			err = f.Chmod(0o644) // whatever the umask
		} else if errors.Is(err, fs.ErrExist) { // another was faster
			f, err = os.OpenFile(path, flags, 0)
		}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file: it is in the way", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
