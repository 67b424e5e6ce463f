package api

import (
	"net/url"
	"testing"
)

func TestOriginOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://Login.Example/a?b#c":       "https://login.example",
		"https://login.example:443/":        "https://login.example",
		"https://login.example:8443":        "https://login.example:8443",
		"https://192.0.2.7:8443/x":          "https://192.0.2.7:8443",
		"https://[2001:db8::7]/x":           "https://[2001:db8::7]",
		"https://[2001:DB8::7]:444/x":       "https://[2001:db8::7]:444",
		"https://xn--bcher-kva.example/":    "https://xn--bcher-kva.example",
		"https://localhost/":                "https://localhost",
		"http://login.example/":             "",
		"https:login.example":               "",
		"https:///x":                        "",
		"//login.example/":                  "",
		"https://ann@login.example/":        "",
		"https://bücher.example/":           "",
		"https://login.example./":           "",
		"https://login..example/":           "",
		"https://login.example:/":           "",
		"https://login.example:0/":          "",
		"https://login.example:0443/":       "",
		"https://login.example:65536/":      "",
		"https://127.1/":                    "",
		"https://0x7f000001/":               "",
		"https://2130706433/":               "",
		"https://[fe80::1%25eth0]/":         "",
		"https://[2001:db8:0:0:0:0:0:7]/":   "",
		"https://a*b.example/":              "",
		"file:///c:/windows":                "",
		"javascript:alert(1)":               "",
		"blob:https://login.example/x":      "",
		"view-source:https://login.example": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := OriginOf(u); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", address, got, err, want)
		}
	}
}
