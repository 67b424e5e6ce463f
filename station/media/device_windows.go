package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/windows"
)

// file is a disk, and its volumes, which nobody else may use meanwhile.
type file struct {
	disk    windows.Handle
	volumes []windows.Handle
	release func() error // of the claim
}

// known says which of ours an error of the system is, nil if none.
func known(_ string, err error) error {
	is := func(errs ...error) bool {
		return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(windows.ERROR_SHARING_VIOLATION, windows.ERROR_BUSY, windows.ERROR_LOCK_VIOLATION):
		return ErrBusy
	case is(windows.ERROR_WRITE_PROTECT):
		return ErrReadOnly
	case is(windows.ERROR_FILE_NOT_FOUND, windows.ERROR_NOT_READY, windows.ERROR_NO_SUCH_DEVICE, windows.ERROR_DEV_NOT_EXIST,
		windows.ERROR_MEDIA_CHANGED, windows.ERROR_NO_MEDIA_IN_DRIVE, windows.ERROR_DEVICE_NOT_CONNECTED, windows.ERROR_DEVICE_REMOVED):
		return ErrGone
	}
	return nil
}

// Open takes a disk: its volumes are locked and dismounted first, since Windows lets
// nobody write to where a volume is in use.
func (d *Disk) Open(ctx context.Context) (_ *Device, err error) {
	if err := d.take(); err != nil {
		return nil, err
	}
	device := &Device{path: d.Path}
	// A disk without volumes has nothing that can be locked.
	if device.release, err = claim("firstday-open-" + fileName(d.Name)); err != nil {
		return nil, device.explain(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, device.let())
		}
	}()
	if device.volumes, err = d.lock(ctx); err != nil {
		return nil, device.explain(err)
	}
	device.disk, err = open(d.Path, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_WRITE_THROUGH)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, fmt.Errorf("%s: only an administrator may write to whole disks: %w", d.Path, err)
	}
	if err != nil {
		return nil, device.explain(err)
	}
	now, err := describe(device.disk)
	switch {
	case err != nil:
		return nil, device.explain(err)
	case now.Size == 0:
		return nil, device.explain(windows.ERROR_NOT_READY)
	case now.ReadOnly:
		return nil, device.explain(windows.ERROR_WRITE_PROTECT)
	}
	// Where no serial number tells them apart, what is there now has to be a stick, too.
	now.Name = d.Name
	if err := errors.Join(d.compare(now), now.take()); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path, err)
	}
	device.size, device.sectorSize = now.Size, now.SectorSize
	return device, nil
}

// lock keeps all others from the volumes of a disk, and has the system forget
// what it knows of them.
func (d *Disk) lock(ctx context.Context) (handles []windows.Handle, err error) {
	defer func() {
		if err != nil {
			for _, h := range handles {
				_ = windows.CloseHandle(h)
			}
			handles = nil
		}
	}()
	list, err := volumesOf(d)
	if err != nil {
		return nil, err
	}
	for _, path := range list {
		h, err := open(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0)
		if err != nil {
			return handles, err
		}
		handles = append(handles, h)
		_ = windows.FlushFileBuffers(h) // a lock does so, too
		if err := lock(ctx, h); err != nil {
			return handles, err
		}
		if _, err := ask(h, dismountVolume, nil, 0); err != nil {
			return handles, err
		}
	}
	return handles, nil
}

// volumesOf looks again which volumes a disk has.
func volumesOf(d *Disk) (paths []string, err error) {
	all, err := volumes()
	for _, v := range all {
		if slices.ContainsFunc(v.extents, func(e extent) bool { return physicalDrive(e.Disk) == d.Name }) {
			paths = append(paths, v.Path)
		}
	}
	return paths, err
}

