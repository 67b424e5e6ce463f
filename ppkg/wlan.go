package ppkg

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Security is how a wireless network lets devices in.
type Security int

// The kinds of networks a package can describe without a whole profile.
const (
	WPA2 Security = iota // WPA2-Personal
	WPA3                 // WPA3-Personal; for networks that are WPA2 as well, WPA2 is what older adapters know
	OpenNetwork
)

// securityLabels are the Designer's names, and authentication and encryption
// of a WLAN profile. ICD's WEP is not offered.
var securityLabels = []struct{ label, authentication, encryption string }{
	WPA2:        {"WPA2-Personal", "WPA2PSK", "AES"},
	WPA3:        {"WPA3-Personal", "WPA3SAE", "AES"},
	OpenNetwork: {"Open", "open", "none"},
}

// WLAN is a wireless network.
type WLAN struct {
	SSID     string // 1 to 32 bytes, without a slash
	Security Security
	Key      string // 8 to 63 characters of ASCII, or for WPA2 64 hexadecimal digits; none for open networks
	Hidden   bool   // the network does not tell its name
	Manual   bool   // do not connect without being asked

	// Profile is a whole WLAN profile, as `netsh wlan export profile
	// key=clear` writes it, instead of all but the SSID: its name.
	Profile string
}

// Setting is the setting that adds the network.
func (w WLAN) Setting() Setting {
	config := newElement("WLANConfig", "SSID", w.SSID, "Name", w.SSID)
	if w.Profile != "" {
		e := textElement("WlanXml", strings.TrimPrefix(w.Profile, bom))
		e.attrs = []attribute{{Namespace, "type", String.String()}}
		return branch("ConnectivityProfiles/WLAN/WLANSetting", config.add(e))
	}
	if w.Security < 0 || int(w.Security) >= len(securityLabels) {
		return invalid("network %q: unknown security %d", w.SSID, w.Security)
	}
	settings := newElement("WLANXmlSettings").add(
		textElement("AutoConnect", label(!w.Manual)),
		textElement("HiddenNetwork", label(w.Hidden)))
	if w.Key != "" {
		settings.add(textElement("SecurityKey", w.Key))
	}
	settings.add(textElement("SecurityType", securityLabels[w.Security].label))
	return branch("ConnectivityProfiles/WLAN/WLANSetting", config.add(settings))
}

// check refuses what would make a profile that Windows refuses, on the device,
// where nobody sees why.
func (w WLAN) check() error {
	key := w.Security == WPA2 && isHexKey(w.Key)
	switch {
	case w.SSID == "" || len(w.SSID) > 32:
		return fmt.Errorf("name of a network has %d bytes, not 1 to 32", len(w.SSID))
	case strings.Contains(w.SSID, "/"):
		return fmt.Errorf("name of a network holds a slash, which a package cannot express")
	case w.Profile != "":
		return checkWLANProfile(w.Profile)
	case w.Security == OpenNetwork && w.Key != "":
		return fmt.Errorf("an open network has a key")
	case w.Security != OpenNetwork && !key && (len(w.Key) < 8 || len(w.Key) > 63):
		return fmt.Errorf("key has %d characters, not 8 to 63", len(w.Key))
	case strings.ContainsFunc(w.Key, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("key holds a character that is not ASCII")
	}
	return nil
}

// checkWLANProfile makes sure that a profile is one, as far as its root element.
func checkWLANProfile(profile string) error {
	root, err := parseXML([]byte(profile))
	if err == nil && root.name != "WLANProfile" {
		err = fmt.Errorf("root element is <%.60s>", root.name)
	}
	if err != nil {
		return fmt.Errorf("not a WLAN profile: %w", err)
	}
	return nil
}

func isHexKey(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64
}

func (c *compiler) wlan(p *place) error {
	w := WLAN{SSID: key(p.element)}
	for _, e := range p.children {
		at := p.at(e)
		switch {
		case e.name == "WlanXml" && e.attrIn(Namespace, "type") == String.String():
			// Not of the Designer: it has no way to say this.
			w.Profile = e.text
		case e.name == "WLANXmlSettings":
			if err := w.read(at); err != nil {
				return err
			}
		default:
			return at.unknown()
		}
	}
	if err := w.check(); err != nil {
		return p.errorf("%w", err)
	}
	profile := w.Profile
	if profile == "" {
		profile = w.profile()
	}
	c.entry(p.path, p.entry, Parm{
		Path: p.path, Node: []string{"WiFi", "Profile", w.SSID},
		Name: "WlanXml", Type: String, Value: profile,
	})
	return nil
}

// read takes what the Designer's WLANXmlSettings say.
func (w *WLAN) read(p *place) error {
	for _, e := range p.children {
		at := p.at(e)
		switch e.name {
		case "AutoConnect", "HiddenNetwork":
			value, err := row{Type: Boolean, labels: trueFalse}.value(e.text)
			if err != nil {
				return at.errorf("%w", err)
			}
			if e.name == "HiddenNetwork" {
				w.Hidden = value == "true"
			} else {
				w.Manual = value != "true"
			}
		case "SecurityKey":
			w.Key = e.text
		case "SecurityType":
			found := false
			for i, s := range securityLabels {
				if strings.EqualFold(strings.TrimSpace(e.text), s.label) {
					w.Security, found = Security(i), true
				}
			}
			if !found {
				return at.errorf("%w %.60q, not one of WPA2-Personal, WPA3-Personal, Open", ErrValue, e.text)
			}
		default:
			return at.unknown()
		}
	}
	return nil
}

// profile renders the network as a WLAN profile: the schema is public at
// learn.microsoft.com, "WLAN_profile Schema".
func (w WLAN) profile() string {
	esc := func(s string) string { return escapeText.Replace(s) }
	s := securityLabels[w.Security]
	var b strings.Builder
	b.WriteString(`<WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1">`)
	fmt.Fprintf(&b, "<name>%s</name><SSIDConfig><SSID>", esc(w.SSID))
	if strings.ContainsFunc(w.SSID, func(r rune) bool { return r > '~' }) {
		// The bytes that the network sends, beside a name to show.
		fmt.Fprintf(&b, "<hex>%X</hex>", w.SSID)
	}
	fmt.Fprintf(&b, "<name>%s</name></SSID><nonBroadcast>%t</nonBroadcast></SSIDConfig>", esc(w.SSID), w.Hidden)
	mode := "auto"
	if w.Manual {
		mode = "manual"
	}
	fmt.Fprintf(&b, "<connectionType>ESS</connectionType><connectionMode>%s</connectionMode>", mode)
	fmt.Fprintf(&b, "<MSM><security><authEncryption><authentication>%s</authentication><encryption>%s</encryption><useOneX>false</useOneX></authEncryption>",
		s.authentication, s.encryption)
	if w.Security != OpenNetwork {
		kind := "passPhrase"
		if w.Security == WPA2 && isHexKey(w.Key) {
			kind = "networkKey"
		}
		fmt.Fprintf(&b, "<sharedKey><keyType>%s</keyType><protected>false</protected><keyMaterial>%s</keyMaterial></sharedKey>", kind, esc(w.Key))
	}
	b.WriteString("</security></MSM></WLANProfile>")
	return b.String()
}
