package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type file struct{ *os.File }

// Close has the kernel look for the partitions that are on the disk now. That it
// finds none, or is busy with them already, is no matter of what was written.
func (f file) Close() error {
	_, _ = unix.IoctlRetInt(int(f.Fd()), unix.BLKRRPART)
	return f.File.Close()
}

// known says which of ours an error of the system is, nil if none.
func known(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrBusy
	case errors.Is(err, unix.EROFS):
		return ErrReadOnly
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOMEDIUM), errors.Is(err, unix.ENOENT):
		return ErrGone
	case errors.Is(err, unix.EIO): // what is said of a disk without which the kernel has learned of it
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return ErrGone
		}
	}
	return nil
}

// Open takes a disk. While one of its volumes is mounted, or anything else is made
// of it, the kernel gives it to nobody: O_EXCL is a claim on a block device
// (open(2)).
func (d *Disk) Open(ctx context.Context) (*Device, error) {
	if err := d.take(); err != nil {
		return nil, err
	}
	f, err := openExclusively(ctx, d.Path)
	device := &Device{path: d.Path, file: file{f}}
	if err != nil {
		return nil, device.explain(err)
	}
	// Without the other Close: what is not ours is left alone.
	fail := func(err error) (*Device, error) { return nil, errors.Join(device.explain(err), f.Close()) }
	readOnly, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET)
	if err != nil {
		return fail(fmt.Errorf("%s is no disk: %w", d.Path, err))
	}
	if device.sectorSize, err = unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET); err != nil {
		return fail(err)
	}
	if device.size, err = f.Seek(0, io.SeekEnd); err != nil {
		return fail(err)
	}
	switch {
	case device.size == 0: // a reader without a card
		return fail(unix.ENOMEDIUM)
	case readOnly != 0:
		return fail(unix.EROFS)
	}
	if err := running.same(d, f, device.size); err != nil {
		return fail(err)
	}
	return device, nil
}

// same checks that what is open is the disk that was listed.
func (s *system) same(d *Disk, f *os.File, size int64) error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return err
	}
	now := &Disk{Size: size}
	if d.Sequence != 0 || d.Serial != "" { // it was listed: the kernel tells of it
		blocks, err := s.blocks()
		if err != nil {
			return err
		}
		number := fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
		for _, b := range blocks {
			if b.number == number {
				if now, err = s.disk(b, blocks); err != nil {
					return err
				}
			}
		}
	}
	return d.compare(now)
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
