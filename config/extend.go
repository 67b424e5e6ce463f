package config

import (
	"fmt"
	"time"
)

// Extension is what one package has beside what its configuration says.
type Extension struct {
	// Name is what stands in errors in the place of a file's name.
	Name         string
	ComputerName ComputerName // in the place of the configuration's
	WiFi         []WiFi
	Payloads     []Payload
}

// Extend adds to a configuration, by the rules of a file: mistakes are [Errors]. It
// looks at the payloads' files if they are there to be looked at.
func (c *Config) Extend(e Extension) error {
	c.Windows.WiFi, c.Windows.Payloads = append(c.Windows.WiFi[:len(c.Windows.WiFi):len(c.Windows.WiFi)], e.WiFi...),
		append(c.Windows.Payloads[:len(c.Windows.Payloads):len(c.Windows.Payloads)], e.Payloads...)
	r := newReport(e.Name, time.Now())
	if e.ComputerName != "" {
		c.Windows.ComputerName = e.ComputerName
		r.places["windows.computerName"] = position{}
		e.ComputerName.check(r, "windows.computerName")
	}
	added := len(c.Windows.WiFi) - len(e.WiFi)
	for i := range c.Windows.WiFi[added:] {
		w := &c.Windows.WiFi[added+i]
		at := fmt.Sprintf("windows.wifi[%d]", added+i)
		r.places[at+".ssid"] = position{}
		if w.Password != nil {
			for _, key := range []string{".password", ".password.prompt"} {
				r.places[at+key] = position{}
			}
		}
		w.check(r, at)
	}
	checkDuplicates(r, c.Windows.WiFi)
	for i := range c.Windows.Payloads {
		r.places[fmt.Sprintf("windows.payloads[%d].file", i)] = position{}
	}
	checkPayloads(r, c.Windows.Payloads)
	if len(r.errs) > 0 {
		return r.mistakes()
	}
	c.Warnings = append(c.Warnings, r.tell(r.warnings)...)
	return nil
}

// Asked is a secret that whoever builds is asked for.
func Asked() *SecretSource { return &SecretSource{Prompt: true} }
