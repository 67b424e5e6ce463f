package simulate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"firstday.dev/api"
)

// Device is what a device says of itself when nobody has set it up.
type Device struct {
	Platform     api.Platform `json:"platform"`
	Serial       string       `json:"serial"`
	Manufacturer string       `json:"manufacturer"`
	Model        string       `json:"model"`
	Name         string       `json:"name"` // of the computer
	Arch         string       `json:"arch"` // in Go's words: amd64 or arm64
	OS           string       `json:"os"`
	OSVersion    string       `json:"osVersion"`
}

// DeviceKeys are the names that [ParseDevice] knows.
var DeviceKeys = []string{"platform", "serial", "manufacturer", "model", "name", "arch", "os", "osVersion"}

// field gives what a key stands for, nil if there is no such key.
func (d *Device) field(key string) *string {
	i := slices.IndexFunc(DeviceKeys, func(k string) bool { return strings.EqualFold(k, key) })
	if i < 0 {
		return nil
	}
	return []*string{(*string)(&d.Platform), &d.Serial, &d.Manufacturer, &d.Model, &d.Name, &d.Arch, &d.OS, &d.OSVersion}[i]
}

// ParseDevice reads a description such as serial=ABC,model=Latitude 7450. What
// it does not say stays empty.
func ParseDevice(text string) (Device, error) {
	var d Device
	if strings.TrimSpace(text) == "" {
		return d, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		field := d.field(strings.TrimSpace(key))
		switch {
		case !ok || field == nil:
			return d, fmt.Errorf("%.60q is not one of %s, each followed by = and a value", part, strings.Join(DeviceKeys, ", "))
		case *field != "":
			return d, fmt.Errorf("%s is given twice", strings.TrimSpace(key))
		}
		if *field = strings.TrimSpace(value); *field == "" {
			return d, fmt.Errorf("%s is empty", strings.TrimSpace(key))
		}
	}
	return d, d.check()
}

// maxText bounds what is said of a device, in bytes. Facts of devices have room
// for more.
const maxText = 200

func (d *Device) check() error {
	for _, key := range DeviceKeys {
		text := *d.field(key)
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("%s is longer than %d bytes, or no plain text", key, maxText)
		}
	}
	if d.Platform != "" && d.Platform != api.Windows && d.Platform != api.MacOS {
		return fmt.Errorf("platform %.20q is neither windows nor macos", string(d.Platform))
	}
	if d.Arch != "" && d.Arch != "amd64" && d.Arch != "arm64" {
		return fmt.Errorf("architecture %.20q is neither amd64 nor arm64", d.Arch)
	}
	return nil
}

// complete chooses what was left empty, a serial number of its own above all:
// to a directory two devices of one serial number are the same.
func (d Device) complete() (Device, error) {
	if err := d.check(); err != nil {
		return d, err
	}
	var usual Device
	switch d.Platform {
	case api.Windows:
		usual = Device{
			Manufacturer: "Firstday", Model: "Simulated laptop", Name: "DESKTOP-" + rand.Text()[:7],
			Arch: "amd64", OS: "Windows 11 Pro", OSVersion: "10.0.26100",
		}
	case api.MacOS:
		usual = Device{
			Manufacturer: "Apple", Model: "Mac16,1", Name: "MacBook-Pro.local",
			Arch: "arm64", OS: "macOS", OSVersion: "26.1",
		}
	default:
		return d, errors.New("nothing says whether the device runs windows or macos")
	}
	usual.Serial = "SIM" + rand.Text()[:7]
	for _, key := range DeviceKeys {
		if field := d.field(key); *field == "" {
			*field = *usual.field(key)
		}
	}
	return d, nil
}

// contradicts tells where a description differs from the device. Its name may:
// packages change it.
func (d *Device) contradicts(is Device) error {
	for _, key := range DeviceKeys {
		want, got := *d.field(key), *is.field(key)
		if want != "" && want != got && key != "name" {
			return fmt.Errorf("%w: its %s is %s, not %s", ErrOtherDevice, key, got, want)
		}
	}
	return nil
}
