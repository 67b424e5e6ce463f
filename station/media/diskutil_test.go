package media

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The lists are written by hand, in the form that diskutil(8) and ioreg(8) have.

const plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`

const macList = plistHead + `<dict>
	<key>AllDisks</key><array><string>disk4</string><string>disk4s1</string></array>
	<key>AllDisksAndPartitions</key>
	<array>
		<dict>
			<key>Content</key><string>FDisk_partition_scheme</string>
			<key>DeviceIdentifier</key><string>disk4</string>
			<key>OSInternal</key><false/>
			<key>Partitions</key>
			<array>
				<dict>
					<key>Content</key><string>DOS_FAT_32</string>
					<key>DeviceIdentifier</key><string>disk4s1</string>
					<key>MountPoint</key><string>/Volumes/FIRSTDAY</string>
					<key>Size</key><integer>16004415488</integer>
					<key>VolumeName</key><string>FIRSTDAY</string>
				</dict>
				<dict><key>DeviceIdentifier</key><string>-f</string></dict>
			</array>
			<key>Size</key><integer>16005464064</integer>
		</dict>
		<dict><key>DeviceIdentifier</key><string>disk5</string></dict>
		<dict><key>DeviceIdentifier</key><string>disk5</string></dict>
		<dict><key>DeviceIdentifier</key><string>../etc/passwd</string></dict>
	</array>
	<key>WholeDisks</key><array><string>disk4</string></array>
</dict>
</plist>`

func macInfo(lines ...string) string {
	return plistHead + "<dict>\n<key>Unknown</key><array/>\n" + strings.Join(lines, "\n") + "\n</dict></plist>"
}

func key(k string, v any) string {
	switch v := v.(type) {
	case bool:
		return fmt.Sprintf("<key>%s</key><%v/>", k, v)
	case int:
		return fmt.Sprintf("<key>%s</key><integer>%d</integer>", k, v)
	}
	return fmt.Sprintf("<key>%s</key><string>%v</string>", k, v)
}

func TestParseDiskutilList(t *testing.T) {
	disks, partitions, err := parseDiskutilList([]byte(macList))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"disk4", "disk5"}, disks); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"disk4": {"disk4s1"}}, partitions); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "bplist00", "<plist>", plistHead + "<array/></plist>"} {
		if _, _, err := parseDiskutilList([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func readInfo(t *testing.T, lines ...string) *diskInfo {
	t.Helper()
	info, err := parseDiskutilInfo([]byte(macInfo(lines...)))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestDiskOfMac(t *testing.T) {
	whole := readInfo(t, key("DeviceIdentifier", "disk4"), key("MediaName", "Ultra "), key("BusProtocol", "USB"), key("Content", "FDisk_partition_scheme"),
		key("VirtualOrPhysical", "Physical"), key("TotalSize", 16005464064), key("DeviceBlockSize", 512), key("Internal", false), key("RemovableMedia", true),
		key("WritableMedia", true), key("MountPoint", ""), key("FilesystemType", ""))
	part := readInfo(t, key("DeviceIdentifier", "disk4s1"), key("Content", "DOS_FAT_32"), key("FilesystemType", "msdos"), key("VolumeName", "FIRST &amp; DAY"),
		key("MountPoint", "/Volumes/FIRST &amp; DAY"), key("Size", 16004415488), key("DeviceBlockSize", 512))
	want := Disk{
		Name: "disk4", Path: "/dev/disk4", Vendor: "SanDisk", Model: "Ultra", Serial: "4C53", Bus: "usb", Port: "20-4.2", Size: 16005464064, SectorSize: 512,
		Volumes: []Volume{{Path: "/dev/disk4s1", Label: "FIRST & DAY", FileSystem: "vfat", Size: 16004415488, Mounts: []string{"/Volumes/FIRST & DAY"}}},
	}
	if diff := cmp.Diff(want, diskOfMac(whole, []*diskInfo{part}, usbDevice{"SanDisk", "4C53", 0x14420000})); diff != "" {
		t.Error(diff)
	}
	if d := diskOfMac(whole, nil, usbDevice{}); len(d.Volumes) != 1 || d.Volumes[0].Path != "/dev/disk4" || d.Port != "" {
		t.Errorf("without a partition table: %+v", d)
	}
	for _, bad := range []string{"", macInfo(), macInfo(key("DeviceIdentifier", "disk4"), key("TotalSize", -1)), macInfo(key("DeviceIdentifier", "disk4;rm")), macInfo(key("DeviceIdentifier", "disk4"), key("DeviceBlockSize", 1<<20))} {
		if _, err := parseDiskutilInfo([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestRefusalOfMac(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(whole, part *diskInfo)
		want   string
	}{
		{"a stick", func(_, _ *diskInfo) {}, ""},
		{"a card in the reader of the Mac", func(w, _ *diskInfo) { w.Internal, w.Bus = true, "Secure Digital" }, ""},
		{"the disk of the Mac", func(w, p *diskInfo) { w.Internal, w.Bus, p.Content = true, "Apple Fabric", "Apple_APFS" }, "it is built into this machine"},
		{"another disk of the Mac", func(w, _ *diskInfo) { w.Internal, w.Bus = true, "SATA" }, "it is built into this machine"},
		{"a stick the Mac runs from", func(_, p *diskInfo) { p.Mount = "/" }, "the system runs from it"},
		{"a stick with a folder of the system", func(w, _ *diskInfo) { w.Mount = "/System/Volumes/Data" }, "the system runs from it"},
		{"a stick with an APFS container", func(_, p *diskInfo) { p.Content = "Apple_APFS" }, "it holds a part of an APFS container or RAID"},
		{"a stick with half of a RAID", func(_, p *diskInfo) { p.Content = "Apple_RAID" }, "it holds a part of an APFS container or RAID"},
		{"an SSD on Thunderbolt", func(w, _ *diskInfo) { w.Bus = "PCI-Express" }, "it is no stick: it is on PCI-Express"},
		{"an SSD on USB", func(w, _ *diskInfo) { w.Removable = false }, "it calls itself a fixed disk, as external SSDs and hard disks do"},
		{"a disk image", func(w, _ *diskInfo) { w.Kind = "Virtual" }, "it is a disk image"},
		{"a disk image that says it is physical", func(w, _ *diskInfo) { w.Bus = "Disk Image" }, "it is a disk image"},
		{"of which nothing is known", func(w, _ *diskInfo) { *w = diskInfo{} }, "it is a disk image"},
		{"a reader without a card", func(w, _ *diskInfo) { w.Size = 0 }, "there is nothing in it"},
	} {
		whole := &diskInfo{Name: "disk4", Bus: "USB", Kind: "Physical", Size: 1 << 30, Removable: true}
		part := &diskInfo{Name: "disk4s1", Content: "DOS_FAT_32", Mount: "/Volumes/A"}
		c.change(whole, part)
		if got := refusalOfMac(whole, []*diskInfo{part}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// ioregHub is a hub with a stick in it, which ioreg tells of twice: in the tree of
// the hub, and by itself.
const ioregHub = plistHead + `<array>
<dict>
	<key>idVendor</key><integer>1507</integer><key>locationID</key><integer>339738624</integer>
	<key>IORegistryEntryChildren</key><array>` + ioregStick + `</array>
