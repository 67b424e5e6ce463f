package wifi

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// port is a piece of hardware, by the name that macOS gives it.
type port struct {
	name   string // such as "Wi-Fi", "Ethernet" or "USB 10/100/1000 LAN"
	device string // such as en0
}

// wireless tells Wi-Fi, which was AirPort until OS X 10.6.
func (p port) wireless() bool { return p.name == "Wi-Fi" || p.name == "AirPort" }

// wired tells what a cable is plugged into. What is called en besides are the
// members of the Thunderbolt bridge, which is none.
func (p port) wired() bool {
	return !p.wireless() && strings.HasPrefix(p.device, "en") && !thunderboltMember.MatchString(p.name) && p.name != "Bluetooth PAN"
}

var (
	thunderboltMember = regexp.MustCompile(`^Thunderbolt \d+$`)
	deviceName        = regexp.MustCompile(`^[a-z]{1,8}[0-9]{1,4}$`)
)

// maxPorts bounds a list, each of which is asked about.
const maxPorts = 40

// readPorts reads "networksetup -listallhardwareports": paragraphs of "Hardware
// Port:", "Device:" and "Ethernet Address:", and VLANs in a part of their own.
func readPorts(text string) (ports []port) {
	text, _, _ = strings.Cut(text, "VLAN Configurations")
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, "Hardware Port:"); ok {
			name = strings.TrimSpace(n)
		}
		device, ok := strings.CutPrefix(line, "Device:")
		if device = strings.TrimSpace(device); !ok || name == "" || !deviceName.MatchString(device) {
			continue
		}
		if ports = append(ports, port{name, device}); len(ports) == maxPorts {
			break
		}
		name = ""
	}
	return ports
}

// readPower reads "networksetup -getairportpower": "Wi-Fi Power (en0): On".
func readPower(text, device string) (on bool, err error) {
	_, state, ok := strings.Cut(strings.TrimSpace(text), " Power ("+device+"): ")
	if !ok || state != "On" && state != "Off" {
		return false, fmt.Errorf("networksetup says of the Wi-Fi switch: %.200q", text)
	}
	return state == "On", nil
}

// maxSaved bounds a list that grows for years.
const maxSaved = 500

// readSaved reads "networksetup -listpreferredwirelessnetworks": a heading, and a
// name in each line, after a tab. Names may begin and end with spaces.
func readSaved(text string) (names []string) {
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "\t")
		if !ok || !showable(name) {
			continue
		}
		if names = append(names, name); len(names) == maxSaved {
			break
		}
	}
	return names
}

// readCurrent reads "networksetup -getairportnetwork": "Current Wi-Fi Network: NAME",
// or that there is none, which is not to be believed from macOS 15 on.
func readCurrent(text string) string {
	text = strings.TrimRight(text, "\r\n")
	for _, heading := range []string{"Current Wi-Fi Network: ", "Current AirPort Network: "} {
		if name, ok := strings.CutPrefix(text, heading); ok && showable(name) && name != redacted {
			return name
		}
	}
	return ""
}

// redacted is what Apple's programs write in place of a name that they withhold.
const redacted = "<redacted>"

// refusal is why a network was not joined, as far as somebody said.
type refusal struct {
	code Code
	err  error
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.code, r.err) }
func (r *refusal) Unwrap() error { return r.err }

// codeOf gives the code of an error; [CodeFailed] has no better one.
func codeOf(err error) Code {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return CodeFailed
}

var numberedError = regexp.MustCompile(`Error: (-?[0-9]{1,9})\b`)

// readJoin reads what "networksetup -setairportnetwork" says, which is nothing if
// all is well. It names the network, which nobody needs to know from a log.
func readJoin(text, name string, security Security) error {
	text = strings.TrimSpace(text)
	said := fmt.Errorf("networksetup says: %.300q", strings.ReplaceAll(text, name, "(name)"))
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, "Could not find network"):
		return &refusal{CodeNotFound, said}
	case numberedError.MatchString(text):
		all := numberedError.FindAllStringSubmatch(text, -1) // the name may look like one, and comes first
		n, _ := strconv.Atoi(all[len(all)-1][1])             // nine digits
		return &refusal{codeOfCoreWLAN(n, security), said}
	}
	return &refusal{CodeFailed, said}
}

// codeOfCoreWLAN reads the numbers of CoreWLANTypes.h, which networksetup gives,
// too. macOS tells nobody outright that a password is wrong: what comes of it is a
// parameter that is none (-3900: it is missing, or too short), a challenge that
// fails (WEP), a key that is refused, or a handshake that nobody ends.
func codeOfCoreWLAN(n int, security Security) Code {
	secret := CodePassword
	switch security {
	case SecurityEnterprise:
		secret = CodeIdentity
	case SecurityOpen:
		secret = CodeRefused
	}
	switch n {
	case 1, -3900, -3912, -3924, -3925: // EAPOL, parameter, challenge, PMK, supplicant's time
		return secret
	case -3905:
		return CodeTimeout
	case -3907, -3908, -3909, -3910, -3911, -3913, -3914, -3915, -3916, -3917, -3918, -3919, -3920, -3921, -3922, -3923, -3926, -3927:
		return CodeRefused
	case coreNotPermitted:
		return CodeRefused
	}
	return CodeFailed
}

// Numbers of CoreWLANTypes.h after which another way may still work.
const (
	coreNotSupported = -3903
	coreNotBound     = -3928
	coreIPC          = -3929
	coreNotPermitted = -3930
)
