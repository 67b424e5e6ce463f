package testloop

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is written to the disk is in the file, and the disk is gone afterwards.
func TestAttach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stick.img")
	want := bytes.Repeat([]byte("stick"), 4096)
	if err := os.WriteFile(path, make([]byte, len(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	var device string
	t.Run("attached", func(t *testing.T) {
		device = Attach(t, path)
		if err := os.WriteFile(device, want, 0); err != nil {
			t.Fatal(err)
		}
	})
	if device == "" {
		t.Skip("no loop devices here")
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %.20q, %v", got, err)
	}
	if err := Detach(device); !errors.Is(err, unix.ENXIO) {
		t.Errorf("%s is still there: %v", device, err)
	}
}

func TestAttachReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stick.img")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(AttachReadOnly(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := unix.IoctlGetInt(int(d.Fd()), unix.BLKROGET); err != nil || got != 1 {
		t.Errorf("read-only is %d, %v", got, err)
	}
}
