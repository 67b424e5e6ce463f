package media

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine is one whose kernel and udev say what a test wants.
type machine struct {
	t *testing.T
	system
	mounted strings.Builder
	minors  int
}

func newMachine(t *testing.T) *machine {
	dir := t.TempDir()
	m := &machine{t: t, system: system{sys: dir + "/sys", udev: dir + "/udev", mounts: dir + "/mountinfo", swaps: dir + "/swaps", dev: dir + "/dev"}}
	m.mkdir(m.sys+"/class/block", m.udev, m.dev)
	m.write(m.mounts, "")
	m.write(m.swaps, "Filename\tType\tSize\tUsed\tPriority\n")
	return m
}

func (m *machine) mkdir(dirs ...string) {
	m.t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	m.mkdir(filepath.Dir(name))
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

type attributes map[string]string

// block adds a device in a folder of /sys/devices. Sizes are in sectors of 512
// bytes.
func (m *machine) block(folder string, a attributes) (dir string) {
	m.t.Helper()
	name := filepath.Base(folder)
	dir = filepath.Join(m.sys, "devices", folder)
	m.mkdir(dir + "/holders")
	all := attributes{"dev": fmt.Sprintf("8:%d", m.minors), "ro": "0", "removable": "0"}
	m.minors++
	maps.Copy(all, a)
	for name, text := range all {
		m.write(filepath.Join(dir, name), text+"\n")
	}
	if err := os.Symlink(dir, filepath.Join(m.sys, "class/block", name)); err != nil {
		m.t.Fatal(err)
	}
	return dir
}

// usb adds a USB device with a disk, in a socket such as 1-4.2.
func (m *machine) usb(port, name string, a attributes) (dir string) {
	m.t.Helper()
	device := "pci0000:00/0000:00:14.0/usb1/" + port
	for name, text := range (attributes{"idVendor": "0781", "serial": "S" + name, "manufacturer": "SanDisk", "product": "Ultra"}) {
		m.write(filepath.Join(m.sys, "devices", device, name), text+"\n")
	}
	all := attributes{
		"removable": "1", "size": "31260672", "queue/logical_block_size": "512", "diskseq": fmt.Sprint(m.minors + 9),
		"device/vendor": "SanDisk ", "device/model": "Ultra           ",
	}
	maps.Copy(all, a)
	return m.block(device+"/"+port+":1.0/host6/target6:0:0/6:0:0:0/block/"+name, all)
}

// partition adds one to a disk.
func (m *machine) partition(disk string, number int, size string) (dir string) {
	m.t.Helper()
	folder, _ := strings.CutPrefix(disk, m.sys+"/devices/")
	name := filepath.Base(disk)
	if strings.Trim(name[len(name)-1:], "0123456789") == "" {
		name += "p"
	}
	return m.block(fmt.Sprintf("%s/%s%d", folder, name, number), attributes{"partition": fmt.Sprint(number), "size": size})
}

// hold makes a device a part of another.
func (m *machine) hold(dir, holder string) {
	m.t.Helper()
	if err := os.Symlink(holder, filepath.Join(dir, "holders", filepath.Base(holder))); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) number(dir string) string { return attribute(dir, "dev") }

// mount writes a line as the kernel does, with its escapes.
func (m *machine) mount(dir, root, folder string) {
	m.mountAs(m.number(dir), root, folder, "/dev/"+filepath.Base(dir))
}

func (m *machine) mountAs(number, root, folder, source string) {
	m.t.Helper()
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`, "#", `\043`)
	fmt.Fprintf(&m.mounted, "36 35 %s %s %s rw,relatime shared:1 - vfat %s rw\n", number, escape.Replace(root), escape.Replace(folder), escape.Replace(source))
	m.write(m.mounts, m.mounted.String())
}

func (m *machine) say(dir, fileSystem, label string) {
	m.t.Helper()
	m.write(filepath.Join(m.udev, "b"+m.number(dir)), "S:disk/by-id/x\nE:ID_FS_TYPE="+fileSystem+"\nE:ID_FS_LABEL=wrong\nE:ID_FS_LABEL_ENC="+label+"\n")
}
