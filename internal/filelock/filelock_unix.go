//go:build unix

package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a file, which is made if it is not there, and locks it.
func Open(path string) (*os.File, error) { return open(path, unix.O_NOFOLLOW) }

// Lock locks an open file, or says at once that another process has it.
func Lock(f *os.File) error {
	var err error
	for again := true; again; again = errors.Is(err, unix.EINTR) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err != nil {
		return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return nil
}
