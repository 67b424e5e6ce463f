package media

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// system is where Linux says what there is: folders and files of its kernel, and
// those in which udev keeps what it found out.
type system struct {
	sys, udev, mounts, swaps, dev string
}

var running = system{sys: "/sys", udev: "/run/udev/data", mounts: "/proc/self/mountinfo", swaps: "/proc/swaps", dev: "/dev"}

func list(ctx context.Context) ([]Disk, error) { return running.list(ctx) }

// block is a block device of the kernel: a disk, a partition, or what is made of
// these.
type block struct {
	name   string // sdb, sdb1, dm-0
	dir    string // in /sys/devices
	path   string // the same, from there
	number string // 8:16
	disk   string // of which it is a partition; else empty
	uses
}

func (s *system) list(ctx context.Context) ([]Disk, error) {
	blocks, err := s.blocks()
	if err != nil {
		return nil, err
	}
	if err := s.findUses(blocks); err != nil {
		return nil, err
	}
	var disks []Disk
	for _, b := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if b.disk == "" && worthNaming(b) {
			d, err := s.disk(b, blocks)
			if errors.Is(err, errVanished) {
				continue
			}
			if err != nil {
				return nil, err
			}
			disks = append(disks, *d)
		}
	}
	return disks, nil
}

// blocks reads what block devices there are. One that vanishes meanwhile is none.
func (s *system) blocks() (map[string]*block, error) {
	entries, err := os.ReadDir(filepath.Join(s.sys, "class/block"))
	if err != nil {
		return nil, err
	}
	blocks := make(map[string]*block)
	for _, e := range entries {
		dir, err := filepath.EvalSymlinks(filepath.Join(s.sys, "class/block", e.Name()))
		if err != nil {
			continue
		}
		b := &block{name: e.Name(), dir: dir, number: attribute(dir, "dev")}
		if b.number == "" {
			continue
		}
		_, b.path, _ = strings.Cut(dir, "/devices")
		if attribute(dir, "partition") != "" {
			b.disk = filepath.Base(filepath.Dir(dir))
		}
		blocks[b.name] = b
	}
	return blocks, nil
}

// attribute reads a file of sysfs, empty if there is none. A disk may say of
// itself what it likes.
func attribute(dir, name string) string {
	const most = 4096
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "\uFFFD"))
}

func number(dir, name string) int64 {
	n, err := strconv.ParseInt(attribute(dir, name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// worthNaming leaves out what is no disk for people: loop devices, memory, what is
// made of other disks, drives of CDs, and the parts of an eMMC that start machines.
func worthNaming(b *block) bool {
	const typeCD = "5"
	switch {
	case strings.HasPrefix(b.path, "/virtual/"), attribute(b.dir, "hidden") == "1", attribute(b.dir, "device/type") == typeCD:
		return false
	case strings.HasPrefix(b.name, "mmcblk"):
		return !strings.Contains(b.name, "boot") && !strings.Contains(b.name, "rpmb")
	}
	return !strings.HasPrefix(b.name, "fd")
}

// errVanished: the disk was pulled out while it was looked at.
var errVanished = errors.New("it vanished")

const kernelSector = 512 // in which sysfs counts, whatever the disk's are

// node is the path of a device. In names a ! stands for the / that is in the path.
func (s *system) node(b *block) string {
	return filepath.Join(s.dev, strings.ReplaceAll(b.name, "!", "/"))
}

func (s *system) disk(b *block, blocks map[string]*block) (*Disk, error) {
	d := &Disk{
		Name: b.name, Path: s.node(b),
		Vendor: attribute(b.dir, "device/vendor"), Model: attribute(b.dir, "device/model"),
		Serial: attribute(b.dir, "device/serial"),
		Size:   number(b.dir, "size") * kernelSector, SectorSize: int(number(b.dir, "queue/logical_block_size")),
		ReadOnly: attribute(b.dir, "ro") == "1",
	}
	d.Sequence, _ = strconv.ParseUint(attribute(b.dir, "diskseq"), 10, 64)
	if strings.HasPrefix(d.Vendor, "0x") { // of PCI or MMC, a number
		d.Vendor = ""
	}
	what := s.connection(d, b)
	d.Refusal = cmp.Or(inUse(b, blocks), what)
	d.Volumes = s.volumes(b, blocks, d.Refusal == "")
	if d.Refusal == "" {
		d.Refusal = isMember(d.Volumes)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "dev")); errors.Is(err, fs.ErrNotExist) {
		return nil, errVanished // with half of what was read above
	}
	return d, nil
}

// connection notes how a disk is connected, and says why that makes it none to be
// written to.
func (s *system) connection(d *Disk, b *block) (refusal string) {
	fixed := attribute(b.dir, "removable") != "1"
	builtIn := false
	if usb := s.usbParent(b.dir); usb != "" {
		d.Bus, d.Port, d.Serial = "usb", filepath.Base(usb), attribute(usb, "serial")
		if lun := lun(b.dir); lun != "0" { // readers of cards have several slots
			d.Port += ":" + lun
		}
		if d.Model == "" {
			d.Vendor, d.Model = attribute(usb, "manufacturer"), attribute(usb, "product")
		}
		builtIn = fixed && attribute(usb, "removable") == "fixed"
	} else if d.Bus = bus(b.path); d.Bus == "mmc" {
		d.Model = attribute(b.dir, "device/name")
		d.Port = filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(b.dir)))) // mmc0
		fixed = attribute(b.dir, "device/type") != "SD"
		builtIn = fixed // an eMMC
	}
	switch {
	case d.Bus != "usb" && d.Bus != "mmc":
		return "it is no stick: it is on " + d.Bus
	case builtIn:
		return "it is built into this machine"
	case fixed:
		return "it calls itself a fixed disk, as external SSDs and hard disks do"
	case d.Size == 0:
		return "there is nothing in it"
	}
	return ""
}

// usbParent is the folder of the USB device that a disk is, or is in; empty if it
// is none.
func (s *system) usbParent(dir string) string {
	for ; len(dir) > len(s.sys); dir = filepath.Dir(dir) {
		if attribute(dir, "idVendor") != "" {
			return dir
		}
	}
	return ""
}

// lun is the last number of a SCSI address, host:channel:target:lun, in whose
// folder the disk is.
func lun(dir string) string {
	address := filepath.Base(filepath.Dir(filepath.Dir(dir)))
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[i+1:]
	}
	return "0"
}

// bus says by what a disk that is no USB device is connected.
func bus(path string) string {
	for _, known := range []struct{ folder, bus string }{
		{"/mmc_host/", "mmc"}, {"/nvme", "nvme"}, {"/ata", "sata"}, {"/virtio", "virtio"}, {"/host", "scsi"},
	} {
		if strings.Contains(path, known.folder) {
			return known.bus
		}
	}
	return "another bus"
}
