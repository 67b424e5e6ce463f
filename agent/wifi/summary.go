package wifi

import "strings"

// summary is what the system's configuration agent knows of a device.
type summary struct {
	active   bool // there is a carrier: a cable, or a network that was joined
	wireless bool
	name     string
	withheld bool // there is a name, and it is withheld
	security string
}

// readSummary reads "ipconfig getsummary DEVICE": a dictionary whose own keys stand
// after two spaces, sorted. Among them, in IPv4, is what a DHCP server said, as it
// came and without an indent: lines that could say anything. But they come before
// all that is read here, so the last line of a key is the dictionary's.
func readSummary(text string) (s summary) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		key, value, ok := strings.Cut(line, " : ")
		if !ok {
			continue
		}
		switch key {
		case "  InterfaceType":
			// What stood before was a DHCP server's.
			s = summary{wireless: value == "WiFi"}
		case "  LinkStatusActive":
			s.active = value == "TRUE"
		case "  SSID":
			s.name, s.withheld = "", value == redacted
			if !s.withheld && showable(value) {
				s.name = value
			}
		case "  Security":
			s.security = value
		}
	}
	return s
}
