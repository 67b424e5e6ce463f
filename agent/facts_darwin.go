package agent

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/api"
	"firstday.dev/internal/propertylist"
)

// factLimit bounds each tool that is asked.
const factLimit = 10 * time.Second

// Facts asks the kernel, the I/O registry and the local directory node.
func (s darwinSystem) Facts() (api.Facts, error) {
	arch, err := s.Arch()
	if err != nil {
		return api.Facts{}, err
	}
	model, err := unix.Sysctl("hw.model")
	if err != nil {
		return api.Facts{}, err
	}
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		return api.Facts{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return api.Facts{}, err
	}
	return api.Facts{
		Platform: api.MacOS, Serial: serialOfMac(), Manufacturer: "Apple", Model: model,
		Name: name, OS: "macOS", OSVersion: version, Arch: arch,
		Encrypted: fileVault(),
	}, nil
}

func ask(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), factLimit)
	defer cancel()
	out, err := tool(exec.CommandContext(ctx, name, args...))
	if err != nil {
		return "" // a fact that is not known
	}
	return out
}

// fileVault tells whether the startup disk's FileVault is on. fdesetup(8) prints
// that, and ends with 1 if it is off.
func fileVault() *bool {
	ctx, cancel := context.WithTimeout(context.Background(), factLimit)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "/usr/bin/fdesetup", "isactive").Output()
	switch strings.TrimSpace(string(out)) {
	case "true":
		return new(true)
	case "false":
		return new(false)
	}
	return nil
}

func serialOfMac() string {
	var devices []struct {
		Serial string `plist:"IOPlatformSerialNumber"`
	}
	out := ask("/usr/sbin/ioreg", "-a", "-d1", "-r", "-c", "IOPlatformExpertDevice")
	if propertylist.Unmarshal([]byte(out), &devices) != nil || len(devices) == 0 {
		return ""
	}
	return meaningful(devices[0].Serial)
}
