package media

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type file struct{ *os.File }

// known says which of ours an error of the system is, nil if none.
func known(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrBusy
	case errors.Is(err, unix.EROFS):
		return ErrReadOnly
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOMEDIUM):
		return ErrGone
	}
	return nil
}

// Open takes a disk. While one of its volumes is mounted the kernel gives it to
// nobody: O_EXCL is a claim on a block device (open(2)).
func (d *Disk) Open(ctx context.Context) (*Device, error) {
	f, err := openExclusively(ctx, d.Path)
	device := &Device{path: d.Path, file: file{f}}
	if err != nil {
		return nil, device.explain(err)
	}
	fail := func(err error) (*Device, error) { return nil, errors.Join(device.explain(err), f.Close()) }
	readOnly, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET)
	if err != nil {
		return fail(err)
	}
	if readOnly != 0 {
		return fail(unix.EROFS)
	}
	if device.sectorSize, err = unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET); err != nil {
		return fail(err)
	}
	if device.size, err = f.Seek(0, 2); err != nil {
		return fail(err)
	}
	return device, nil
}

// openExclusively tries for a little: udev looks at a disk that just came.
func openExclusively(ctx context.Context, path string) (*os.File, error) {
	const patience, pause = 20, 100 * time.Millisecond
	for try := 0; ; try++ {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_EXCL|unix.O_DIRECT|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EBUSY) || try == patience {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
