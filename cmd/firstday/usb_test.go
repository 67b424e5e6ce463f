package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/station"
	"firstday.dev/station/media"
)

// The table holds still, whatever sticks say of themselves.
func TestDescribeDisks(t *testing.T) {
	made, ends := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	kit := &station.OnStick{State: station.OnStickKit, KitID: "0123456789abcdef0123", Organisation: "Müller & Söhne", Created: &made, ExpiresAt: &ends, Packages: []string{"a.ppkg"}}
	two := *kit
	two.Packages = []string{"a.ppkg", "b.ppkg"}
	stick := media.Disk{Name: "sdb", Port: "1-4.2", Vendor: "SanDisk", Model: "Ultra", Size: 16_005_464_064}
	volume := func(fileSystem, label string) []media.Volume {
		return []media.Volume{{}, {FileSystem: fileSystem, Label: label}}
	}
	disks := []listedDisk{
		{Disk: stick, Contents: kit},
		{Disk: stick, Contents: &two},
		{Disk: stick, Contents: &station.OnStick{State: station.OnStickUnfinished}},
		{Disk: stick, Contents: &station.OnStick{State: station.OnStickForeign}},
		{Disk: stick, Contents: &station.OnStick{State: station.OnStickPackages, Packages: []string{"Old.ppkg"}}},
		{Disk: stick, Contents: &station.OnStick{State: station.OnStickInFolders, InFolders: []string{"kit/a.ppkg"}}},
		{Disk: stick, Contents: &station.OnStick{State: station.OnStickNothing}},
		{Disk: stick, Unread: "sdb: permission denied"},
		{Disk: media.Disk{Name: "sda", Model: "990 PRO", Size: 1_000_204_886_016, Refusal: "the system runs from it"}},
	}
	disks[0].Volumes, disks[1].Volumes, disks[6].Volumes, disks[6].ReadOnly = volume("vfat", "FIRSTDAY"), volume("exfat", "a\tb\n\x1b[2J"), volume("ntfs", "Ä"), true
	var b bytes.Buffer
	w := &text{w: &b}
	describeDisks(w, disks, ends.Add(-time.Hour))
	describeDisks(w, disks[:1], ends)
	describeDisks(w, nil, ends)
	want := `NAME  PORT   MODEL          SIZE       FILES  LABEL         ON IT
sdb   1-4.2  SanDisk Ultra  16.0 GB    vfat   FIRSTDAY      kit 0123456789ab of Müller & Söhne, made 2026-11-01, until 2026-12-01
sdb   1-4.2  SanDisk Ultra  16.0 GB    exfat  a b\n\x1b[2J  kit 0123456789ab of Müller & Söhne, made 2026-11-01, until 2026-12-01; 2 packages, of which Windows takes none by itself
sdb   1-4.2  SanDisk Ultra  16.0 GB                         unfinished, write it again
sdb   1-4.2  SanDisk Ultra  16.0 GB                         other files
sdb   1-4.2  SanDisk Ultra  16.0 GB                         package Old.ppkg
sdb   1-4.2  SanDisk Ultra  16.0 GB                         a package in a folder, where Windows does not look: kit/a.ppkg
sdb   1-4.2  SanDisk Ultra  16.0 GB    ntfs   Ä             empty; write-protected
sdb   1-4.2  SanDisk Ultra  16.0 GB                         not known: sdb: permission denied
sda          990 PRO        1000.2 GB                       refused: the system runs from it
NAME  PORT   MODEL          SIZE     FILES  LABEL     ON IT
sdb   1-4.2  SanDisk Ultra  16.0 GB  vfat   FIRSTDAY  kit 0123456789ab of Müller & Söhne, made 2026-11-01, expired 2026-12-01
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNoSticks(t *testing.T) {
	for _, c := range []struct {
		sticks, refused int
		all             bool
		want            string
	}{
		{0, 0, false, "No disk is to be seen. In a container or a virtual machine a stick is there only if it is passed on.\n"},
		{0, 2, false, "No stick is plugged in. firstday usb list --all shows the other disks (2), and why they are none.\n"},
		{0, 2, true, "None of these is a stick.\n"},
		{1, 2, true, ""},
	} {
		var b bytes.Buffer
		noSticks(&text{w: &b}, c.sticks, c.refused, c.all)
		if b.String() != c.want {
			t.Errorf("%+v: %q", c, b.String())
		}
	}
}

func TestChoose(t *testing.T) {
	mounted := func(folders ...string) []media.Volume { return []media.Volume{{Mounts: folders}} }
	disks := func() []media.Disk {
		return []media.Disk{
			{Name: "sdb", Path: "/dev/sdb", Volumes: mounted("/media/ann/A")},
			{Name: "PhysicalDrive2", Path: `\\.\PhysicalDrive2`, Volumes: mounted(`E:\`)},
			{Name: "sda", Path: "/dev/sda", Refusal: "the system runs from it", Volumes: mounted("/", "/boot")},
		}
	}
	for _, c := range []struct {
		names, want []string
	}{
		{nil, []string{"sdb", "PhysicalDrive2"}},
		{[]string{"sdb"}, []string{"sdb"}},
		{[]string{"/dev/sdb", "/media/ann/A/", "sdb"}, []string{"sdb"}},
		{[]string{"E:", "physicaldrive2", `E:\`}, []string{"PhysicalDrive2"}},
		{[]string{"sda"}, []string{"sda"}}, // to be told why not
	} {
		chosen, err := choose(disks(), c.names)
		var got []string
		for _, d := range chosen {
			got = append(got, d.Name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", c.names, err, diff)
		}
	}
	for _, name := range []string{"", "/", `\`, "sd", "sdb1", "/media"} {
		if _, err := choose(disks(), []string{"sdb", name}); !errors.Is(err, errNoSuchStick) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Nothing is done to a disk that is refused.
	if err := eject(t.Context(), &disks()[2]); !errors.Is(err, media.ErrRefused) {
		t.Error(err)
	}
}
