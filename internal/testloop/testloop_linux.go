// Package testloop lets tests write to block devices that the kernel makes of
// files: a stick, as far as programs can see.
package testloop

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Attach makes a disk of a file, with the partitions that are in it, and gives its
// path. It is there until the test ends, and nobody may have it open by then. The
// test is skipped for who may not do so, and where the kernel has no such disks.
func Attach(t testing.TB, path string) (device string) {
	t.Helper()
	return attach(t, path, os.O_RDWR)
}

// AttachReadOnly is Attach for a disk that is write-protected.
func AttachReadOnly(t testing.TB, path string) (device string) {
	t.Helper()
	return attach(t, path, os.O_RDONLY)
}

func attach(t testing.TB, path string, mode int) string {
	t.Helper()
	control := open(t)
	defer control.Close()
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // the kernel keeps it
	config := unix.LoopConfig{Fd: uint32(f.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_PARTSCAN}}
	if mode == os.O_RDONLY {
		config.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	copy(config.Info.File_name[:len(config.Info.File_name)-1], path)
	for try := 0; ; try++ {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Fatalf("finding a free loop device: %v", err)
		}
		device := "/dev/loop" + strconv.Itoa(number)
		err = configure(device, mode, &config)
		if err == nil {
			t.Cleanup(func() { detachAtEnd(t, device) })
			return device
		}
		// Whoever runs tests beside this one may have taken it meanwhile.
		if !errors.Is(err, unix.EBUSY) || try == 100 {
			t.Fatalf("attaching %s to %s: %v", path, device, err)
		}
	}
}

// open opens what gives out devices.
func open(t testing.TB) *os.File {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	switch {
	case err == nil:
		return control
	case !isRoot():
		t.Skip("only root can have loop devices")
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		t.Skip("this kernel has no loop devices")
	case errors.Is(err, os.ErrPermission) && os.Getenv("CI") != "true": // a container
		t.Skip("nobody can have loop devices here")
	}
	t.Fatal(err)
	return nil
}

// isRoot tells root of the machine from one of a user's own, which
// testmount.Apart makes.
func isRoot() bool {
	ids, err := os.ReadFile("/proc/self/uid_map")
	return os.Geteuid() == 0 && (err != nil || slices.Equal(strings.Fields(string(ids)), []string{"0", "0", "4294967295"}))
}

func configure(device string, mode int, config *unix.LoopConfig) error {
	d, err := os.OpenFile(device, mode, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlLoopConfigure(int(d.Fd()), config), d.Close())
}

func detachAtEnd(t testing.TB, device string) {
	if err := Detach(device); err != nil && !errors.Is(err, unix.ENXIO) {
		t.Errorf("detaching %s: %v", device, err)
	}
}

// Detach takes the file away from a disk. One that somebody has open stays until it
// is closed.
func Detach(device string) error {
	d, err := os.Open(device)
	if err != nil {
		return err
	}
	_, err = unix.IoctlRetInt(int(d.Fd()), unix.LOOP_CLR_FD)
	return errors.Join(err, d.Close())
}
