package media

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// described makes a STORAGE_DEVICE_DESCRIPTOR as the driver of USB sticks does.
func described(bus uint32, removable byte, vendor, product, serial string) []byte {
	b := make([]byte, 36)
	le := binary.LittleEndian
	le.PutUint32(b, 40)
	b[10] = removable
	le.PutUint32(b[28:], bus)
	for _, text := range []struct {
		at int
		s  string
	}{{12, vendor}, {16, product}, {24, serial}} {
		if text.s != "" {
			le.PutUint32(b[text.at:], uint32(len(b)))
			b = append(b, text.s+"\x00"...)
		}
	}
	le.PutUint32(b[4:], uint32(len(b)))
	return b
}

func TestParseDescriptor(t *testing.T) {
	stick := described(7, 1, "SanDisk ", " Ultra   ", "4C530001\xff")
	unknown := described(200, 0, "", "X", "")
	binary.LittleEndian.PutUint32(unknown[24:], 0xffffffff) // no serial number
	beyond := described(7, 1, "", "", "")
	binary.LittleEndian.PutUint32(beyond[16:], 36)
	for _, c := range []struct {
		name string
		b    []byte
		want descriptor
		ok   bool
	}{
		{"a stick", stick, descriptor{"SanDisk", "Ultra", "4C530001\uFFFD", "usb", true}, true},
		{"a stick with rubbish after its size", append(stick[:len(stick):len(stick)], "rest"...), descriptor{"SanDisk", "Ultra", "4C530001\uFFFD", "usb", true}, true},
		{"text without an end", stick[:len(stick)-2], descriptor{"SanDisk", "Ultra", "4C530001", "usb", true}, true},
		{"an NVMe", described(17, 0, "", "PM9A1", "S1"), descriptor{Product: "PM9A1", Serial: "S1", Bus: "nvme"}, true},
		{"a bus nobody knows", unknown, descriptor{Product: "X", Bus: "another bus"}, true},
		{"text beyond the end", beyond, descriptor{Bus: "usb", Removable: true}, true},
		{"a size of 0", append(make([]byte, 28), 12, 0, 0, 0, 0, 0, 0, 0), descriptor{Bus: "sd"}, true},
		{"too little", stick[:35], descriptor{}, false},
		{"nothing", nil, descriptor{}, false},
	} {
		got, ok := parseDescriptor(c.b)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: %v\n%s", c.name, ok, diff)
		}
	}
}

func TestParseExtents(t *testing.T) {
	b := make([]byte, 8+2*24)
	le := binary.LittleEndian
	le.PutUint32(b, 2)
	le.PutUint32(b[8:], 1)
	le.PutUint64(b[24:], 1<<30)
	le.PutUint32(b[32:], 3)
	le.PutUint64(b[48:], 1<<20)
	two := []extent{{1, 1 << 30}, {3, 1 << 20}}
	if diff := cmp.Diff(two, parseExtents(b)); diff != "" {
		t.Error(diff)
	}
	le.PutUint32(b, 0xffffffff)
	if diff := cmp.Diff(two, parseExtents(b)); diff != "" {
		t.Error(diff)
	}
	le.PutUint64(b[24:], 1<<63)
	if diff := cmp.Diff(two[1:], parseExtents(b)); diff != "" {
		t.Error(diff)
	}
	if got := parseExtents(b[:31]); got != nil {
		t.Errorf("half an extent: %v", got)
	}
	if got := parseExtents(b[:7]); got != nil {
		t.Errorf("no header: %v", got)
	}
}

func TestParseGeometry(t *testing.T) {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint32(b[20:], 512)
	binary.LittleEndian.PutUint64(b[24:], 16<<30)
	if size, sector, ok := parseGeometry(b); size != 16<<30 || sector != 512 || !ok {
		t.Error(size, sector, ok)
	}
	if _, _, ok := parseGeometry(b[:31]); ok {
		t.Error("too little was accepted")
	}
	binary.LittleEndian.PutUint64(b[24:], 1<<63)
	if _, _, ok := parseGeometry(b); ok {
		t.Error("less than nothing was accepted")
	}
	binary.LittleEndian.PutUint64(b[24:], 0)
	binary.LittleEndian.PutUint32(b[20:], 0)
	if _, _, ok := parseGeometry(b); ok {
		t.Error("sectors of nothing were accepted")
	}
}

func TestNamesOfWindows(t *testing.T) {
	for in, want := range map[string]string{
		`\\?\usbstor#disk&ven_sandisk&prod_ultra#4c53&0#{53f56307-b6bf-11d0-94f2-00a0c91efb8b}`: `usbstor\disk&ven_sandisk&prod_ultra\4c53&0`,
		`\\?\scsi#disk#1`: `scsi\disk\1`,
		"":                "",
	} {
		if got := instanceOf(in); got != want {
			t.Errorf("instance of %s: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(4)#USB(2)":              "1400-4.2",
		"PCIROOT(0)#PCI(1C00)#PCI(0000)#USBROOT(0)#USB(12)#USBMI(0)": "0000-12",
		"PCIROOT(0)#PCI(1700)#ATA(C00T00L00)":                        "",
		"":                                                           "",
	} {
		if got := portOf(in); got != want {
			t.Errorf("port of %s: %s, want %s", in, got, want)
		}
	}
	if diff := cmp.Diff([]string{`C:\`, `D:\`}, pagefileDrives([]string{`\??\C:\pagefile.sys`, `d:\pagefile.sys`, `?:`, "", `\\?\Volume{1}\pagefile.sys`})); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{"FAT": "vfat", "FAT32": "vfat", "exFAT": "exfat", "NTFS": "ntfs", "": ""} {
		if got := fileSystemOf(in); got != want {
			t.Errorf("file system %s: %s, want %s", in, got, want)
		}
	}
}

func TestRefusalOfWindows(t *testing.T) {
	for _, c := range []struct {
		bus       string
		size      int64
		removable bool
		want      string
	}{
		{"usb", 1, true, ""},
		{"sd", 1, true, ""},
		{"usb", 1, false, "fixed disk"},
		{"usb", 0, true, "nothing in it"},
		{"mmc", 1, true, "built into"},
		{"nvme", 1, true, "it is on nvme"},
		{"image", 1, true, "disk image"},
		{"virtual", 1, true, "disk image"},
		{"another bus", 1, true, "it is on another bus"},
	} {
		got := refusalOfWindows(&Disk{Bus: c.bus, Size: c.size}, c.removable)
		if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzWindowsRecords(f *testing.F) {
	f.Add(described(7, 1, "SanDisk", "Ultra", "4C53"))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := parseDescriptor(b)
		if !ok && d != (descriptor{}) || len(d.Vendor) > 3*len(b) {
			t.Errorf("%+v", d)
		}
		for _, e := range parseExtents(b) {
			if e.Length < 0 {
				t.Errorf("%+v", e)
			}
		}
		if size, sector, ok := parseGeometry(b); ok && (size < 0 || sector <= 0) {
			t.Error(size, sector)
		}
		instanceOf(string(b))
		portOf(string(b))
	})
}
