package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Control codes of sys/disk.h.
const (
	getBlockSize     = 0x40046418 // DKIOCGETBLOCKSIZE
	getBlockCount    = 0x40086419 // DKIOCGETBLOCKCOUNT
	synchronizeCache = 0x20006416 // DKIOCSYNCHRONIZECACHE
	isWritable       = 0x4004641d // DKIOCISWRITABLE
)

// file is the raw device of a disk. When it is closed macOS looks by itself for the
// volumes that are on it now.
type file struct{ *os.File }

// Sync asks the disk itself; what is written to a raw device is nowhere else.
func (f file) Sync() error {
	return unix.IoctlSetInt(int(f.Fd()), synchronizeCache, 0)
}

// known says which of ours an error of the system is, nil if none.
func known(_ string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EWOULDBLOCK):
		return ErrBusy
	case errors.Is(err, unix.EROFS):
		return ErrReadOnly
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return ErrGone
	}
	return nil
}

// Open takes a disk. Its volumes are unmounted first: macOS mounts what it sees, and
// nobody asked it to.
func (d *Disk) Open(ctx context.Context) (*Device, error) {
	if err := d.Unmount(ctx); err != nil {
		return nil, err
	}
	device := &Device{path: d.Path}
	raw := strings.Replace(d.Path, "/dev/disk", "/dev/rdisk", 1)
	f, err := os.OpenFile(raw, os.O_RDWR|unix.O_EXLOCK|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, device.explain(err)
	}
	device.file = file{f}
	fail := func(err error) (*Device, error) { return nil, errors.Join(device.explain(err), f.Close()) }
	writable, err := unix.IoctlGetInt(int(f.Fd()), isWritable)
	if err != nil {
		return fail(fmt.Errorf("%s is no disk: %w", d.Path, err))
	}
	if device.sectorSize, err = unix.IoctlGetInt(int(f.Fd()), getBlockSize); err != nil {
		return fail(err)
	}
	sectors, err := unix.IoctlGetInt(int(f.Fd()), getBlockCount)
	if err != nil {
		return fail(err)
	}
	device.size = int64(sectors) * int64(device.sectorSize)
	switch {
	case device.size == 0:
		return fail(unix.ENXIO)
	case writable == 0:
		return fail(unix.EROFS)
	case d.Size != 0 && device.size != d.Size:
		return fail(fmt.Errorf("%w: %d bytes, not %d", ErrAnother, device.size, d.Size))
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_NOCACHE, 1); err != nil {
		return fail(err)
	}
	if err := d.refresh(ctx); err != nil {
		return fail(err)
	}
	return device, nil
}

// Unmount lets go of all folders in which files of the disk are. It never forces:
// where a program has a file open, the error is [ErrBusy].
func (d *Disk) Unmount(ctx context.Context) error {
	return d.diskutil(ctx, "unmountDisk")
}

// Eject has the disk keep all that was written, and takes it from the system: it
// may be pulled out.
func (d *Disk) Eject(ctx context.Context) error {
	return d.diskutil(ctx, "eject")
}

// diskutil has the disk that was listed treated, and no other.
func (d *Disk) diskutil(ctx context.Context, what string) error {
	if err := d.take(); err != nil {
		return err
	}
	if err := d.refresh(ctx); err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	_, err := tell(ctx, diskutilPath, what, d.Path)
	return err
}

// Mount gives the folder with the files of a volume, which macOS mounts by itself.
func (v *Volume) Mount(context.Context) (folder string, unmounted func() error, err error) {
	if len(v.Mounts) == 0 {
		return "", nil, fmt.Errorf("%s: %w: diskutil mount %s", v.Path, ErrNotMounted, strings.TrimPrefix(v.Path, "/dev/"))
	}
	return v.Mounts[0], func() error { return nil }, nil
}
