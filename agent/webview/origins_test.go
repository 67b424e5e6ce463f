package webview

import (
	"net/url"
	"strings"
	"testing"

	"firstday.dev/api"
)

func TestAllowed(t *testing.T) {
	o, err := NewOrigins([]string{"https://signin.acme.example", "https://login.example:8443"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://signin.acme.example":                     true,
		"https://signin.acme.example/":                    true,
		"https://signin.acme.example/signin?code=ABCD#x":  true,
		"https://signin.acme.example:443/signin":          true,
		"https://SIGNIN.acme.example/signin":              true,
		"https://login.example:8443/authorize?a=https://": true,
		"about:blank": true,

		"":                                                               false,
		"about:srcdoc":                                                   false,
		"about:blank#x":                                                  false,
		"about:version":                                                  false,
		"http://signin.acme.example/":                                    false,
		"HTTPS://signin.acme.example/":                                   false, // no browser writes it so
		"https://login.example/":                                         false,
		"https://login.example:443/":                                     false,
		"https://login.example:08443/":                                   false,
		"https://login.example:8443:8443/":                               false,
		"https://signin.acme.example:8443/":                              false,
		"https://acme.example/":                                          false,
		"https://x.signin.acme.example/":                                 false,
		"https://signin.acme.example.evil/":                              false,
		"https://signin.acme.example./":                                  false,
		"https://evil/signin.acme.example/":                              false,
		"https://evil?https://signin.acme.example":                       false,
		"https://evil#@signin.acme.example/":                             false,
		"https://signin.acme.example@evil/":                              false,
		"https://signin.acme.example:x@evil/":                            false,
		"https://ann@signin.acme.example/":                               false,
		`https://evil\@signin.acme.example/`:                             false,
		`https://signin.acme.example\@evil/`:                             false,
		`https:\\signin.acme.example/`:                                   false,
		"https:signin.acme.example/":                                     false,
		"https:/signin.acme.example/":                                    false,
		"https:///signin.acme.example/":                                  false,
		"//signin.acme.example/":                                         false,
		"\u0020https://signin.acme.example/":                             false,
		"https://signin.acme.example/\n":                                 false,
		"https://signin.acme\t.example/":                                 false,
		"https://signin.acme.example\x00.evil/":                          false,
		"https://signin.acme.example%00.evil/":                           false,
		"https://signin%2eacme.example/":                                 false,
		"https://signin。acme.example/":                                   false,
		"https://sıgnin.acme.example/":                                   false,
		"file:///C:/Windows/System32/cmd.exe":                            false,
		"file://signin.acme.example/share":                               false,
		"data:text/html,x":                                               false,
		"blob:https://signin.acme.example/1":                             false,
		"filesystem:https://signin.acme.example/":                        false,
		"view-source:https://signin.acme.example":                        false,
		"javascript:alert(1)":                                            false,
		"ms-settings:signinoptions":                                      false,
		"ms-appinstaller:?source=https://evil":                           false,
		"mailto:ann@acme.example":                                        false,
		"tel:110":                                                        false,
		"ftp://signin.acme.example/":                                     false,
		"ws://signin.acme.example/":                                      false,
		"edge://settings":                                                false,
		"chrome://net-export":                                            false,
		"microsoft-edge:https://evil":                                    false,
		"search-ms:query=x":                                              false,
		"https://signin.acme.example/" + strings.Repeat("x", maxAddress): false,
	} {
		if got := o.Allowed(address); got != want {
			t.Errorf("%.80q: %v", address, got)
		}
	}
	if Origins(nil).Allowed("https://signin.acme.example/") || (Origins{"": true}).Allowed("https://signin.acme.example@/") {
		t.Error("no origins allow something")
	}
}

func TestOriginsThatAreNone(t *testing.T) {
	for _, list := range [][]string{
		nil, {""}, {"about:blank"}, {"https://"}, {"https://a.example/"}, {"https://A.example"}, {"https://a.example:443"}, {"http://a.example"},
		{"https://*.example"}, {"https://a.example", "*"}, make([]string, api.MaxOrigins+1),
	} {
		if o, err := NewOrigins(list); err == nil {
			t.Errorf("%.3q: %v", list, o)
		}
	}
}

// Whatever is allowed is https, of a host and port that is on the list, however it
// is read.
func FuzzAllowed(f *testing.F) {
	for _, seed := range []string{
		"https://signin.acme.example/x", "https://signin.acme.example@evil/", `https://signin.acme.example\@evil/`, "about:blank", "https://login.example:8443",
		"https://login.example:8443@evil:443/", "javascript:https://login.example:8443", "https://[::1]/", "https://%73ignin.acme.example/",
	} {
		f.Add(seed)
	}
	o, err := NewOrigins([]string{"https://signin.acme.example", "https://login.example:8443"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if !o.Allowed(address) || address == blank {
			return
		}
		rest, ok := strings.CutPrefix(address, "https://")
		authority := strings.ToLower(rest)
		if end := strings.IndexAny(authority, `/?#\`); end >= 0 {
			authority = authority[:end]
		}
		if !ok || strings.TrimSuffix(authority, ":443") != "signin.acme.example" && authority != "login.example:8443" {
			t.Fatalf("%q is allowed", address)
		}
		if u, err := url.Parse(address); err != nil || u.User != nil || u.Scheme != "https" {
			t.Fatalf("%q is allowed, and read as %v, %v", address, u, err)
		}
	})
}
