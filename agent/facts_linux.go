package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
		Users: unixUsers(s.read("/etc/passwd"), s.read("/etc/group")),
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

// Accounts of people have numbers in this range (login.defs(5)).
const (
	firstPerson = 1000
	lastPerson  = 60000
)

// unixUsers lists the people in passwd(5).
func unixUsers(passwd, group string) []api.LocalUser {
	administrators := make(map[string]bool)
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 && slices.Contains([]string{"sudo", "wheel", "admin"}, f[0]) {
			for member := range strings.SplitSeq(f[3], ",") {
				administrators[member] = true
			}
		}
	}
	var users []api.LocalUser
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 {
			continue
		}
		if id, err := strconv.Atoi(f[2]); err != nil || id < firstPerson || id > lastPerson {
			continue
		}
		full, _, _ := strings.Cut(f[4], ",")
		users = append(users, api.LocalUser{Name: f[0], FullName: full, Administrator: administrators[f[0]]})
	}
	return users
}
