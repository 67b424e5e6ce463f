package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"firstday.dev/api"
)

// Security is how a wireless network lets devices in.
type Security string

// The kinds of networks that need no more than a password.
const (
	WPA2 Security = "wpa2" // WPA2-Personal, AES
	WPA3 Security = "wpa3" // WPA3-Personal, SAE
	Open Security = "open"
)

var securities = []Security{WPA2, WPA3, Open}

// maxProfileSize bounds a WLAN profile, in bytes.
const maxProfileSize = 64 << 10

// WiFi is a wireless network: its name and password, or a whole profile as
// `netsh wlan export profile` writes it.
type WiFi struct {
	// Name of the network, 1 to 32 bytes. With a profile it is read from there.
	SSID string `yaml:"ssid"`
	// wpa2 (default), wpa3 or open.
	Security Security `yaml:"security"`
	// Whether the network hides its name. Default false.
	Hidden bool `yaml:"hidden"`
	// Where the password is; not for open networks.
	Password *SecretSource `yaml:"password"`
	// A WLAN profile (XML file) for everything else, such as WPA2-Enterprise; instead of the other fields.
	Profile Path `yaml:"profile"`

	// ProfileXML is the profile's text, read by Load.
	ProfileXML string `yaml:"-"`
	// ProfileHasKey is whether the profile carries a key in the clear.
	ProfileHasKey bool `yaml:"-"`
}

// Passphrase reads the network's password and checks that it can be one: 8 to
// 63 ASCII characters, or, for WPA2, a key of 64 hexadecimal digits. An open
// network and one with a profile have none (WLAN profile schema, keyMaterial).
func (w WiFi) Passphrase(prompt func(label string) ([]byte, error)) (api.Secret, error) {
	if w.Password == nil {
		return "", nil
	}
	secret, err := w.Password.Resolve(prompt)
	if err != nil {
		return "", err
	}
	s := secret.Reveal()
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", w.Password.bad("holds a control character")
	case strings.ContainsFunc(s, func(c rune) bool { return c > '~' }):
		return "", w.Password.bad("holds a character that is not ASCII")
	}
	key := w.Security == WPA2 && len(s) == 64 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
	if (len(s) < 8 || len(s) > 63) && !key {
		return "", w.Password.bad("has %d characters; a Wi-Fi password has 8 to 63", len(s))
	}
	return secret, nil
}

func checkWiFi(r *report, networks []WiFi) {
	for i := range networks {
		networks[i].check(r, fmt.Sprintf("windows.wifi[%d]", i))
	}
	checkDuplicates(r, networks)
}

// checkDuplicates reports networks of one name, which a profile tells only
// once it is read.
func checkDuplicates(r *report, networks []WiFi) {
	seen := map[string]bool{}
	for i, w := range networks {
		at := fmt.Sprintf("windows.wifi[%d].ssid", i)
		if w.Profile != "" {
			at = fmt.Sprintf("windows.wifi[%d].profile", i)
			if w.ProfileXML == "" {
				continue // not read yet
			}
		}
		if w.SSID != "" && seen[w.SSID] {
			r.errorf(at, "remove one of them", "network %q is listed twice", w.SSID)
		}
		seen[w.SSID] = true
	}
}

func (w *WiFi) check(r *report, path string) {
	if r.has(path + ".profile") {
		for _, key := range []string{"ssid", "security", "hidden", "password"} {
			if r.has(path + "." + key) {
				r.errorf(path+"."+key, "remove it, or the profile", "%s is given beside a profile, which says it already", key)
			}
		}
		return
	}
	w.checkSSID(r, path)
	if w.Security == "" {
		w.Security = WPA2
	}
	oneOf(r, path+".security", w.Security, securities)
	given := r.has(path + ".password")
	switch {
	case w.Security == Open && given:
		r.errorf(path+".password", "remove it, or write security: wpa2", "password is given for an open network")
	case !given && w.SSID != "" && (w.Security == WPA2 || w.Security == WPA3):
		r.errorf(path+".password", "add password with one of file, env and prompt, or write security: open", "network %q has no password", w.SSID)
	case w.Password != nil:
		w.Password.label = fmt.Sprintf("password of Wi-Fi %q", w.SSID)
		w.Password.check(r, path+".password")
	}
}

func (w *WiFi) checkSSID(r *report, path string) {
	switch {
	case w.SSID == "":
		r.errorf(path+".ssid", "give an ssid, or a profile", "the network has no name")
	case badSSID(w.SSID) != "":
		hint := ""
		if strings.Contains(w.SSID, "/") {
			hint = "use a profile, which may have another name than its network"
		}
		r.errorf(path+".ssid", hint, "ssid %s", badSSID(w.SSID))
	}
}

// badSSID says why a package cannot name a network so, or "".
func badSSID(name string) string {
	switch {
	case len(name) > 32:
		return fmt.Sprintf("has %d bytes; a network's name has at most 32", len(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	case strings.Contains(name, "/"):
		// The name is a node of the Wi-Fi CSP's path, where / separates.
		return "holds a slash, which a package cannot express"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a space"
	}
	return ""
}

// open reads the profile.
func (w *WiFi) open(r *report, path string) {
	if w.Password != nil {
		w.Password.open(r, path+".password")
	}
	if w.Profile == "" {
		return
	}
	path += ".profile"
	data, err := readFile(w.Profile, maxProfileSize)
	if err != nil {
		r.unreadable(path, w.Profile, err)
		return
	}
	w.SSID, w.ProfileHasKey, err = readProfile(data)
	if err != nil {
		r.errorf(path, "`netsh wlan export profile` writes such files", "%s: %v", w.Profile, err)
		return
	}
	if why := badSSID(w.SSID); why != "" {
		r.errorf(path, "give the profile another name", "%s: the profile's name %s", w.Profile, why)
		return
	}
	w.ProfileXML = string(bytes.TrimPrefix(data, []byte("\ufeff")))
}

const profileNamespace = "http://www.microsoft.com/networking/WLAN/profile/v1"

// readProfile checks that data is one WLAN profile and gives its name and
// whether it carries a key in the clear.
func readProfile(data []byte) (name string, key bool, err error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	var profile struct {
		XMLName xml.Name
		Name    string `xml:"name"`
		MSM     struct {
			Protected string `xml:"security>sharedKey>protected"`
			Key       string `xml:"security>sharedKey>keyMaterial"`
		} `xml:"MSM"`
	}
	if err := dec.Decode(&profile); err != nil {
		return "", false, fmt.Errorf("not well-formed XML: %w", err)
	}
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		switch token := token.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(token)) == 0 {
				continue
			}
		case xml.Comment:
			continue
		}
		return "", false, errors.New("something follows the profile")
	}
	if profile.XMLName != (xml.Name{Space: profileNamespace, Local: "WLANProfile"}) {
		return "", false, errors.New("not a WLAN profile")
	}
	if profile.Name == "" {
		return "", false, errors.New("the profile has no name")
	}
	if strings.TrimSpace(profile.MSM.Protected) == "true" {
		return "", false, errors.New("its key is encrypted for the machine that wrote it; export it with key=clear")
	}
	return profile.Name, profile.MSM.Key != "", nil
}
