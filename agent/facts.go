package agent

import (
	"strings"

	"firstday.dev/api"
)

// factsOf is what this device says about itself: what the system tells, and
// what only the agent knows.
func (a *Agent) factsOf() (api.Facts, error) {
	f, err := a.System.Facts()
	if err != nil {
		return f, err
	}
	f.AgentVersion, f.KeyStorage = a.Version, api.KeyInFile
	for _, text := range []*string{&f.Serial, &f.Manufacturer, &f.Model, &f.Name, &f.OS, &f.OSVersion} {
		*text = fact(*text)
	}
	for i := range f.Users {
		f.Users[i].Name, f.Users[i].FullName = fact(f.Users[i].Name), fact(f.Users[i].FullName)
	}
	return f, f.Check()
}

// maxFact bounds a fact, in bytes. The directory would refuse a longer one, and
// with it the device.
const maxFact = 200

// fact makes of what firmware and people write one line of text.
func fact(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == ' ' || r >= 0x80 && r < 0xa0 }), " ")
	if len(text) > maxFact {
		text = strings.ToValidUTF8(text[:maxFact], "")
	}
	return text
}

// meaningful forgets what makers write where they have nothing to write: as a
// serial number it would make different devices one.
func meaningful(text string) string {
	switch strings.ToLower(fact(text)) {
	case "", "0", "00000000", "none", "n/a", "not specified", "not applicable", "default string", "system serial number",
		"to be filled by o.e.m.", "o.e.m.", "oem", "invalid", "123456789", "0123456789", "chassis serial number":
		return ""
	}
	return text
}
