package testfault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"firstday.dev/station/media"
)

// A folder has what is behind it, and fails as it is told.
func TestFolderFails(t *testing.T) {
	behind := t.TempDir()
	var broken atomic.Bool
	var reads atomic.Int64
	dir := Folder(t, behind, &Faults{
		Before: func(op Op) syscall.Errno {
			if op.What == Read {
				reads.Add(int64(op.Length))
			}
			if broken.Load() && op.Changes() {
				return syscall.EIO
			}
			return 0
		},
		After: func(op Op, data []byte) {
			if op.Path == "odd" && len(data) > 0 {
				data[0] ^= 1
			}
		},
		Free: 1 << 20,
	})
	good, odd := filepath.Join(dir, "sub", "good"), filepath.Join(dir, "odd")
	if err := errors.Join(os.Mkdir(filepath.Dir(good), 0o755), os.WriteFile(good, []byte("text"), 0o600), os.WriteFile(odd, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{good: "text", odd: "uext", filepath.Join(behind, "sub", "good"): "text", filepath.Join(behind, "odd"): "text"} {
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	if reads.Load() == 0 {
		t.Error("no read was seen")
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || int64(s.Bavail)*s.Bsize != 1<<20 {
		t.Errorf("%d of %d, %v", s.Bavail, s.Bsize, err)
	}
	broken.Store(true)
	for what, err := range map[string]error{
		"create": os.WriteFile(filepath.Join(dir, "new"), nil, 0o600), "rename": os.Rename(odd, good),
		"remove": os.Remove(odd), "mkdir": os.Mkdir(filepath.Join(dir, "d"), 0o755), "write": os.WriteFile(odd, []byte("x"), 0o600),
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A block device fails below what the kernel sees.
func TestDiskFails(t *testing.T) {
	const size = 8 << 20
	for name, f := range map[string]*Faults{
		"good":  {},
		"lost":  {Real: size / 2},
		"wraps": {Real: size / 2, Wraps: true},
		"error": {Before: func(op Op) syscall.Errno {
			if op.What == Write && op.Offset >= size/2 {
				return syscall.EIO
			}
			return 0
		}},
	} {
		path, image := Disk(t, size, f)
		disk := media.Disk{Name: "disk", Path: path}
		d, err := disk.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, got := bytes.Repeat([]byte("x"), 1<<20), make([]byte, 1<<20)
		_, err = d.WriteAt(b, size/2)
		err = errors.Join(err, d.Sync())
		if (err != nil) != (name == "error") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.ReadAt(got, size/2); err != nil || bytes.Equal(b, got) != (name == "good" || name == "wraps") {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		behind, err := os.ReadFile(image)
		if err != nil || len(behind) != size || behind[0] == 'x' != (name == "wraps") || behind[size/2] == 'x' != (name == "good") {
			t.Errorf("%s: the file behind it is wrong: %v", name, err)
		}
	}
}
