package simulate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

func TestParseDevice(t *testing.T) {
	for text, want := range map[string]Device{
		"":                                 {},
		"serial=ABC":                       {Serial: "ABC"},
		"Serial = ABC , model=Latitude 74": {Serial: "ABC", Model: "Latitude 74"},
		"platform=macos,arch=arm64,name=x,os=macOS,osversion=26,manufacturer=Apple": {
			Platform: api.MacOS, Arch: "arm64", Name: "x", OS: "macOS", OSVersion: "26", Manufacturer: "Apple",
		},
	} {
		got, err := ParseDevice(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	for text, said := range map[string]string{
		"serial":                             "not one of platform, serial",
		"colour=red":                         "not one of",
		"serial=":                            "serial is empty",
		"serial=A,serial=B":                  "given twice",
		"platform=linux":                     "neither windows nor macos",
		"arch=386":                           "neither amd64 nor arm64",
		"name=a\x1bb":                        "no plain text",
		"model=" + strings.Repeat("x", 1000): "longer than",
	} {
		if d, err := ParseDevice(text); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
}

func TestDevicesAreComplete(t *testing.T) {
	for _, platform := range []api.Platform{api.Windows, api.MacOS} {
		a, err := Device{Platform: platform, Model: "X"}.complete()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range DeviceKeys {
			if *a.field(key) == "" {
				t.Errorf("%s: no %s", platform, key)
			}
		}
		b, err := Device{Platform: platform}.complete()
		if err != nil || a.Serial == b.Serial || a.Model != "X" {
			t.Errorf("%+v and %+v, %v", a, b, err)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"", "1.2", "1.10", "9.99.99", "10", "10.0.1", "10.15.7", "26.1"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := max(-1, min(1, i-j))
			if got := compareVersions(a, b); got != want {
				t.Errorf("%s and %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if compareVersions("13", "13.0") != 0 {
		t.Error("13 is not 13.0")
	}
}

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string]string{
		"firstday-agent-amd64.exe install":         "firstday-agent-amd64.exe|install",
		`"firstday-agent-amd64.exe"  install x`:    "firstday-agent-amd64.exe|install|x",
		`.\setup install`:                          "setup.exe|install",
		"cmd":                                      "cmd.exe",
		`"C:\Program Files\x.exe" /S`:              `C:\Program Files\x.exe|/S`,
		`"unclosed`:                                "unclosed.exe",
		"powershell.exe -File a.ps1 -Name \"a b\"": `powershell.exe|-File|a.ps1|-Name|"a|b"`,
		"": ".exe",
	} {
		program, arguments := splitCommand(line)
		if got := strings.Join(append([]string{program}, arguments...), "|"); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestAmong(t *testing.T) {
	for codes, want := range map[string]bool{"0": false, "0 3010": true, "": false, "x 3010": true, "-1": false} {
		if got := among(codes, 3010); got != want {
			t.Errorf("%q: %v", codes, got)
		}
	}
	if !among("4294967295", -1) || !among("-1", 0xffffffff) {
		t.Error("there are two ways to write a code")
	}
}
