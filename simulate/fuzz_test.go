package simulate

import (
	"strings"
	"testing"

	"firstday.dev/ppkg"
)

func FuzzWLAN(f *testing.F) {
	f.Add(`<WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1"><name>a</name><SSIDConfig><SSID><hex>61</hex><name>a</name></SSID><nonBroadcast>true</nonBroadcast></SSIDConfig>` +
		`<MSM><security><authEncryption><authentication>WPA2PSK</authentication><encryption>AES</encryption><useOneX>false</useOneX></authEncryption>` +
		`<sharedKey><keyType>passPhrase</keyType><protected>false</protected><keyMaterial>correct horse</keyMaterial></sharedKey></security></MSM></WLANProfile>`)
	f.Add(`<WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1"/>`)
	f.Add(`<?xml version="1.0" encoding="utf-16"?><WLANProfile/>`)
	f.Fuzz(func(t *testing.T, profile string) {
		n, err := parseWLAN([]byte(profile))
		if err == nil && (n.SSID == "" || len(n.SSID) > maxSSID || n.Authentication == "") {
			t.Errorf("%+v", n)
		}
	})
}

func FuzzParseDevice(f *testing.F) {
	f.Add("serial=ABC,model=Latitude 7450")
	f.Add("platform=macos,=,")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDevice(text)
		if err != nil {
			return
		}
		if err := d.check(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzProviders hands providers nodes and values that no tool makes.
func FuzzProviders(f *testing.F) {
	for _, seed := range [][3]string{
		{"Accounts|Domain", "ComputerName", "ACME-%SERIAL%"},
		{"Accounts|Users|admin", "Password", "secret"},
		{"Accounts|Users", "Password", "secret"},
		{"MCSF|OOBE|Desktop", "HideOobe", "true"},
		{"WiFi|Profile|x", "WlanXml", "<WLANProfile/>"},
		{"RootCATrustedCertificates|Root|00", "EncodedCertificate", "AAAA"},
		{"Policy|Config|Area", "Name", "1"},
		{"Policy|Config", "Name", "1"},
		{"Policy/Config", "Name", "1"},
		{"Provisioning|Assets", "x", "y"},
		{"", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, node, name, value string) {
		w := &provisioning{Machine: &Machine{told: newNarrator(nil)}}
		s := &state{Device: Device{Serial: "S1"}}
		for _, kind := range []ppkg.Type{ppkg.String, ppkg.Integer} {
			v := values{strings.Split(node, "|"), []ppkg.Parm{{Name: name, Value: value, Type: kind}, {Name: "Password", Value: "x"}}}
			w.applyNode(s, &v)
		}
		for _, a := range s.Accounts {
			if a.Name == "" || strings.ContainsAny(a.Name, `/\`) {
				t.Errorf("account %q", a.Name)
			}
		}
	})
}
