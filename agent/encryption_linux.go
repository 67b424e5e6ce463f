package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// encrypted tells whether the running system's own files are on an encrypted
// disk. nil: the kernel does not say, as of a network's disk.
func (s linuxSystem) encrypted() *bool {
	var root unix.Stat_t
	if s.root != "" || unix.Stat("/", &root) != nil {
		return nil
	}
	return encryptedDevice("/sys", fmt.Sprintf("%d:%d", unix.Major(root.Dev), unix.Minor(root.Dev)))
}

// maxLayers bounds how many devices lie below each other.
const maxLayers = 8

// encryptedDevice looks for dm-crypt below a block device, in sysfs: its uuid
// begins with CRYPT-. Of a device that spreads over several, all must be.
func encryptedDevice(sysfs, number string) *bool {
	return encryptedBelow(filepath.Join(sysfs, "dev/block", number), maxLayers)
}

func encryptedBelow(device string, layers int) *bool {
	if _, err := os.Stat(device); err != nil || layers == 0 {
		return nil
	}
	uuid, err := os.ReadFile(filepath.Join(device, "dm/uuid"))
	if err == nil && strings.HasPrefix(string(uuid), "CRYPT-") {
		return new(true)
	}
	slaves, err := os.ReadDir(filepath.Join(device, "slaves"))
	if err != nil || len(slaves) == 0 {
		return new(false) // a disk, or a part of one
	}
	for _, slave := range slaves {
		if is := encryptedBelow(filepath.Join(device, "slaves", slave.Name()), layers-1); is == nil || !*is {
			return is
		}
	}
	return new(true)
}
