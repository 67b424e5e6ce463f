package config

import (
	"errors"
	"strings"
	"testing"

	"firstday.dev/api"
)

const extensible = `version: 1
organisation: {name: Acme}
directory: {url: "https://directory.acme.example"}
windows:
  wifi: [{ssid: Acme, security: open}]
  payloads: [{file: tool.msi}]
`

func extend(t *testing.T, e Extension) (*Config, error) {
	t.Helper()
	c, err := Parse("firstday.yaml", []byte(extensible))
	if err != nil {
		t.Fatal(err)
	}
	e.Name = "the request"
	return c, c.Extend(e)
}

func TestExtensionsFollowTheRulesOfFiles(t *testing.T) {
	silent := "/S"
	for _, c := range []struct {
		name string
		e    Extension
		want string // of the error; empty: none
	}{
		{"nothing", Extension{}, ""},
		{"all", Extension{ComputerName: "PC-%SERIAL%", WiFi: []WiFi{{SSID: "Guests", Password: Asked()}}, Payloads: []Payload{{File: "setup.exe", Arguments: &silent}}}, ""},
		{"a template", Extension{ComputerName: "%NAME%"}, "Windows knows %SERIAL% and %RAND:n% only"},
		{"a long name", Extension{ComputerName: "A-NAME-THAT-IS-TOO-LONG"}, "at most 15"},
		{"no network name", Extension{WiFi: []WiFi{{Security: Open}}}, "the network has no name"},
		{"an unknown security", Extension{WiFi: []WiFi{{SSID: "x", Security: "wep"}}}, "wpa2"},
		{"no password", Extension{WiFi: []WiFi{{SSID: "x"}}}, `network "x" has no password`},
		{"a password for nothing", Extension{WiFi: []WiFi{{SSID: "x", Security: Open, Password: Asked()}}}, "password is given for an open network"},
		{"a network of the file", Extension{WiFi: []WiFi{{SSID: "Acme", Security: Open}}}, `network "Acme" is listed twice`},
		{"a payload of the file", Extension{Payloads: []Payload{{File: "elsewhere/TOOL.msi"}}}, "same name in the package"},
		{"a loud payload", Extension{Payloads: []Payload{{File: "setup.exe"}}}, "setup.exe has no arguments"},
		{"a script", Extension{Payloads: []Payload{{File: "setup.cmd"}}}, "neither an .msi nor an .exe"},
		{"the agent's name", Extension{Payloads: []Payload{{File: "firstday-agent-amd64.exe", Arguments: &silent}}}, "cannot be used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := extend(t, c.e)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var mistakes Errors
			if !errors.As(err, &mistakes) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "the request: ") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestExtensionsAreAdded(t *testing.T) {
	c, err := extend(t, Extension{ComputerName: "PC-%SERIAL%", WiFi: []WiFi{{SSID: "Guests", Password: Asked()}}, Payloads: []Payload{{File: "other.msi"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := c.Windows
	if w.ComputerName != "PC-%SERIAL%" || len(w.WiFi) != 2 || len(w.Payloads) != 2 || w.Payloads[1].Kind != MSI || w.WiFi[1].Security != WPA2 {
		t.Errorf("%+v", w)
	}
	asked := ""
	secret, err := w.WiFi[1].Passphrase(func(label string) ([]byte, error) {
		asked = label
		return []byte("correct horse"), nil
	})
	if err != nil || secret != api.Secret("correct horse") || asked != `password of Wi-Fi "Guests"` {
		t.Errorf("%q, %v", asked, err)
	}
}
