package fat32

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testtool"
)

// The kernel reads every byte, and writes: the log of the script run belongs onto
// the stick. Only root can have loop devices, and not every kernel has FAT.
func TestKernelMountsTheVolume(t *testing.T) {
	fsck, losetup := testtool.Need(t, "fsck.fat"), testtool.Need(t, "losetup")
	if os.Geteuid() != 0 {
		t.Skip("only root can have loop devices")
	}
	testmount.Apart(t, func() {
		image := volume(t, tree(), options)
		out, err := exec.Command(losetup, "--show", "-f", image).Output()
		if err != nil {
			t.Skipf("no loop device here: %v", err)
		}
		device := strings.TrimSpace(string(out))
		defer func() { run(t, losetup, "-d", device) }()
		dir := t.TempDir()
		err = unix.Mount(device, dir, "vfat", 0, "utf8=1,shortname=mixed")
		if errors.Is(err, unix.ENODEV) {
			t.Skip("this kernel has no FAT")
		}
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "the kernel", os.DirFS(dir))
		err = os.WriteFile(dir+"/logs/C02XYZ123.log", []byte("prepared Data\n"), 0o644)
		if err := errors.Join(err, unix.Unmount(dir, 0)); err != nil {
			t.Fatal(err)
		}
		run(t, fsck, "-n", image)
	})
}
