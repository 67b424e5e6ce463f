package simulate

import (
	"strings"
	"testing"
)

func TestWLANProfiles(t *testing.T) {
	profile := func(name, ssid, authentication, key string) string {
		return `<WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1"><name>` + name + `</name><SSIDConfig><SSID>` + ssid +
			`</SSID><nonBroadcast>true</nonBroadcast></SSIDConfig><MSM><security><authEncryption><authentication>` + authentication +
			`</authentication></authEncryption>` + key + `</security></MSM></WLANProfile>`
	}
	shared := func(kind, key string) string {
		return `<sharedKey><keyType>` + kind + `</keyType><keyMaterial>` + key + `</keyMaterial></sharedKey>`
	}
	const name = "<name>Acme</name>"
	for text, want := range map[string]network{
		profile("Acme", name, "open", ""):                                                                   {"Acme", "open", true},
		profile("Acme", name, "WPA2PSK", shared("passPhrase", "correct horse")):                             {"Acme", "WPA2PSK", true},
		profile("Büro", "<hex>42C3BC726F</hex><name>B</name>", "WPA3SAE", shared("passPhrase", "12345678")): {"Büro", "WPA3SAE", true},
		profile("Acme", name, "WPA2PSK", shared("networkKey", strings.Repeat("ab", 32))):                    {"Acme", "WPA2PSK", true},
		profile("Acme", name, "WPA2", ""):                                                                   {"Acme", "WPA2", true}, // 802.1X has no shared key
	} {
		if got, err := parseWLAN([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "hello", "<WLANProfile/>", "<x/>",
		profile("", name, "open", ""),
		profile("Acme", "", "open", ""),
		profile("Acme", "<name>"+strings.Repeat("x", 33)+"</name>", "open", ""),
		profile("Acme", "<hex>zz</hex>", "open", ""),
		profile("Acme", name, "", ""),
		profile("Acme", name, "WPA2PSK", ""),
		profile("Acme", name, "WPA2PSK", shared("passPhrase", "short")),
		profile("Acme", name, "WPA2PSK", shared("networkKey", "correct horse")),
		strings.Repeat(" ", maxProfile+1),
	} {
		if got, err := parseWLAN([]byte(text)); err == nil {
			t.Errorf("%.200s: %+v", text, got)
		}
	}
}
