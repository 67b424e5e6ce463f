package media

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"firstday.dev/internal/propertylist"
)

// What macOS says of disks is in property lists of its tools diskutil(8) and
// ioreg(8). They are read here, where all systems try them: a stick's names are in
// them.

// parseDiskutilList reads what "diskutil list -plist" says: the names of the whole
// disks, and of what is on each.
func parseDiskutilList(data []byte) (disks []string, partitions map[string][]string, err error) {
	var list struct {
		Disks []struct {
			Name       string `plist:"DeviceIdentifier"`
			Partitions []struct {
				Name string `plist:"DeviceIdentifier"`
			} `plist:"Partitions"`
		} `plist:"AllDisksAndPartitions"`
	}
	if err := propertylist.Unmarshal(data, &list); err != nil {
		return nil, nil, fmt.Errorf("reading the list of diskutil: %w", err)
	}
	partitions = make(map[string][]string)
	for _, d := range list.Disks {
		if !deviceName(d.Name) || slices.Contains(disks, d.Name) {
			continue
		}
		disks = append(disks, d.Name)
		for _, p := range d.Partitions {
			if deviceName(p.Name) {
				partitions[d.Name] = append(partitions[d.Name], p.Name)
			}
		}
	}
	return disks, partitions, nil
}

// deviceName: disk4 or disk4s1, to be said to tools and put behind /dev/.
func deviceName(s string) bool {
	rest, ok := strings.CutPrefix(s, "disk")
	return ok && rest != "" && strings.Trim(rest, "0123456789s") == "" && len(s) < 32
}

// diskInfo is what "diskutil info -plist" says of a disk or partition.
type diskInfo struct {
	Name       string `plist:"DeviceIdentifier"`
	Model      string `plist:"MediaName"`
	Bus        string `plist:"BusProtocol"`
	Content    string `plist:"Content"`
	FileSystem string `plist:"FilesystemType"`
	Label      string `plist:"VolumeName"`
	Mount      string `plist:"MountPoint"`
	Kind       string `plist:"VirtualOrPhysical"`
	Size       int64  `plist:"TotalSize"`
	OwnSize    int64  `plist:"Size"` // the same, where the other is missing
	SectorSize int64  `plist:"DeviceBlockSize"`
	Internal   bool   `plist:"Internal"`
	Removable  bool   `plist:"RemovableMedia"`
	Writable   bool   `plist:"WritableMedia"`
}

func parseDiskutilInfo(data []byte) (*diskInfo, error) {
	info := new(diskInfo)
	if err := propertylist.Unmarshal(data, info); err != nil {
		return nil, fmt.Errorf("reading what diskutil says of a disk: %w", err)
	}
	info.Size = cmp.Or(info.Size, info.OwnSize)
	if !deviceName(info.Name) || info.Size < 0 || info.SectorSize < 0 || info.SectorSize > 1<<16 {
		return nil, fmt.Errorf("diskutil says of a disk that it is %q, of %d bytes in sectors of %d", info.Name, info.Size, info.SectorSize)
	}
	return info, nil
}

func (i *diskInfo) volume() Volume {
	v := Volume{Path: "/dev/" + i.Name, Label: i.Label, FileSystem: i.FileSystem, Size: i.Size}
	if v.FileSystem == "msdos" {
		v.FileSystem = "vfat"
	}
	if i.Mount != "" {
		v.Mounts = []string{i.Mount}
	}
	return v
}

// diskOfMac puts together what is said of a disk, of its partitions, and of the USB
// device it is.
func diskOfMac(whole *diskInfo, partitions []*diskInfo, usb usbDevice) Disk {
	d := Disk{
		Name: whole.Name, Path: "/dev/" + whole.Name, Model: strings.TrimSpace(whole.Model), Bus: strings.ToLower(whole.Bus),
		Vendor: usb.Vendor, Serial: usb.Serial, Port: usb.port(),
		Size: whole.Size, SectorSize: int(whole.SectorSize), ReadOnly: !whole.Writable,
	}
	if whole.Bus == "Secure Digital" {
		d.Bus = "sd"
	}
	if len(partitions) == 0 && d.Size > 0 || whole.FileSystem != "" || whole.Mount != "" {
		d.Volumes = append(d.Volumes, whole.volume())
	}
	for _, p := range partitions {
		d.Volumes = append(d.Volumes, p.volume())
	}
	d.Refusal = refusalOfMac(whole, partitions)
	return d
}

