package media

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testloop"
	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testtool"
)

const diskSize = 8 << 20

// image makes the file of a disk.
func image(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stick.img")
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(f.Truncate(diskSize), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func format(t *testing.T, mkfs string, args ...string) {
	t.Helper()
	if out, err := exec.Command(mkfs, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func take(t *testing.T, d *Disk) *Device {
	t.Helper()
	device, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// What is written is on the disk, past the cache, whatever memory it came from.
func TestDeviceWritesAndReads(t *testing.T) {
	path := image(t)
	device := take(t, &Disk{Path: testloop.Attach(t, path), Size: diskSize})
	defer device.Close()
	if device.Size() != diskSize || device.SectorSize() != 512 {
		t.Errorf("%d bytes in sectors of %d", device.Size(), device.SectorSize())
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	own := Buffer(len(want))
	copy(own, want)
	crooked := append([]byte("x"), want...)[1:]
	if aligned(crooked) || !aligned(own) || uintptr(unsafe.Pointer(&own[0]))%512 != 0 {
		t.Fatal("memory is not as this test wants it")
	}
	for i, memory := range [][]byte{own, crooked} {
		off := int64(i+1) << 20
		if n, err := device.WriteAt(memory, off); n != len(want) || err != nil {
			t.Fatal(n, err)
		}
		for _, got := range [][]byte{Buffer(len(want)), make([]byte, len(want)+1)[1:]} {
			if n, err := device.ReadAt(got, off); n != len(want) || err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d bytes, %v", n, err)
			}
		}
	}
	if err := device.Sync(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(file[1<<20:][:len(want)], want) || !bytes.Equal(file[2<<20:][:len(want)], want) {
		t.Errorf("in the file is something else, %v", err)
	}
	for _, bad := range []struct {
		size int
		off  int64
	}{{512, 100}, {100, 512}, {512, -512}} {
		if _, err := device.WriteAt(make([]byte, bad.size), bad.off); err == nil || !strings.Contains(err.Error(), "no whole sectors of 512") {
			t.Errorf("writing %+v: %v", bad, err)
		}
		if _, err := device.ReadAt(make([]byte, bad.size), bad.off); err == nil {
			t.Errorf("reading %+v was done", bad)
		}
	}
	if n, err := device.ReadAt(Buffer(1024), diskSize-512); n != 512 || err == nil {
		t.Errorf("reading beyond the end: %d, %v", n, err)
	}
	if _, err := device.WriteAt(Buffer(512), diskSize); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing beyond the end: %v", err)
	}
}

// Where another has the disk, nobody writes to it.
func TestOpenIsExclusive(t *testing.T) {
	d := &Disk{Name: "loop", Path: testloop.Attach(t, image(t))}
	device := take(t, d)
	if _, err := d.Open(t.Context()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), d.Path) {
		t.Errorf("opened twice: %v", err)
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	if err := take(t, d).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	path := image(t)
	readOnly := testloop.AttachReadOnly(t, path)
	device := testloop.Attach(t, image(t))
	for _, c := range []struct {
		name string
		disk Disk
		want error
	}{
		{"a disk that is never written to", Disk{Path: device, Refusal: "the system runs from it"}, ErrRefused},
		{"a write protection", Disk{Path: readOnly}, ErrReadOnly},
		{"another size", Disk{Path: device, Size: diskSize - 512}, ErrAnother},
		{"another serial number", Disk{Path: device, Serial: "123"}, ErrAnother},
		{"another disk since", Disk{Path: device, Sequence: 1}, ErrAnother},
		{"no disk", Disk{Path: device + "-none"}, ErrGone},
		{"a file", Disk{Path: path}, unix.ENOTTY},
	} {
		got, err := c.disk.Open(t.Context())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			got.Close()
		}
	}
	if err := take(t, &Disk{Path: device, Size: diskSize}).Close(); err != nil { // nothing was held
		t.Error(err)
	}
}

// The kernel keeps a disk that is open; when it is closed, nothing is there.
func TestDetachedWhileOpen(t *testing.T) {
	d := &Disk{Path: testloop.Attach(t, image(t))}
	device := take(t, d)
	if err := testloop.Detach(d.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := device.WriteAt(Buffer(512), 0); err != nil && !errors.Is(err, ErrGone) {
		t.Errorf("writing: %v", err)
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Open(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("opening it again: %v", err)
	}
}

// Close has the kernel see the partitions that were written. Not every kernel reads
// the tables of sticks.
func TestCloseShowsPartitions(t *testing.T) {
	table := Buffer(512)
	copy(table[446:], "\x00\x00\x00\x00\x0c\x00\x00\x00\x00\x08\x00\x00\x00\x10\x00\x00") // 4096 sectors from 2048
	copy(table[510:], "\x55\xaa")
	sectors := func(disk string) string {
		size, _ := os.ReadFile("/sys/class/block/" + filepath.Base(disk) + "p1/size")
		return string(size)
	}
	known := image(t)
	if err := os.WriteFile(known, append(table[:512:512], make([]byte, diskSize-512)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if sectors(testloop.Attach(t, known)) == "" {
		t.Skip("this kernel reads no partition tables")
	}
	d := &Disk{Path: testloop.Attach(t, image(t))}
	device := take(t, d)
	_, err := device.WriteAt(table, 0)
	if err := errors.Join(err, device.Sync(), device.Close()); err != nil {
		t.Fatal(err)
	}
	if got := sectors(d.Path); got != "4096\n" {
		t.Errorf("the partition has %q sectors", got)
	}
}

// While a volume is mounted its disk is given to nobody; it is let go only when no
// file is open.
func TestUnmount(t *testing.T) {
	mkfs := testtool.Need(t, "mkfs.ext4", "/usr/sbin/mkfs.ext4")
	testmount.Apart(t, func() {
		d := &Disk{Path: testloop.Attach(t, image(t))}
		format(t, mkfs, "-q", d.Path)
		if err := unix.Mount("tmpfs", "/mnt", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{"/mnt/a", "/mnt/b"} {
			if err := errors.Join(os.Mkdir(folder, 0o755), unix.Mount(d.Path, folder, "ext4", 0, "")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Open(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("opened while it is mounted: %v", err)
		}
		v := &Volume{Path: d.Path, Mounts: []string{"/mnt/a"}}
		if folder, let, err := v.Mount(t.Context()); err != nil || folder != "/mnt/a" || let() != nil {
			t.Errorf("mounted at %s, %v", folder, err)
		}
		v.Mounts[0] = "/mnt"
		if _, _, err := v.Mount(t.Context()); !errors.Is(err, ErrNotMounted) {
			t.Errorf("another file system is there: %v", err)
		}
		held, err := os.Create("/mnt/a/held")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Unmount(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("unmounted while a file is open: %v", err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.Eject(t.Context()); err != nil {
			t.Error(err)
		}
		if err := take(t, d).Close(); err != nil {
			t.Error(err)
		}
	})
}

// A disk with a folder of the system is not let go.
func TestUnmountSparesTheSystem(t *testing.T) {
	mkfs := testtool.Need(t, "mkfs.ext4", "/usr/sbin/mkfs.ext4")
	testmount.Apart(t, func() {
		d := &Disk{Path: testloop.Attach(t, image(t))}
		format(t, mkfs, "-q", d.Path)
		if err := unix.Mount(d.Path, "/srv", "ext4", 0, ""); err != nil {
			t.Fatal(err)
		}
		for _, change := range []func() error{func() error { return d.Unmount(t.Context()) }, func() error { return d.Eject(t.Context()) }} {
			if err := change(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "the system runs from it") {
				t.Error(err)
			}
		}
		if err := unix.Unmount("/srv", 0); err != nil {
			t.Error("it was unmounted")
		}
	})
}

// Root mounts where nobody else looks, and leaves nothing there. Not every kernel
// has FAT.
func TestMountPrivately(t *testing.T) {
	mkfs := testtool.Need(t, "mkfs.fat", "/usr/sbin/mkfs.fat")
	testmount.Apart(t, func() {
		t.Setenv("TMPDIR", t.TempDir())
		v := &Volume{Path: testloop.Attach(t, image(t)), FileSystem: "vfat"}
		format(t, mkfs, v.Path)
		folder, unmounted, err := v.Mount(t.Context())
		if !errors.Is(err, unix.ENODEV) {
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "Ä.txt"), nil, 0o644); err != nil {
				t.Error(err)
			}
			if info, err := os.Stat(folder); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may look: %v, %v", info, err)
			}
			if err := unmounted(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		for _, none := range []string{"", "iso9660", "../vfat"} {
			if _, _, err := (&Volume{Path: v.Path, FileSystem: none}).Mount(t.Context()); !errors.Is(err, ErrNotMounted) {
				t.Errorf("file system %q: %v", none, err)
			}
		}
	})
}

// Where the kernel is hidden, as in some containers, the error says so.
func TestListWithoutSysfs(t *testing.T) {
	testmount.Apart(t, func() {
		if err := unix.Mount("tmpfs", "/sys", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if disks, err := List(t.Context()); !errors.Is(err, ErrUnseen) {
			t.Errorf("%+v, %v", disks, err)
		}
	})
}
