package media

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testloop"
	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testtool"
)

// A stick from the list to its ejection: a loop device, of which the kernel says
// that it is in a USB socket.
func TestListedStick(t *testing.T) {
	mkfs := testtool.Need(t, "mkfs.fat", "/usr/sbin/mkfs.fat")
	testmount.Apart(t, func() {
		path := image(t)
		format(t, mkfs, "-n", "FIRSTDAY", path)
		loop := testloop.Attach(t, path)
		var stat unix.Stat_t
		if err := unix.Stat(loop, &stat); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{"/sys", "/dev"} {
			if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "mode=755"); err != nil {
				t.Fatal(err)
			}
			defer unix.Unmount(folder, unix.MNT_DETACH)
		}
		for _, node := range []string{"/dev/sdb", loop} {
			if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(stat.Rdev)); err != nil {
				t.Fatal(err)
			}
		}
		m := &machine{t: t, system: running}
		m.mkdir("/sys/class/block")
		dir := m.usb("1-4.2", "sdb", attributes{
			"dev": fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev)), "size": fmt.Sprint(diskSize / 512), "diskseq": "7",
		})
		disks, err := List(t.Context())
		if err != nil || len(disks) != 1 {
			t.Fatal(disks, err)
		}
		d := &disks[0]
		if d.Refusal != "" || d.Sequence != 7 || len(d.Volumes) != 1 || d.Volumes[0].Label != "FIRSTDAY" || d.Volumes[0].FileSystem != "vfat" {
			t.Errorf("%+v", d)
		}
		if err := take(t, d).Close(); err != nil {
			t.Error(err)
		}
		for _, c := range []struct{ name, text string }{{"diskseq", "8"}, {"../../../../../../serial", "other"}} {
			before := attribute(dir, c.name)
			m.write(dir+"/"+c.name, c.text)
			if _, err := d.Open(t.Context()); !errors.Is(err, ErrAnother) {
				t.Errorf("%s is %s: %v", c.name, c.text, err)
			}
			if err := d.Eject(t.Context()); !errors.Is(err, ErrAnother) {
				t.Errorf("ejecting, %s is %s: %v", c.name, c.text, err)
			}
			m.write(dir+"/"+c.name, before)
		}
		held := take(t, d)
		if err := d.Eject(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("ejected while it is written: %v", err)
		}
		if err := held.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Eject(t.Context()); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(strings.TrimSuffix(dir, "/block/sdb")); err != nil {
			t.Fatal(err)
		}
		if err := d.Eject(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("ejected when it is gone: %v", err)
		}
	})
}
