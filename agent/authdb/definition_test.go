package authdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func parseFile(tb testing.TB, name string) *Definition {
	tb.Helper()
	return parseText(tb, string(readFile(tb, name)))
}

func parseText(tb testing.TB, text string) *Definition {
	tb.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// document is a definition with the given text within its dictionary.
func document(inner string) string { return documentStart + "<dict>" + inner + "</dict>" + documentEnd }

func TestStatusLinesAreNoPartOfIt(t *testing.T) {
	plain := strings.TrimSuffix(string(readFile(t, "macos-13.plist")), "YES (0)\n")
	for _, text := range []string{plain, "YES (0)\n" + plain, plain + "YES (0)\n", plain + "YES (0)", "YES (0)\r\n" + plain + "YES (0)\r\n", plain + "NO (-60005)\n"} {
		if got := parseText(t, text).Bytes(); string(got) != plain {
			t.Errorf("%.60q… %q gave %q", text, text[len(text)-12:], got)
		}
	}
}

func TestOnlyTheListIsChanged(t *testing.T) {
	for _, name := range []string{"macos-13.plist", "macos-14-crypt.plist"} {
		d := parseFile(t, name)
		enabled, err := d.Enable()
		if err != nil {
			t.Fatal(err)
		}
		lead, _, _ := bytes.Cut(d.Bytes()[bytes.Index(d.Bytes(), []byte("<array>"))+len("<array>"):], []byte("<string>"))
		want := strings.Replace(string(d.Bytes()), "<string>loginwindow:login</string>",
			"<string>FirstdayLogin:login</string>"+string(lead)+"<string>FirstdayLogin:guard,privileged</string>", 1)
		if diff := cmp.Diff(want, string(enabled.Bytes())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestKeysOfOthersAndOddTextStay(t *testing.T) {
	text := document(`<!-- who knows --><key>zeta</key><dict><key>mechanisms</key><array><string>no:list</string></array></dict>` +
		`<key>class</key><string>evaluate-mechanisms</string><key>mechanisms</key><array><!-- a -->` +
		`<string>loginwindow:login</string> <string>Acme &#38; Co:x</string><string><![CDATA[B:y]]></string>` +
		`<string>builtin:authenticate,privileged</string><string>loginwindow:success</string><string>loginwindow:done</string>` +
		`</array><key>extra</key><data>AA==</data><key>when</key><date>2026-01-01T00:00:00Z</date>`)
	d := parseText(t, text)
	enabled, err := d.Enable()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{UI, Guard, "Acme & Co:x", "B:y", authenticate, "loginwindow:success", "loginwindow:done"}
	if diff := cmp.Diff(want, parseText(t, string(enabled.Bytes())).Mechanisms()); diff != "" {
		t.Error(diff)
	}
	if n := bytes.Count(enabled.Bytes(), []byte("<!-- a -->")); n != 1 {
		t.Errorf("the comment is there %d times", n)
	}
	if got := enabled.Disable().Bytes(); string(got) != text {
		t.Errorf("%s", got)
	}
}

func TestWhatIsNoDefinition(t *testing.T) {
	class := "<key>class</key><string>evaluate-mechanisms</string>"
	list := func(inner string) string { return document(class + "<key>mechanisms</key>" + inner) }
	for name, text := range map[string]string{
		"nothing":                "",
		"a status only":          "NO (-60005)\n",
		"binary":                 "bplist00",
		"an array":               documentStart + "<array/>" + documentEnd,
		"two":                    documentStart + "<dict/><dict/>" + documentEnd,
		"something after it":     document(class) + "<x/>",
		"text after it":          document(class) + "x",
		"half":                   document(class)[:150],
		"a key twice":            document(class + class),
		"the list twice":         list("<array/><key>mechanisms</key><array/>"),
		"no list":                list("<string>a:b</string>"),
		"a number in the list":   list("<array><integer>1</integer></array>"),
		"a list in the list":     list("<array><array/></array>"),
		"an element in a string": list("<array><string>a:<b/>b</string></array>"),
		"text in the list":       list("<array>a<string>a:b</string></array>"),
		"no colon":               list("<array><string>allow</string></array>"),
		"no name":                list("<array><string>a:</string></array>"),
		"no plug-in":             list("<array><string>:b</string></array>"),
		"a third part":           list("<array><string>a:b,c</string></array>"),
		"two colons":             list("<array><string>a:b:c</string></array>"),
		"privileged twice":       list("<array><string>a:b,privileged,privileged</string></array>"),
		"an entity":              strings.Replace(list("<array><string>&x;:b</string></array>"), "<plist", `<!DOCTYPE plist [<!ENTITY x "a">]><plist`, 1),
		"a type of its own":      strings.Replace(document(class), "<plist", `<!DOCTYPE plist [<!ENTITY x "a">]><plist`, 1),
		"a foreign name":         list(`<array><string xmlns="urn:x">a:b</string></array>`),
		"a long one":             list("<array><string>a:" + strings.Repeat("b", maxMechanism) + "</string></array>"),
		"many":                   list("<array>" + strings.Repeat("<string>a:b</string>", maxMechanisms+1) + "</array>"),
		"a large one":            document(class + "<key>x</key><string>" + strings.Repeat("x", maxSize) + "</string>"),
		"a deep one":             document(class + "<key>x</key>" + strings.Repeat("<array>", 100) + strings.Repeat("</array>", 100)),
	} {
		if d, err := Parse([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, d != nil, err)
		}
	}
}

// Apple's own reader is not here; Python's is the judge of what we write.
func TestPythonReadsTheSame(t *testing.T) {
	python := testtool.Need(t, "python3")
	dir := t.TempDir()
	s := newSource(t, 4)
	definitions := []*Definition{parseFile(t, "macos-13.plist"), parseFile(t, "macos-14-crypt.plist")}
	for _, major := range []int{12, 13, 14, 15, 26, 27} {
		d, err := Default(major)
		if err != nil {
			t.Fatal(err)
		}
		definitions = append(definitions, d)
	}
	for range 200 {
		definitions = append(definitions, s.define(t, s.whole()))
	}
	var paths []string
	save := func(d *Definition) {
		path := filepath.Join(dir, fmt.Sprint(len(paths), ".plist"))
		if err := os.WriteFile(path, d.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	for _, d := range definitions {
		enabled, err := d.Enable()
		if err != nil {
			t.Fatal(err)
		}
		save(d)
		save(enabled)
	}
	out, err := exec.Command(python, append([]string{"-c", `import json, plistlib, sys
print(json.dumps([plistlib.load(open(p, "rb")) for p in sys.argv[1:]]))`}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var read []map[string]any
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	for i, d := range definitions {
		before, after := read[2*i], read[2*i+1]
		var want []any
		for _, m := range d.Mechanisms() {
			if m == AppleUI {
				want = append(want, UI, Guard)
				continue
			}
			want = append(want, m)
		}
		if diff := cmp.Diff(want, after["mechanisms"]); diff != "" {
			t.Fatal(diff)
		}
		delete(before, "mechanisms")
		delete(after, "mechanisms")
		if diff := cmp.Diff(before, after); diff != "" || after["class"] != "evaluate-mechanisms" {
			t.Fatal(diff)
		}
	}
}

func TestHolds(t *testing.T) {
	written := parseFile(t, "macos-14-crypt.plist")
	text := string(written.Bytes())
	for name, c := range map[string]struct {
		old, new string
		want     bool
	}{
		"the same":           {"", "", true},
		"another time":       {"<real>738007875.40967596</real>", "<real>800000000.5</real>", true},
		"somebody's more":    {"\t\t<string>loginwindow:done</string>\n", "\t\t<string>loginwindow:done</string>\n\t\t<string>Escrow Buddy:Invoke,privileged</string>\n", true},
		"one less":           {"\t\t<string>Crypt:CryptGUI</string>\n", "", false},
		"another order":      {"\t\t<string>Crypt:CryptGUI</string>\n\t\t<string>Crypt:Enablement,privileged</string>\n", "\t\t<string>Crypt:Enablement,privileged</string>\n\t\t<string>Crypt:CryptGUI</string>\n", false},
		"another name":       {"Crypt:CryptGUI", "Crypt:Crypt", false},
		"another class":      {"evaluate-mechanisms", "rule", false},
		"another comment":    {"Not for", "Now for", false},
		"another version":    {"<integer>11</integer>", "<integer>12</integer>", false},
		"shared no longer":   {"<true/>", "<false/>", false},
		"an unknown key":     {"\t<key>tries</key>", "\t<key>x</key><true/>\n\t<key>tries</key>", false},
		"a signature's name": {"\t<key>tries</key>", "\t<key>identifier</key><string>com.example</string>\n\t<key>tries</key>", true},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: no %q", name, c.old)
		}
		got := parseText(t, strings.Replace(text, c.old, c.new, 1))
		if got.holds(written) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
	bare := parseText(t, strings.NewReplacer("\t<key>shared</key>\n\t<true/>\n", "", "\t<key>tries</key>\n\t<integer>10000</integer>\n", "").Replace(text))
	if !written.holds(bare) || bare.holds(written) {
		t.Error("what authd fills in is not told from what is lost")
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"macos-13.plist", "macos-14-crypt.plist", "authorization.plist"} {
		f.Add(readFile(f, name))
	}
	enabled, err := parseFile(f, "macos-13.plist").Enable()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enabled.Bytes())
	f.Add([]byte(document("<key>class</key><string>allow</string>")))
	f.Add([]byte(document("<key>mechanisms</key><array><!-- x --><string>FirstdayLogin:x</string><string><![CDATA[a:b]]></string></array>")))
	f.Add([]byte(document("<key>mechanisms</key><array/>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Contains(data, d.Bytes()) {
			t.Fatalf("%q is not what was read", d.Bytes())
		}
		off := d.Disable()
		results := []*Definition{d, off}
		if r, err := d.Repair(); err == nil {
			if s := r.Judge().State; s != Apple && s != Ours {
				t.Fatalf("Repair gave %s", s)
			}
			results = append(results, r)
		}
		if e, err := d.Enable(); err == nil {
			if e.Judge().State != Ours || e.Disable().Judge().State != Apple {
				t.Fatalf("%q", e.Mechanisms())
			}
			results = append(results, e)
		}
		if off.Judge().NeedsBundle {
			t.Fatalf("Disable left %q", off.Mechanisms())
		}
		for _, r := range results {
			again, err := Parse(r.Bytes())
			if err != nil {
				t.Fatalf("%q cannot be read: %v", r.Bytes(), err)
			}
			if !slices.Equal(again.Mechanisms(), r.Mechanisms()) || !slices.Equal(theirs(again), theirs(d)) || !again.holds(r) || around(again) != around(d) {
				t.Fatalf("%q is read as %q", r.Mechanisms(), again.Mechanisms())
			}
		}
	})
}
