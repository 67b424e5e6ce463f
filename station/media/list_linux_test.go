package media

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list gives the disks as [List] does.
func (m *machine) listed() []Disk {
	m.t.Helper()
	disks, err := m.list(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	sortDisks(disks)
	return disks
}

func TestListAStick(t *testing.T) {
	m := newMachine(t)
	stick := m.usb("1-4.2", "sdb", attributes{"diskseq": "12"})
	part := m.partition(stick, 1, "31258624")
	m.say(part, "vfat", `M\xc3\xbcller\x20\x26\x0aCo`)
	m.mount(part, "/", "/media/ann/MÜLLER CO\n#1")
	m.mount(part, "/logs", "/mnt/logs") // not where its files are, but in use
	want := []Disk{{
		Name: "sdb", Path: m.dev + "/sdb", Vendor: "SanDisk", Model: "Ultra", Serial: "Ssdb", Bus: "usb", Port: "1-4.2",
		Size: 31260672 * 512, SectorSize: 512, Sequence: 12,
		Volumes: []Volume{{Path: m.dev + "/sdb1", Label: "Müller &\nCo", FileSystem: "vfat", Size: 31258624 * 512, Mounts: []string{"/media/ann/MÜLLER CO\n#1"}}},
	}}
	if diff := cmp.Diff(want, m.listed()); diff != "" {
		t.Error(diff)
	}
}

func TestListAHubInTheOrderOfItsSockets(t *testing.T) {
	m := newMachine(t)
	names := []string{"sdz", "sdaa", "sdb", "sdc", "sdd", "sde", "sdf", "sdg"}
	for i, port := range []string{"1-4.10", "1-4.2", "1-4.1.2", "1-4.1.1", "1-4.4", "1-4.3", "1-4.7", "2-1"} {
		m.usb(port, names[i], nil)
	}
	m.usb("1-3", "sdh", attributes{"removable": "0"})
	var got []string
	for _, d := range m.listed() {
		got = append(got, d.Port+" "+d.Name)
	}
	want := []string{"1-4.1.1 sdc", "1-4.1.2 sdb", "1-4.2 sdaa", "1-4.3 sde", "1-4.4 sdd", "1-4.7 sdf", "1-4.10 sdz", "2-1 sdg", "1-3 sdh"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const (
	sata   = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/"
	nvme   = "pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/"
	virtio = "pci0000:00/0000:00:02.0/virtio1/block/"
	mmc    = "platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/"
)

// Each case says in a few words why a disk is not taken, or that it is.
func TestListRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(m *machine)
		want string // the refusal of the first disk
	}{
		{"a stick", func(m *machine) { m.usb("1-1", "sdb", nil) }, ""},
		{"a disk on SATA", func(m *machine) { m.block(sata+"sda", attributes{"size": "100"}) }, "it is no stick: it is on sata"},
		{"a disk on SATA that can be pulled out", func(m *machine) { m.block(sata+"sda", attributes{"size": "100", "removable": "1"}) }, "it is no stick: it is on sata"},
		{"an NVMe", func(m *machine) { m.block(nvme+"nvme0n1", attributes{"size": "100"}) }, "it is no stick: it is on nvme"},
		{"a disk of a virtual machine", func(m *machine) { m.block(virtio+"vda", attributes{"size": "100"}) }, "it is no stick: it is on virtio"},
		{"a disk of a kind nobody knows", func(m *machine) { m.block("platform/x/block/xyz", attributes{"size": "100"}) }, "it is no stick: it is on another bus"},
		{"an SSD on USB", func(m *machine) { m.usb("2-1", "sdb", attributes{"removable": "0"}) }, "it calls itself a fixed disk, as external SSDs and hard disks do"},
		{"an SSD on USB in the machine", func(m *machine) {
			m.usb("2-1", "sdb", attributes{"removable": "0"})
			m.write(m.sys+"/devices/pci0000:00/0000:00:14.0/usb1/2-1/removable", "fixed\n")
		}, "it is built into this machine"},
		{"a card in a reader of the machine", func(m *machine) {
			m.block(mmc+"mmcblk0", attributes{"size": "100", "device/type": "SD", "device/name": "SC16G"})
		}, ""},
		{"an eMMC", func(m *machine) { m.block(mmc+"mmcblk0", attributes{"size": "100", "device/type": "MMC"}) }, "it is built into this machine"},
		{"a card in a reader on USB in the machine", func(m *machine) {
			m.usb("1-9", "sdb", nil)
			m.write(m.sys+"/devices/pci0000:00/0000:00:14.0/usb1/1-9/removable", "fixed\n")
		}, ""},
		{"a reader without a card", func(m *machine) { m.usb("1-9", "sdb", attributes{"size": "0"}) }, "there is nothing in it"},
		{"a stick of which only that it is there is known", func(m *machine) { m.usb("1-9", "sdb", attributes{"size": "", "removable": ""}) }, "it calls itself a fixed disk, as external SSDs and hard disks do"},

		{"the system on LUKS on an NVMe", func(m *machine) {
			part := m.partition(m.block(nvme+"nvme0n1", attributes{"size": "100"}), 3, "90")
			luks := m.block("virtual/block/dm-0", attributes{"dev": "254:0", "dm/name": "cryptroot"})
			lvm := m.block("virtual/block/dm-1", attributes{"dev": "254:1", "dm/name": "vg-root"})
			m.hold(part, luks)
			m.hold(luks, lvm)
			m.mount(lvm, "/", "/")
		}, "the system runs from it"},
		{"a stick that is the disk of the system", func(m *machine) { m.mount(m.partition(m.usb("1-1", "sdb", nil), 2, "90"), "/", "/") }, "the system runs from it"},
		{"a stick with the firmware's partition", func(m *machine) { m.mount(m.partition(m.usb("1-1", "sdb", nil), 1, "90"), "/", "/boot/efi") }, "the system runs from it"},
		{"a stick with a folder of the system", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/@home", "/home") }, "the system runs from it"},
		{"a stick with a live system", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/", "/run/live/medium") }, "the system runs from it"},
		{"a stick with an image that is mounted", func(m *machine) {
			m.mount(m.usb("1-1", "sdb", nil), "/", "/mnt")
			m.block("virtual/block/loop3", attributes{"dev": "7:3", "loop/backing_file": "/mnt/live/filesystem.squashfs"})
		}, "a disk image on it is in use, as loop3"},
		{"a stick that is swapped to", func(m *machine) {
			m.partition(m.usb("1-1", "sdb", nil), 1, "90")
			m.write(m.swaps, "Filename\tType\tSize\tUsed\tPriority\n/dev/sdb1                               partition\t2097148\t\t0\t\t-2\n")
		}, "the system swaps to it"},
		{"a stick with a file that is swapped to", func(m *machine) {
			m.mount(m.usb("1-1", "sdb", nil), "/", "/media/my stick")
			m.write(m.swaps, "Filename\tType\tSize\tUsed\tPriority\n/media/my\\040stick/swap\tfile\t2097148\t\t0\t\t-2\n")
		}, "the system swaps to it"},
		{"a stick that LUKS has opened", func(m *machine) {
			luks := m.block("virtual/block/dm-0", attributes{"dev": "254:0", "dm/name": "luks-1234"})
			m.hold(m.partition(m.usb("1-1", "sdb", nil), 1, "90"), luks)
			m.mount(luks, "/", "/media/ann/secret")
		}, "it is part of luks-1234, which is in use"},
		{"a stick that is half of a RAID with partitions", func(m *machine) {
			raid := m.block("virtual/block/md0", attributes{"dev": "9:0"})
			m.hold(m.usb("1-1", "sdb", nil), raid)
			m.mount(m.partition(raid, 1, "90"), "/", "/srv")
		}, "the system runs from it"},
		{"a stick with LUKS", func(m *machine) { m.say(m.usb("1-1", "sdb", nil), "crypto_LUKS", "") }, "it holds an encrypted volume"},
		{"a stick with a volume of LVM", func(m *machine) { m.say(m.partition(m.usb("1-1", "sdb", nil), 1, "90"), "LVM2_member", "") }, "it holds a part of a volume group"},
		{"a stick mounted where people have other things", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/", "/data") }, "it is mounted at /data, where sticks are not"},
		{"a stick mounted under a name like that of a place for sticks", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/", "/mnt2") }, "it is mounted at /mnt2, where sticks are not"},
		{"a stick mounted by hand", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/", "/mnt") }, ""},
		{"a stick mounted for a person", func(m *machine) { m.mount(m.usb("1-1", "sdb", nil), "/", "/run/media/ann/FIRSTDAY") }, ""},
		{"a stick mounted for us", func(m *machine) {
			m.mount(m.usb("1-1", "sdb", nil), "/", filepath.Join(os.TempDir(), "firstday-stick-12"))
		}, ""},

		{"a system on btrfs, on a stick", func(m *machine) {
			m.usb("1-1", "sdb", nil)
			m.mountAs("0:33", "/@", "/", "/dev/sdb")
		}, "the system runs from it"},
		{"a system on btrfs, which a stick is added to", func(m *machine) {
			m.usb("1-1", "sdb", nil)
			m.block("virtual/block/zram1", attributes{"dev": "252:1"})
			for _, name := range []string{"sdb", "zram1"} {
				m.write(m.sys+"/fs/btrfs/0e9c/devices/"+name, "")
			}
			m.mountAs("0:33", "/@", "/", "/dev/zram1")
		}, "the system runs from it"},
		{"a mapped device by its name", func(m *machine) {
			luks := m.block("virtual/block/dm-0", attributes{"dev": "254:0", "dm/name": "luks"})
			m.hold(m.usb("1-1", "sdb", nil), luks)
			m.mountAs("0:33", "/", "/", "/dev/mapper/luks")
		}, "the system runs from it"},
		{"a device by a link to it", func(m *machine) {
			m.usb("1-1", "sdb", nil)
			m.write(m.dev+"/sdb", "")
			m.mkdir(m.dev + "/disk/by-label")
			if err := os.Symlink("../../sdb", m.dev+"/disk/by-label/ROOT"); err != nil {
				m.t.Fatal(err)
			}
			m.mountAs("0:33", "/", "/", "/dev/disk/by-label/ROOT")
		}, "the system runs from it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.make(m)
			disks := m.listed()
			if len(disks) != 1 || disks[0].Refusal != c.want {
				t.Errorf("%+v, want %q", disks, c.want)
			}
		})
	}
}

// An image of a CD, copied to a stick, is a file system and has partitions, too.
func TestListAHybridImage(t *testing.T) {
	m := newMachine(t)
	stick := m.usb("1-1", "sdb", nil)
	m.partition(stick, 1, "1000")
	m.say(m.partition(stick, 2, "10"), "vfat", "ESP")
	m.say(stick, "iso9660", `Debian\x2012`)
	m.mount(stick, "/", "/media/ann/Debian 12")
	want := []Volume{
		{Path: m.dev + "/sdb", Label: "Debian 12", FileSystem: "iso9660", Size: 31260672 * 512, Mounts: []string{"/media/ann/Debian 12"}},
		{Path: m.dev + "/sdb1", Size: 1000 * 512},
		{Path: m.dev + "/sdb2", Label: "ESP", FileSystem: "vfat", Size: 10 * 512},
	}
	if diff := cmp.Diff(want, m.listed()[0].Volumes); diff != "" {
		t.Error(diff)
	}
}

// Without a partition table the disk itself is the space for a file system, which is
// looked for where udev says nothing.
func TestListProbes(t *testing.T) {
	m := newMachine(t)
	m.usb("1-1", "sdb", nil)
	m.write(m.dev+"/sdb", string(fatVolume(16, "EMPTY STICK")))
	m.usb("1-2", "sdc", nil)
	luks := append([]byte("LUKS\xba\xbe"), make([]byte, 1<<17)...)
	m.write(m.dev+"/sdc", string(luks))
	disks := m.listed()
	want := []Volume{{Path: m.dev + "/sdb", Label: "EMPTY STICK", FileSystem: "vfat", Size: 31260672 * 512}}
	if diff := cmp.Diff(want, disks[0].Volumes); diff != "" || disks[1].Refusal != "it holds an encrypted volume" {
		t.Error(diff, disks[1].Refusal)
	}
}

func TestListLeavesOutWhatIsNoDisk(t *testing.T) {
	m := newMachine(t)
	m.block("virtual/block/loop0", attributes{"size": "100"})
	m.block("virtual/block/zram0", attributes{"size": "100"})
	m.block(sata+"sr0", attributes{"size": "100", "removable": "1", "device/type": "5"})
	m.block(mmc+"mmcblk0boot0", attributes{"size": "100"})
	m.block("platform/floppy.0/block/fd0", attributes{"size": "8", "removable": "1"})
	m.block(nvme+"nvme0c0n1", attributes{"size": "100", "hidden": "1"})
	if disks := m.listed(); len(disks) != 0 {
		t.Errorf("%+v", disks)
	}
}

// The slots of a reader of cards are one USB device.
func TestListTellsSlotsApart(t *testing.T) {
	m := newMachine(t)
	for i, name := range []string{"sdb", "sdc"} {
		m.write(m.sys+"/devices/usb1/1-2/idVendor", "0bda\n")
		m.write(m.sys+"/devices/usb1/1-2/product", "Reader\n")
		m.block(fmt.Sprintf("usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:%d/block/%s", i, name), attributes{"size": "100", "removable": "1"})
	}
	disks := m.listed()
	m.usb("1-3", "sdd", nil)
	m.block(mmc+"mmcblk0", attributes{"size": "100", "device/type": "SD"})
	for name, want := range map[string]bool{"sdb": false, "sdd": true, "mmcblk0": false} {
		if alone, err := m.alone(&Disk{Path: "/dev/" + name}); alone != want || err != nil {
			t.Errorf("%s is alone: %v, %v", name, alone, err)
		}
	}
	if disks[0].Port != "1-2" || disks[1].Port != "1-2:1" || disks[1].Model != "Reader" {
		t.Errorf("%+v", disks)
	}
}

// A stick that is pulled out while it is looked at leaves half of its folder, or a
// link to nothing.
func TestListOutlivesVanishedDisks(t *testing.T) {
	m := newMachine(t)
	m.usb("1-1", "sdb", nil)
	gone := m.usb("1-2", "sdc", nil)
	blocks, err := m.blocks()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	if _, err := m.disk(blocks["sdc"], blocks); !errors.Is(err, errVanished) {
		t.Errorf("half a disk: %v", err)
	}
	if disks := m.listed(); len(disks) != 1 || disks[0].Name != "sdb" {
		t.Errorf("%+v", disks)
	}
}

// Who does not know what the system runs from offers nothing.
func TestListErrsBlindly(t *testing.T) {
	for name, spoil := range map[string]func(m *machine) error{
		"no mounts":        func(m *machine) error { return os.Remove(m.mounts) },
		"mounts cut short": func(m *machine) error { return os.WriteFile(m.mounts, []byte("36 35 8:1 / /\n"), 0) },
		"endless mounts":   func(m *machine) error { return os.WriteFile(m.mounts, []byte(strings.Repeat("x", 1<<20)), 0) },
		"swaps unreadable": func(m *machine) error { return errors.Join(os.Remove(m.swaps), os.Mkdir(m.swaps, 0o755)) },
		"no sysfs":         func(m *machine) error { return os.RemoveAll(m.sys) },
	} {
		m := newMachine(t)
		m.usb("1-1", "sdb", nil)
		if err := spoil(m); err != nil {
			t.Fatal(err)
		}
		if disks, err := m.list(t.Context()); err == nil {
			t.Errorf("%s: %+v", name, disks)
		}
	}
	m := newMachine(t)
	m.usb("1-1", "sdb", nil)
	if err := os.Remove(m.swaps); err != nil {
		t.Fatal(err)
	}
	if disks := m.listed(); len(disks) != 1 {
		t.Errorf("a kernel without swap: %+v", disks)
	}
}

// What changes a disk looks again: it may be another one, or in use by now.
func TestRefresh(t *testing.T) {
	m := newMachine(t)
	stick := m.usb("1-1", "sdb", nil)
	part := m.partition(stick, 1, "90")
	m.mount(part, "/", "/media/a")
	m.mount(part, "/logs", "/media/b")
	d := m.listed()[0]
	d.Path = "/dev/sdb"
	parts, err := m.refresh(&d)
	if err != nil || len(parts) != 2 || parts[1].path != m.dev+"/sdb1" || !cmp.Equal(parts[1].all(), []string{"/media/a", "/media/b"}) {
		t.Errorf("%+v, %v", parts, err)
	}
	for _, c := range []struct {
		change func(d *Disk)
		want   error
	}{
		{func(d *Disk) { d.Sequence++ }, ErrAnother},
		{func(d *Disk) { d.Serial = "other" }, ErrAnother},
		{func(d *Disk) { d.Size-- }, ErrAnother},
		{func(d *Disk) { d.Path = "/dev/sdx" }, ErrGone},
	} {
		other := d
		c.change(&other)
		if _, err := m.refresh(&other); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", other, err, c.want)
		}
	}
	m.mount(part, "/", "/boot")
	if _, err := m.refresh(&d); !errors.Is(err, ErrRefused) {
		t.Errorf("in use by now: %v", err)
	}
}

func FuzzParseUdev(f *testing.F) {
	f.Add("E:ID_FS_TYPE=vfat\nE:ID_FS_LABEL_ENC=A\\x20B\n")
	f.Add("E:ID_FS_LABEL_ENC=\\x\\x2\\xzz\\xff")
	f.Fuzz(func(t *testing.T, text string) {
		fileSystem, label := parseUdev(strings.NewReader(text))
		if len(fileSystem)+len(label) > 3*len(text) {
			t.Errorf("%q, %q of %q", fileSystem, label, text)
		}
	})
}
