package wim

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// copyRange copies part of a file. Where both are files of one file system,
// the kernel does it, and shares the blocks instead where they can be shared:
// copy_file_range clones them itself if the file system knows how and the range
// is one of whole blocks.
func copyRange(out io.WriterAt, in *os.File, from, to, size int64) error {
	done := int64(0)
	if file, ok := out.(syscall.Conn); ok {
		var err error
		if done, err = copyInKernel(file, in, from, to, size); err != nil {
			return err
		}
	}
	if done == size {
		return nil
	}
	return copyBytes(out, in, from+done, to+done, size-done)
}

// copyInKernel tells how much it could copy, which may be nothing.
func copyInKernel(out syscall.Conn, in *os.File, from, to, size int64) (done int64, err error) {
	dst, err := out.SyscallConn()
	if err != nil {
		return 0, nil //nolint:nilerr // no file of the system: its bytes can be written nevertheless
	}
	src, err := in.SyscallConn()
	if err != nil {
		return 0, err
	}
	use := func(r, w uintptr) error {
		for done < size {
			n, err := unix.CopyFileRange(int(r), &from, int(w), &to, int(min(size-done, 1<<30)), 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n == 0 || err != nil {
				return err
			}
			done += int64(n)
		}
		return nil
	}
	var failed error
	err = src.Control(func(r uintptr) {
		err := dst.Control(func(w uintptr) { failed = use(r, w) })
		failed = errors.Join(failed, err)
	})
	if err := errors.Join(err, failed); err != nil && !notHere(err) {
		return done, err
	}
	return done, nil
}

// notHere says whether an error means only that the kernel cannot do it, or not
// between these two files.
func notHere(err error) bool {
	for _, no := range []error{unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM, unix.EBADF} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
