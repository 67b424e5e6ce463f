package agent

import (
	"os"
	"path/filepath"
	"strings"

	"firstday.dev/api"
)

// Facts reads what the kernel and files of the system say.
func (s linuxSystem) Facts() (api.Facts, error) {
	arch, err := s.Arch()
	if err != nil {
		return api.Facts{}, err
	}
	dmi := func(name string) string {
		data, err := os.ReadFile(filepath.Join("/sys/class/dmi/id", name))
		if err != nil {
			return "" // no such firmware
		}
		return meaningful(string(data))
	}
	name, err := os.Hostname()
	if err != nil {
		return api.Facts{}, err
	}
	release := keyValues(s.read("/etc/os-release"))
	return api.Facts{
		Platform: api.Linux, Serial: dmi("product_serial"), Manufacturer: dmi("sys_vendor"), Model: dmi("product_name"),
		Name: name, OS: release["NAME"], OSVersion: release["VERSION_ID"], Arch: arch,
		Encrypted: s.encrypted(),
	}, nil
}

// read gives a file of the system, nothing if it cannot be read.
func (s linuxSystem) read(path string) string {
	data, err := os.ReadFile(filepath.Join(s.root, path))
	if err != nil {
		return ""
	}
	return string(data)
}

// keyValues reads os-release(5).
func keyValues(text string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return values
}
