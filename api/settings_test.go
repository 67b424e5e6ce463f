package api

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
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
			*p = PlatformSettings{true, Administrator, 0, VerifyPassword, PINOff, HelloOff, WindowInstead, []string{"24*", "25A354", "25F*"}, []string{"https://login.example"}, ListFields, []string{"acme.example", "a-b.c1"}, "{first}.{last}", "Ask Ann", "https://help.acme.example/x?y"}
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
		"window beside":        {func(p *PlatformSettings) { p.Window = WindowBeside }, ""},
		"no window":            {func(p *PlatformSettings) { p.Window = WindowOff }, ""},
		"a window of Windows":  {func(p *PlatformSettings) { p.Window = WindowWeb }, "macos.signInWindow"},
		"all builds for ever":  {func(p *PlatformSettings) { p.Builds = []string{"*"} }, "macos.signInBuilds"},
		"a version for builds": {func(p *PlatformSettings) { p.Builds = []string{"15.1"} }, "macos.signInBuilds"},
		"a star within builds": {func(p *PlatformSettings) { p.Builds = []string{"24*5"} }, "macos.signInBuilds"},
		"too many builds":      {func(p *PlatformSettings) { p.Builds = make([]string, maxBuilds+1) }, "macos.signInBuilds"},
		"another list":         {func(p *PlatformSettings) { p.UserList = "all" }, "macos.userList"},
		"origin with a path":   {func(p *PlatformSettings) { p.Origins = []string{"https://login.example/"} }, "macos.signInOrigins"},
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
		"a window of macOS":    {WindowInstead, nil, "windows.signInWindow"},
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

// What macOS alone has is refused elsewhere.
func TestSettingsOfMacOSOnly(t *testing.T) {
	for field, change := range map[string]func(*PlatformSettings){
		"signInBuilds": func(p *PlatformSettings) { p.Builds = []string{"24*"} },
		"userList":     func(p *PlatformSettings) { p.UserList = ListNames },
	} {
		s := DefaultSettings()
		for _, p := range []struct {
			name string
			of   *PlatformSettings
		}{{"windows", &s.Windows}, {"linux", &s.Linux}} {
			s = DefaultSettings()
			change(p.of)
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), p.name+"."+field) {
				t.Errorf("%s.%s: %v", p.name, field, err)
			}
		}
	}
}

func TestAllowsBuild(t *testing.T) {
	p := PlatformSettings{Builds: []string{"24*", "25A354", "25F*"}}
	for build, want := range map[string]bool{
		"24A335": true, "24G90": true, "25A354": true, "25A3540": false, "25A35": false, "25F71": true, "25E1": false, "23H5": false, "": false, "2": false,
	} {
		if p.AllowsBuild(build) != want {
			t.Errorf("%q: not %v", build, want)
		}
	}
	if new(PlatformSettings).AllowsBuild("24A335") {
		t.Error("none allows one")
	}
}

func TestLogo(t *testing.T) {
	picture := func(side int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	good := picture(64)
	for name, test := range map[string]struct {
		logo []byte
		want string // in the error; empty: none
	}{
		"none":         {nil, ""},
		"a picture":    {good, ""},
		"cut off":      {good[:len(good)-20], "no whole PNG"},
		"another kind": {[]byte("GIF89a"), "no PNG"},
		"a script":     {[]byte("<svg onload=x>"), "no PNG"},
		"many pixels":  {picture(maxLogoSide + 1), "pixels"},
		"many bytes":   {make([]byte, MaxLogo+1), "larger"},
	} {
		s := DefaultSettings()
		s.Logo = test.logo
		if err := s.Check(); (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), "logo: ") || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
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
