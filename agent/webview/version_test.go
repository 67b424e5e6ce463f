package webview

import "testing"

func TestVersions(t *testing.T) {
	for s, want := range map[string]string{
		"109.0.1518.46": "", "109.0.1518.140": "", "110.0.0.0": "", "153.0.4234.10": "",
		"":                   "there is no WebView2 runtime for all users of this device",
		"0.0.0.0":            "there is no WebView2 runtime for all users of this device",
		"109.0.1518.45":      "the WebView2 runtime is of version 109.0.1518.45, and needs to be of 109.0.1518.46",
		"86.0.622.38":        "the WebView2 runtime is of version 86.0.622.38, and needs to be of 109.0.1518.46",
		"109.0.1518":         `the WebView2 runtime: "109.0.1518" is no version`,
		"109.0.1518.46 beta": `the WebView2 runtime: "109.0.1518.46 beta" is no version`,
		"+110.0.0.0":         `the WebView2 runtime: "+110.0.0.0" is no version`,
		"0110.0.0.0":         `the WebView2 runtime: "0110.0.0.0" is no version`,
		"110.0.0.-1":         `the WebView2 runtime: "110.0.0.-1" is no version`,
		"99999999999.0.0.0":  `the WebView2 runtime: "99999999999.0.0.0" is no version`,
		"110.0.0.0.0":        `the WebView2 runtime: "110.0.0.0.0" is no version`,
	} {
		got := ""
		if err := checkVersion(s); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
