package agent

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEncryptedDevice(t *testing.T) {
	sys := t.TempDir()
	for path, text := range map[string]string{
		"devices/sda/sda1/partition": "1",
		"devices/sdb/slaves/.keep":   "",
		"devices/dm-0/dm/uuid":       "CRYPT-LUKS2-0123-root\n",
		"devices/dm-1/dm/uuid":       "LVM-abc\n",
		"devices/dm-2/dm/uuid":       "LVM-def\n",
		"devices/dm-3/dm/uuid":       "LVM-ghi\n",
	} {
		file := filepath.Join(sys, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(sys, "devices/sdb/slaves/.keep")); err != nil {
		t.Fatal(err)
	}
	link := func(name, to string) {
		t.Helper()
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(sys, to), path); err != nil {
			t.Fatal(err)
		}
	}
	for number, device := range map[string]string{"8:1": "sda/sda1", "8:16": "sdb", "254:0": "dm-0", "254:1": "dm-1", "254:2": "dm-2", "254:3": "dm-3", "254:9": "dm-9"} {
		link("dev/block/"+number, "devices/"+device)
	}
	link("devices/dm-0/slaves/sda1", "devices/sda/sda1")
	link("devices/dm-1/slaves/dm-0", "devices/dm-0") // LVM on LUKS
	link("devices/dm-2/slaves/dm-0", "devices/dm-0") // on LUKS and, in part, not
	link("devices/dm-2/slaves/sda1", "devices/sda/sda1")
	link("devices/dm-3/slaves/dm-3", "devices/dm-3") // below itself
	for number, want := range map[string]*bool{
		"8:1": new(false), "8:16": new(false), "254:0": new(true), "254:1": new(true), "254:2": new(false), "254:3": nil, "254:9": nil, "0:31": nil,
	} {
		got := encryptedDevice(sys, number)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %v, want %v", number, got, want)
		}
	}
}