// lock tries for a little: scanners look at a stick that just came.
func lock(ctx context.Context, h windows.Handle) error {
	const patience, pause = 20, 100 * time.Millisecond
	for try := 0; ; try++ {
		_, err := ask(h, lockVolume, nil, 0)
		if err == nil || !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		if try == patience {
			return fmt.Errorf("%w: close what is open on it", ErrBusy)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// most is the largest piece that is read or written at once, in bytes.
const most = 32 << 20

func (f *file) ReadAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && err == nil {
		var n uint32
		err = windows.ReadFile(f.disk, p[done:min(len(p), done+most)], &n, at(off+int64(done)))
		if done += int(n); err == nil && n == 0 || errors.Is(err, windows.ERROR_HANDLE_EOF) || errors.Is(err, windows.ERROR_SECTOR_NOT_FOUND) {
			err = io.EOF
		}
	}
	return done, err
}

func (f *file) WriteAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && err == nil {
		var n uint32
		err = windows.WriteFile(f.disk, p[done:min(len(p), done+most)], &n, at(off+int64(done)))
		if done += int(n); err == nil && n == 0 {
			err = io.ErrShortWrite
		}
	}
	return done, err
}

func at(off int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(off), OffsetHigh: uint32(off >> 32)}
}

func (f *file) Sync() error { return windows.FlushFileBuffers(f.disk) }

// Close has Windows look for the volumes that are on the disk now.
func (f *file) Close() error {
	_, _ = ask(f.disk, updateProperties, nil, 0)
	return f.let()
}

// let lets go of all that is held. Locks end with their handles.
func (f *file) let() (err error) {
	if f.disk != 0 && f.disk != windows.InvalidHandle {
		err = windows.CloseHandle(f.disk)
	}
	for _, h := range f.volumes {
		err = errors.Join(err, windows.CloseHandle(h))
	}
	return errors.Join(err, f.release())
}

// Unmount has the system forget what it knows of the disk's volumes, which it finds
// again when somebody looks. It never forces: where a program has a file open, the
// error is [ErrBusy].
func (d *Disk) Unmount(ctx context.Context) error {
	if err := errors.Join(d.take(), d.same()); err != nil {
		return err
	}
	handles, err := d.lock(ctx)
	for _, h := range handles {
		err = errors.Join(err, windows.CloseHandle(h))
	}
	return (&Device{path: d.Path}).explain(err)
}

// same errs if the number of a disk that was pulled out went to another one.
func (d *Disk) same() error {
	h, err := open(d.Path, 0, 0)
	if err != nil {
		return (&Device{path: d.Path}).explain(err)
	}
	defer windows.CloseHandle(h) //nolint:errcheck // it was only looked at
	now, err := describe(h)
	if err == nil {
		err = d.compare(now)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	return nil
}

// Mount gives the folder with the files of a volume, which Windows mounts by itself.
func (v *Volume) Mount(context.Context) (folder string, unmounted func() error, err error) {
	if len(v.Mounts) == 0 {
		return "", nil, fmt.Errorf("%s: %w: give it a drive letter", v.Path, ErrNotMounted)
	}
	return v.Mounts[0], func() error { return nil }, nil
}

// Eject has the disk keep all that was written, and takes it from the system: it
// may be pulled out.
func (d *Disk) Eject(ctx context.Context) (err error) {
	if err := errors.Join(d.take(), d.same()); err != nil {
		return err
	}
	device := &Device{path: d.Path}
	volumes, err := d.lock(ctx)
	defer func() {
		for _, h := range volumes {
			err = errors.Join(err, windows.CloseHandle(h))
		}
	}()
	if err != nil {
		return device.explain(err)
	}
	if len(volumes) > 0 {
		_, err = ask(volumes[0], ejectMedia, nil, 0)
		return device.explain(err)
	}
	h, err := open(d.Path, windows.GENERIC_READ, 0)
	if err != nil {
		return device.explain(err)
	}
	_, err = ask(h, ejectMedia, nil, 0)
	return device.explain(errors.Join(err, windows.CloseHandle(h)))
}
