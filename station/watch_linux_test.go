package station

import (
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/internal/testloop"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// Blank disks that the kernel has become sticks, two at once.
func TestWatchFormats(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	images := make(map[string]string)
	for _, serial := range []string{"a", "b"} {
		images[serial] = filepath.Join(t.TempDir(), "stick")
		if err := os.WriteFile(images[serial], nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(images[serial], 256<<20); err != nil {
			t.Fatal(err)
		}
		d.plugDisk(media.Disk{Name: "sd" + serial, Path: testloop.Attach(t, images[serial]), Serial: serial, Port: "1-" + serial, Size: 256 << 20, SectorSize: 512})
	}
	w := startWatch(t, s, d, func(o *WatchOptions) { o.Format, o.Present = true, true })
	for range images {
		for was := range w.told {
			if was.State == SocketFailed {
				t.Fatalf("%+v", was)
			}
			if was.State == SocketGood {
				break
			}
		}
	}
	if run := w.end(); run.Good() != 2 || !run.Sticks[0].Formatted || w.err != nil {
		t.Errorf("%+v, %v", run, w.err)
	}
	for _, image := range images {
		f, err := os.Open(image)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		volume, err := fat32.Open(f, 256<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := holds(s, volume); err != nil {
			t.Error(err)
		}
	}
}
