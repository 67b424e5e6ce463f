package config

import "testing"

func TestNearest(t *testing.T) {
	keys := []string{"ssid", "security", "hidden", "password", "profile"}
	for word, want := range map[string]string{
		"pasword": "password", "Password": "password", "securty": "security", "hiden": "hidden", "sisd": "ssid",
		"pass_word": "password", "name": "", "x": "", "passphrase": "", "profiles": "profile", "": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestHomeOf(t *testing.T) {
	for key, want := range map[string]string{
		"wifi": "under windows", "Wi-Fi": "under windows", "ssid": "under windows.wifi", "pkcs12": "under signing",
		"organisation": "at the top of the file", "name": "", "nothing": "", "root_certificates": "under windows",
	} {
		if got := homeOf(key); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestNearestPolicy(t *testing.T) {
	for name, want := range map[string]string{
		"Experience/AllowCortna":  "Experience/AllowCortana",
		"experience/allowcortana": "Experience/AllowCortana",
		"AllowCortana":            "Experience/AllowCortana", // no area
		"System/AllowCortana":     "Experience/AllowCortana", // another's
		"../AllowCortana":         "Experience/AllowCortana",
		"Foo/Bar":                 "",
		"":                        "",
		"/":                       "",
	} {
		if got := nearestPolicy(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
