package agent

import (
	"context"
	"strings"

	"firstday.dev/api"
)

// factsOf is what this device says about itself: what the system tells, and
// what only the agent knows.
func (m *member) factsOf(ctx context.Context) (api.Facts, error) {
	f, err := m.System.Facts()
	if err != nil {
		return f, err
	}
	if f.Users, err = m.localUsers(ctx); err != nil {
		f.Problems = append(f.Problems, fact("the local accounts are not known: "+err.Error()))
	}
	for _, p := range m.tokenProblems(ctx) {
		f.Problems = append(f.Problems, fact(p))
	}
	f.AgentVersion = m.Version
	m.addKey(&f)
	for _, text := range []*string{&f.Serial, &f.Manufacturer, &f.Model, &f.Name, &f.OS, &f.OSVersion} {
		*text = fact(*text)
	}
	if m.health != nil {
		for _, p := range m.health() {
			f.Problems = append(f.Problems, fact(p))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.problems {
		f.Problems = append(f.Problems, fact(p))
	}
	m.facts = f
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
