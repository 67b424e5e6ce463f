package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*PlatformSettings)
		want   string // in the error; empty: none
	}{
		"defaults": {func(*PlatformSettings) {}, ""},
		"everything": {func(p *PlatformSettings) {
			*p = PlatformSettings{true, Administrator, 0, VerifyPassword, PINOff, HelloOff, "", nil, []string{"acme.example", "a-b.c1"}, "{first}.{last}", "Ask Ann", "https://help.acme.example/x?y"}
		}, ""},
		"no permission":        {func(p *PlatformSettings) { p.Permission = "" }, "macos.permission"},
		"no password mode":     {func(p *PlatformSettings) { p.Password = "none" }, "macos.password"},
		"no PIN policy":        {func(p *PlatformSettings) { p.PIN = "" }, "macos.pin"},
		"another PIN policy":   {func(p *PlatformSettings) { p.PIN = "on" }, "macos.pin"},
		"Windows Hello":        {func(p *PlatformSettings) { p.Hello = HelloOffered }, "macos.hello"},
		"fewer than no users":  {func(p *PlatformSettings) { p.Users = -1 }, "macos.users"},
		"too many users":       {func(p *PlatformSettings) { p.Users = maxUsers + 1 }, "macos.users"},
		"long template":        {func(p *PlatformSettings) { p.AccountName = strings.Repeat("{local}", 15) }, "macos.accountName"},
		"upper-case domain":    {func(p *PlatformSettings) { p.Domains = []string{"Acme.example"} }, "macos.domains"},
		"address for a domain": {func(p *PlatformSettings) { p.Domains = []string{"ann@acme.example"} }, "macos.domains"},
		"many domains":         {func(p *PlatformSettings) { p.Domains = make([]string, maxDomains+1) }, "macos.domains"},
		"long text":            {func(p *PlatformSettings) { p.Text = strings.Repeat("ä", maxSignInText+1) }, "macos.text"},
		"text of two lines":    {func(p *PlatformSettings) { p.Text = "a\nb" }, "macos.text"},
		"script for help":      {func(p *PlatformSettings) { p.HelpURL = "javascript:alert(1)" }, "macos.helpUrl"},
		"help without TLS":     {func(p *PlatformSettings) { p.HelpURL = "http://acme.example" }, "macos.helpUrl"},
	} {
		t.Run(name, func(t *testing.T) {
			s := DefaultSettings()
			test.change(&s.MacOS)
			err := s.Check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check says %v, want %q", err, test.want)
			}
		})
	}
	for policy, want := range map[HelloPolicy]string{"": "", HelloOff: "", HelloOffered: "", "on": "windows.hello"} {
		s := DefaultSettings()
		s.Windows.Hello = policy
		if err := s.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Windows Hello %q: %v", policy, err)
		}
	}
	for name, test := range map[string]struct {
		window  SignInWindow
		origins []string
		want    string
	}{
		"nothing":              {"", nil, ""},
		"code":                 {WindowQR, nil, ""},
		"none":                 {WindowOff, nil, ""},
		"pages":                {WindowWeb, []string{"https://login.example", "https://a.example:8443"}, ""},
		"another window":       {"edge", nil, "windows.signInWindow"},
		"origin with a path":   {WindowWeb, []string{"https://login.example/"}, "windows.signInOrigins"},
		"origin without TLS":   {WindowWeb, []string{"http://login.example"}, "windows.signInOrigins"},
		"origin of everything": {WindowWeb, []string{"https://*.example"}, "windows.signInOrigins"},
		"too many origins":     {WindowWeb, make([]string, MaxOrigins+1), "windows.signInOrigins"},
	} {
		s := DefaultSettings()
		s.Windows.Window, s.Windows.Origins = test.window, test.origins
		if err := s.Check(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		s = DefaultSettings()
		s.Linux.Window, s.Linux.Origins = test.window, test.origins
		if err := s.Check(); (err == nil) != (name == "nothing") {
			t.Errorf("%s of Linux: %v", name, err)
		}
	}
	if _, err := new(Settings).For("beos"); err == nil {
		t.Error("there are settings for a platform that is none")
	}
}

// Settings of the first builds are in databases, and in files of devices.
func TestPINPolicyOfEarlierBuilds(t *testing.T) {
	for text, want := range map[string]PINPolicy{`true`: PINRequired, `false`: PINOff, `"offered"`: PINOffered, `"required"`: PINRequired, `null`: ""} {
		var s PlatformSettings
		if err := json.Unmarshal([]byte(`{"pin":`+text+`}`), &s); err != nil || s.PIN != want {
			t.Errorf("%s is %q, %v", text, s.PIN, err)
		}
	}
	for _, text := range []string{`1`, `[]`, `{}`} {
		if err := json.Unmarshal([]byte(`{"pin":`+text+`}`), new(PlatformSettings)); err == nil {
			t.Errorf("it takes %s", text)
		}
	}
}
