package config

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/ppkg"
)

func TestCheckFileName(t *testing.T) {
	for _, good := range []string{
		"a", "setup.exe", "7z2408-x64.msi", "Ünïcödé 名前.msi", ".hidden", "CONSOLE.exe", "com.exe", "COM10.exe", "a..b", "LPT.txt", "COMLPT1",
		strings.Repeat("x", 255), strings.Repeat("ä", 255), strings.Repeat("😀", 127),
	} {
		if err := api.CheckFileName(good); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for bad, why := range map[string]string{
		"":                       "not a file's name",
		".":                      "not a file's name",
		"..":                     "not a file's name",
		"a/b":                    "path separator",
		`a\b`:                    "path separator",
		`..\..\x`:                "path separator",
		"a:b":                    "Windows forbids",
		"a*":                     "Windows forbids",
		"a\x00":                  "cannot be shown",
		"a\nb":                   "cannot be shown",
		"\u202etxt.exe":          "cannot be shown", // right-to-left override
		"a.":                     "Windows drops",
		"a ":                     "Windows drops",
		" a":                     "begins with a space",
		"con":                    "Windows device",
		"NUL.txt":                "Windows device",
		"nul.tar.gz":             "Windows device",
		"Aux .txt":               "Windows device",
		"com1":                   "Windows device",
		"COM¹.exe":               "Windows device",
		"lpt0.msi":               "Windows device",
		"CONIN$":                 "Windows device",
		"\xff.exe":               "UTF-8",
		strings.Repeat("x", 256): "too long",
		strings.Repeat("😀", 128): "too long",
	} {
		if err := api.CheckFileName(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %q", bad, err, why)
		}
	}
}

func TestCheckPayloadNameKeepsTheAgentsNames(t *testing.T) {
	for _, name := range []string{"enrollment.json", "ENROLLMENT.JSON", "firstday-agent-amd64.exe", "Firstday-Agent-arm64.EXE", "firstday-x.dll", "fır\x00"} {
		if CheckPayloadName(name) == nil {
			t.Errorf("accepted %q", name)
		}
	}
	for _, name := range []string{"firstday.msi", "enrollment.exe", "my-firstday-agent.exe"} {
		if err := CheckPayloadName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestNameFrom(t *testing.T) {
	for in, want := range map[string]string{
		"Acme":                "Acme",
		"Acme, Inc.":          "Acme-Inc",
		"Müller & Söhne GmbH": "Muller-Sohne-GmbH",
		"Große Straße":        "Grosse-Strasse",
		"Łódź Øre":            "Lodz-Ore",
		"McDonald's":          "McDonalds",
		"  ../../etc  ":       "etc",
		"株式会社":                "org-",
		"CON":                 "org-",
		"!!!":                 "org-",
		"A very long name of a company that never ends": "A-very-long-name-of-a-company-that-never",
	} {
		got := nameFrom(in)
		if strings.HasPrefix(want, "org-") {
			if !strings.HasPrefix(got, "org-") || len(got) != 12 || got != nameFrom(in) {
				t.Errorf("%q gives %q", in, got)
			}
		} else if got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
		if err := api.CheckFileName(got + ".ppkg"); err != nil {
			t.Error(err)
		}
		if !isSlug(strings.ToLower(got)) {
			t.Errorf("%q is no id", strings.ToLower(got))
		}
	}
}

// TestLongestPayloadNameFitsIntoAPackage asks package ppkg, which has the limit.
func TestLongestPayloadNameFitsIntoAPackage(t *testing.T) {
	for name, want := range map[string]bool{
		strings.Repeat("n", maxPayloadName):   true,
		strings.Repeat("ü", maxPayloadName/2): true,
		strings.Repeat("n", maxPayloadName+1): false,
	} {
		_, err := ppkg.Compile(t.Context(), &ppkg.Package{
			ID: uuid.NameSpaceURL, Name: "Acme", Version: "1.0", Owner: ppkg.ITAdmin,
			Settings: []ppkg.Setting{ppkg.Command{Name: "c", Line: "x", File: ppkg.NewFile(name, []byte("x"))}.Setting()},
		}, testNow)
		if got := CheckPayloadName(name) == nil; got != want || (err == nil) != want {
			t.Errorf("%d bytes: CheckPayloadName says %v, a package %v", len(name), got, err)
		}
	}
}
