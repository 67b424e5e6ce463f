// Package media finds the disks of this machine that are sticks, and takes one for
// this program alone, to be read and written past all caches.
package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Errors a caller decides on. Others are the system's.
var (
	// ErrBusy: another program, or another technician, has it.
	ErrBusy = errors.New("it is in use")
	// ErrReadOnly: it is write-protected.
	ErrReadOnly = errors.New("it is write-protected")
	// ErrGone: it was pulled out.
	ErrGone = errors.New("it is no longer there")
	// ErrAnother: where it was, there is another disk now.
	ErrAnother = errors.New("it is another disk than it was")
	// ErrRefused: nothing is ever written to it, see [Disk.Refusal].
	ErrRefused = errors.New("it is not taken")
	// ErrUnseen: the system does not tell what disks there are.
	ErrUnseen = errors.New("the disks of this machine cannot be seen")
	// ErrNotMounted: there is no folder in which its files are.
	ErrNotMounted = errors.New("it is not mounted")
)

// Disk is a whole disk: a stick, a card, or one that is none.
type Disk struct {
	Name       string   `json:"name"` // as the system calls it: sdb, disk4, PhysicalDrive2
	Path       string   `json:"path"` // of the whole disk: /dev/sdb, /dev/disk4, \\.\PhysicalDrive2
	Vendor     string   `json:"vendor,omitempty"`
	Model      string   `json:"model,omitempty"`
	Serial     string   `json:"serial,omitempty"` // of the stick, from its maker
	Bus        string   `json:"bus,omitempty"`    // usb, mmc, sata, …
	Port       string   `json:"port,omitempty"`   // the socket it is in, such as 1-4.2: the same for every stick put there
	Size       int64    `json:"size"`             // bytes
	SectorSize int      `json:"sectorSize"`       // bytes
	ReadOnly   bool     `json:"readOnly,omitempty"`
	Volumes    []Volume `json:"volumes,omitempty"`
	// Refusal says why nothing is ever written to it: it is no stick, or the
	// system is on it. Empty: it may be.
	Refusal string `json:"refusal,omitempty"`
	// Sequence tells it from what was in the socket before or comes after, on Linux:
	// sticks of one kind may all have one serial number. 0: unknown.
	Sequence uint64 `json:"-"`
}

// Volume is one file system on a disk, or the space for one.
type Volume struct {
	Path       string   `json:"path"` // of the partition, or of the disk if it has none
	Label      string   `json:"label,omitempty"`
	FileSystem string   `json:"fileSystem,omitempty"` // vfat, exfat, ntfs, …
	Size       int64    `json:"size"`                 // bytes
	Mounts     []string `json:"mounts,omitempty"`     // folders or drive letters
}

// List gives the disks of this machine, the sticks first, in the order of their
// sockets, then those that are refused. It errs where it cannot find out what the
// system itself runs from.
func List(ctx context.Context) ([]Disk, error) {
	disks, err := list(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ErrUnseen, err)
	}
	tellApart(disks)
	sortDisks(disks)
	return disks, nil
}

// tellApart gives the slots of a reader sockets of their own where the system says
// one of all, as Windows and macOS do.
func tellApart(disks []Disk) {
	in := make(map[string]int)
	for _, d := range disks {
		in[d.Port]++
	}
	for i := range disks {
		if d := &disks[i]; d.Port != "" && in[d.Port] > 1 {
			d.Port += ":" + d.Name
		}
	}
}

func sortDisks(disks []Disk) {
	slices.SortFunc(disks, func(a, b Disk) int {
		return cmp.Or(
			cmp.Compare(min(len(a.Refusal), 1), min(len(b.Refusal), 1)),
			byNumbers(a.Port, b.Port),
			cmp.Compare(len(a.Name), len(b.Name)), // sdz is before sdaa
			byNumbers(a.Name, b.Name))
	})
}

// byNumbers compares text in which numbers count as such: 1-4.2 is before 1-4.10.
func byNumbers(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingDigits(a), leadingDigits(b)
		if x == 0 || y == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, _ := strconv.ParseUint(a[:x], 10, 64)
		n, _ := strconv.ParseUint(b[:y], 10, 64)
		if m != n {
			return cmp.Compare(m, n)
		}
		a, b = a[x:], b[y:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// take is what every way to change a disk begins with.
func (d *Disk) take() error {
	if d.Refusal != "" {
		return fmt.Errorf("%s: %w: %s", d.Name, ErrRefused, d.Refusal)
	}
	return nil
}

// compare errs if what is there now is another disk than was listed. What a list
// did not tell is not compared.
func (d *Disk) compare(now *Disk) error {
	switch {
	case d.Sequence != 0 && d.Sequence != now.Sequence:
		return fmt.Errorf("%w: it was pulled out, or another was put in", ErrAnother)
	case d.Serial != "" && d.Serial != now.Serial:
		return fmt.Errorf("%w: serial number %q, not %q", ErrAnother, now.Serial, d.Serial)
	case d.Size != 0 && d.Size != now.Size:
		return fmt.Errorf("%w: %d bytes, not %d", ErrAnother, now.Size, d.Size)
	}
	return nil
}

// Mounts are the folders or drives in which the files of all its volumes are.
func (d *Disk) Mounts() (all []string) {
	for _, v := range d.Volumes {
		all = append(all, v.Mounts...)
	}
	return all
}