</dict>` + ioregStick + `
<string>no tree</string>
</array></plist>`

const ioregStick = `<dict>
	<key>idVendor</key><integer>1921</integer><key>locationID</key><integer>339869696</integer>
	<key>USB Vendor Name</key><string>SanDisk </string><key>kUSBSerialNumberString</key><string>4C53</string>
	<key>IORegistryEntryChildren</key><array><dict>
		<key>locationID</key><integer>1</integer>
		<key>IORegistryEntryChildren</key><array>
			<dict><key>BSD Name</key><string>disk4</string></dict>
			<dict><key>BSD Name</key><string>/etc</string></dict>
		</array>
	</dict></array>
</dict>`

func TestParseIoreg(t *testing.T) {
	got, err := parseIoreg([]byte(ioregHub))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]usbDevice{"disk4": {"SanDisk", "4C53", 0x14420000}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(usbDevice{})); diff != "" {
		t.Error(diff)
	}
	if got, err := parseIoreg(nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	if _, err := parseIoreg([]byte("<plist>")); err == nil {
		t.Error("half a list was accepted")
	}
	for location, want := range map[uint64]string{0: "", 0x14420000: "20-4.2", 0x00100000: "0-1", 0x14123456: "20-1.2.3.4.5.6", 0x14000000: "20-"} {
		if got := (usbDevice{location: location}).port(); got != want {
			t.Errorf("port of %#x: %q, want %q", location, got, want)
		}
	}
}

func FuzzMacLists(f *testing.F) {
	for _, seed := range []string{macList, ioregHub, macInfo(key("DeviceIdentifier", "disk4"))} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		disks, partitions, _ := parseDiskutilList(data)
		for _, parts := range append([][]string{disks}, partitions["disk4"]) {
			for _, name := range parts {
				if strings.ContainsAny(name, "/ -.") {
					t.Errorf("%q is no name of a disk", name)
				}
			}
		}
		if info, err := parseDiskutilInfo(data); err == nil && info.Size < 0 {
			t.Errorf("%+v", info)
		}
		_, _ = parseIoreg(data)
	})
}
