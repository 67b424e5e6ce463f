package media

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// These run on Wine, too, whose one disk is none to be written to.

func TestWindowsList(t *testing.T) {
	disks, err := List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(disks, func(d Disk) bool { return d.Path == `\\.\PhysicalDrive0` })
	if i < 0 {
		t.Fatalf("no first disk: %+v", disks)
	}
	d := disks[i]
	if d.Name != "PhysicalDrive0" || d.Size <= 0 || d.SectorSize != 512 && d.SectorSize != 4096 || d.Refusal == "" {
		t.Errorf("%+v", d)
	}
	if _, err := d.Open(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("opened: %v", err)
	}
	// A number goes on to the next disk: that one is not let go of in place of another.
	other := &Disk{Name: d.Name, Path: d.Path, Size: d.Size + 512}
	if err := errors.Join(other.Unmount(t.Context()), other.Eject(t.Context())); !errors.Is(err, ErrAnother) || strings.Count(err.Error(), ErrAnother.Error()) != 2 {
		t.Errorf("let go of: %v", err)
	}
}

func TestWindowsVolumes(t *testing.T) {
	all, err := volumes()
	if err != nil {
		t.Fatal(err)
	}
	system, err := systemVolumes()
	if err != nil || !slices.Contains(system, `C:\`) {
		t.Errorf("the system is on %q, %v", system, err)
	}
	i := slices.IndexFunc(all, func(v volume) bool { return slices.Contains(v.Mounts, `C:\`) })
	if i < 0 || !strings.HasPrefix(all[i].Path, `\\?\Volume{`) || strings.HasSuffix(all[i].Path, `\`) || all[i].FileSystem != "ntfs" {
		t.Errorf("%+v", all)
	}
}

func TestWindowsOpenSaysWhatIsMissing(t *testing.T) {
	d := &Disk{Name: "PhysicalDrive200", Path: `\\.\PhysicalDrive200`}
	for range 2 { // nothing is held after the first time
		if _, err := d.Open(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("opened: %v", err)
		}
	}
	if _, _, err := (&Volume{Path: `\\?\Volume{0}`}).Mount(t.Context()); !errors.Is(err, ErrNotMounted) {
		t.Errorf("mounted: %v", err)
	}
}

func TestWindowsClaim(t *testing.T) { TestClaim(t) }
