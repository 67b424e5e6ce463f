// Package media finds the disks of this machine that are sticks, and takes one for
// this program alone, to be read and written past all caches.
package media

import "errors"

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
}

// Volume is one file system on a disk, or the space for one.
type Volume struct {
	Path       string   `json:"path"` // of the partition, or of the disk if it has none
	Label      string   `json:"label,omitempty"`
	FileSystem string   `json:"fileSystem,omitempty"` // vfat, exfat, ntfs, …
	Size       int64    `json:"size"`                 // bytes
	Mounts     []string `json:"mounts,omitempty"`     // folders or drive letters
}
