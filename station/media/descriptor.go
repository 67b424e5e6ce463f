package media

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// What Windows says of disks and volumes is in records of winioctl.h. They are read
// here, where all systems try them: drivers fill them with what a stick says.

// descriptor is a STORAGE_DEVICE_DESCRIPTOR.
type descriptor struct {
	Vendor, Product, Serial string
	Bus                     string
	Removable               bool
}

// buses are the values of STORAGE_BUS_TYPE, from 1.
var buses = []string{"scsi", "atapi", "ata", "firewire", "ssa", "fibre", "usb", "raid", "iscsi", "sas", "sata", "sd", "mmc", "virtual", "image", "spaces", "nvme", "scm", "ufs"}

func parseDescriptor(b []byte) (d descriptor, ok bool) {
	const header = 36
	if len(b) < header {
		return descriptor{}, false
	}
	le := binary.LittleEndian
	if size := le.Uint32(b[4:]); int64(size) < int64(len(b)) {
		b = b[:max(size, header)]
	}
	d = descriptor{
		Removable: b[10] != 0,
		Vendor:    textAt(b, le.Uint32(b[12:])), Product: textAt(b, le.Uint32(b[16:])), Serial: textAt(b, le.Uint32(b[24:])),
		Bus: "another bus",
	}
	if n := le.Uint32(b[28:]); n >= 1 && int64(n) <= int64(len(buses)) {
		d.Bus = buses[n-1]
	}
	return d, true
}

// textAt reads the text at an offset, which is 0 or -1 if there is none.
func textAt(b []byte, offset uint32) string {
	if offset == 0 || int64(offset) >= int64(len(b)) {
		return ""
	}
	text, _, _ := bytes.Cut(b[offset:], []byte{0})
	return strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD"))
}

// extent is where a part of a volume is.
type extent struct {
	Disk   uint32
	Length int64
}

// parseExtents reads VOLUME_DISK_EXTENTS.
func parseExtents(b []byte) (list []extent) {
	const header, size, most = 8, 24, 256
	if len(b) < header {
		return nil
	}
	le := binary.LittleEndian
	n := min(le.Uint32(b), most)
	for b = b[header:]; n > 0 && len(b) >= size; b, n = b[size:], n-1 {
		if length := int64(le.Uint64(b[16:])); length >= 0 {
			list = append(list, extent{le.Uint32(b), length})
		}
	}
	return list
}

// parseGeometry reads DISK_GEOMETRY_EX.
func parseGeometry(b []byte) (size int64, sectorSize int, ok bool) {
	if len(b) < 32 {
		return 0, 0, false
	}
	le := binary.LittleEndian
	size, sectorSize = int64(le.Uint64(b[24:])), int(le.Uint32(b[20:]))
	return size, sectorSize, size >= 0 && sectorSize > 0 && sectorSize <= 1<<16
}

// instanceOf makes the name of a device of the path of its interface:
// \\?\usbstor#disk&ven_x#1234&0#{53f5…} is USBSTOR\DISK&VEN_X\1234&0.
func instanceOf(path string) string {
	path = strings.TrimPrefix(path, `\\?\`)
	if i := strings.LastIndex(path, "#{"); i >= 0 {
		path = path[:i]
	}
	return strings.ReplaceAll(path, "#", `\`)
}

// portOf makes the name of a socket of a location path of a USB device:
// PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(4)#USB(2) is 1400-4.2. It is empty if the path
// is no USB device's.
func portOf(path string) string {
	var controller string
	var sockets []string
	for part := range strings.SplitSeq(path, "#") {
		kind, value, _ := strings.Cut(strings.TrimSuffix(part, ")"), "(")
		switch kind {
		case "PCI":
			controller = value
		case "USB":
			sockets = append(sockets, value)
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	return controller + "-" + strings.Join(sockets, ".")
}

// pagefileDrives gives the drives in Windows' list of pagefiles, such as
// \??\C:\pagefile.sys.
func pagefileDrives(files []string) (drives []string) {
	for _, f := range files {
		f = strings.TrimPrefix(f, `\??\`)
		if len(f) >= 3 && f[1] == ':' && f[2] == '\\' {
			drives = append(drives, strings.ToUpper(f[:3]))
		}
	}
	return drives
}

// fileSystemOf gives the name that Linux has for a file system of Windows'.
func fileSystemOf(name string) string {
	switch name {
	case "FAT", "FAT32":
		return "vfat"
	}
	return strings.ToLower(name)
}

// refusalOfWindows says why a disk is none to be written to, by what it is.
func refusalOfWindows(d *Disk, removable bool) string {
	switch {
	case d.Bus == "virtual" || d.Bus == "image":
		return "it is a disk image"
	case d.Bus == "mmc":
		return "it is built into this machine"
	case d.Bus != "usb" && d.Bus != "sd":
		return "it is no stick: it is on " + d.Bus
	case !removable:
		return "it calls itself a fixed disk, as external SSDs and hard disks do"
	case d.Size == 0:
		return "there is nothing in it"
	}
	return ""
}
