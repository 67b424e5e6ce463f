package media

import (
	"fmt"
	"unsafe"
)

// Device is a disk that is open for this program alone. It is read and written
// past the caches of the system: what was read was on the stick.
//
// Offsets and lengths must be multiples of SectorSize. Memory from [Buffer] goes
// to the disk as it is; other memory is copied before. It may be used from several
// goroutines.
type Device struct {
	path       string
	size       int64
	sectorSize int
	file
}

// Size is the disk's, in bytes, as it says itself.
func (d *Device) Size() int64 { return d.size }

// SectorSize is the smallest unit of reading and writing, in bytes.
func (d *Device) SectorSize() int { return d.sectorSize }

// alignment is what memory must have to go to a disk without a copy, in bytes: a
// page, which is at least a sector.
const alignment = 4096

// Buffer makes memory that goes to a disk without a copy.
func Buffer(size int) []byte {
	b := make([]byte, size+alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (alignment - 1)
	return b[skip : skip+size : skip+size]
}

func aligned(b []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))&(alignment-1) == 0
}

// ReadAt reads what is on the disk now.
func (d *Device) ReadAt(p []byte, off int64) (int, error) {
	if err := d.check(p, off); err != nil {
		return 0, err
	}
	to := p
	if !aligned(p) {
		to = Buffer(len(p))
	}
	n, err := d.file.ReadAt(to, off)
	if !aligned(p) {
		copy(p, to[:n])
	}
	return n, d.explain(err)
}

// WriteAt writes to the disk itself, which may still hold it in memory of its own
// until Sync.
func (d *Device) WriteAt(p []byte, off int64) (int, error) {
	if err := d.check(p, off); err != nil {
		return 0, err
	}
	if !aligned(p) {
		p = append(Buffer(len(p))[:0], p...)
	}
	n, err := d.file.WriteAt(p, off)
	return n, d.explain(err)
}

// Sync has the disk itself keep what was written.
func (d *Device) Sync() error { return d.explain(d.file.Sync()) }

func (d *Device) check(p []byte, off int64) error {
	unit := int64(d.sectorSize)
	if off < 0 || off%unit != 0 || int64(len(p))%unit != 0 {
		return fmt.Errorf("%s: %d bytes at %d are no whole sectors of %d", d.path, len(p), off, unit)
	}
	return nil
}

func (d *Device) explain(err error) error {
	if err == nil {
		return nil
	}
	if known := known(d.path, err); known != nil {
		return fmt.Errorf("%s: %w: %w", d.path, known, err)
	}
	return err
}