func refusalOfMac(whole *diskInfo, partitions []*diskInfo) string {
	for _, p := range append([]*diskInfo{whole}, partitions...) {
		container := strings.HasPrefix(p.Content, "Apple_APFS") || p.Content == "Apple_CoreStorage" || strings.HasPrefix(p.Content, "Apple_RAID") || p.Content == "Apple_Boot"
		switch {
		case p.Mount != "" && !strings.HasPrefix(p.Mount, "/Volumes/"):
			return "the system runs from it"
		case container && whole.Internal && whole.Bus != "Secure Digital":
			return "it is built into this machine"
		case container:
			return "it holds a part of an APFS container or RAID"
		}
	}
	switch {
	case whole.Kind != "Physical" || whole.Bus == "Disk Image":
		return "it is a disk image"
	case whole.Bus == "Secure Digital" && whole.Removable: // readers are built in, cards are not
	case whole.Internal:
		return "it is built into this machine"
	case whole.Bus != "USB":
		return "it is no stick: it is on " + whole.Bus
	case !whole.Removable:
		return "it calls itself a fixed disk, as external SSDs and hard disks do"
	}
	if whole.Size == 0 {
		return "there is nothing in it"
	}
	return ""
}

// usbDevice is what ioreg says of one.
type usbDevice struct {
	Vendor, Serial string
	location       uint64 // of the bus, then a socket in each four bits
}

// parseIoreg reads what "ioreg -a -l -r -c IOUSBHostDevice" says: a tree for each
// device. It gives the device that each disk is in, by the disk's name.
func parseIoreg(data []byte) (map[string]usbDevice, error) {
	disks := make(map[string]usbDevice)
	if len(data) == 0 { // nothing is plugged in
		return disks, nil
	}
	var trees []any
	if err := propertylist.Unmarshal(data, &trees); err != nil {
		return nil, fmt.Errorf("reading what ioreg says of USB devices: %w", err)
	}
	for _, tree := range trees {
		findDisks(tree, usbDevice{}, disks)
	}
	return disks, nil
}

// findDisks goes through a tree, whose depth the reader of property lists has
// bounded. A hub is a USB device, too: the innermost counts.
func findDisks(tree any, in usbDevice, disks map[string]usbDevice) {
	node, ok := tree.(map[string]any)
	if !ok {
		return
	}
	if location, ok := node["locationID"].(uint64); ok && node["idVendor"] != nil {
		in = usbDevice{
			Vendor:   firstText(node, "USB Vendor Name", "kUSBVendorString"),
			Serial:   firstText(node, "USB Serial Number", "kUSBSerialNumberString"),
			location: location,
		}
	}
	if name, ok := node["BSD Name"].(string); ok && deviceName(name) && in.location != 0 {
		if before, known := disks[name]; !known || depth(in.location) > depth(before.location) {
			disks[name] = in
		}
	}
	children, _ := node["IORegistryEntryChildren"].([]any)
	for _, child := range children {
		findDisks(child, in, disks)
	}
}

func firstText(node map[string]any, keys ...string) string {
	for _, k := range keys {
		if s, ok := node[k].(string); ok && s != "" {
			return strings.TrimSpace(s)
		}
	}
	return ""
}

const sockets = 6 // digits of a location after those of the bus

// port names a socket as Linux does: 0x14420000 is 20-4.2.
func (u usbDevice) port() string {
	if u.location == 0 {
		return ""
	}
	var path []string
	for i := range depth(u.location) {
		path = append(path, fmt.Sprint(u.location>>(4*(sockets-1-i))&0xf))
	}
	return fmt.Sprintf("%d-%s", u.location>>(4*sockets), strings.Join(path, "."))
}

// depth is behind how many sockets a device is.
func depth(location uint64) int {
	for i := range sockets {
		if location>>(4*i)&0xf != 0 {
			return sockets - i
		}
	}
	return 0
}
