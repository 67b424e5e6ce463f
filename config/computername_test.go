package config

import (
	"strings"
	"testing"
)

func TestComputerName(t *testing.T) {
	for _, c := range []struct {
		name    ComputerName
		room    int
		problem string // of the error, or after "~" of the warning
	}{
		{"ACME-%SERIAL%", 10, ""},
		{"ACME-%RAND:5%", 0, ""},
		{"AC-%RAND:4%-%SERIAL%", 7, ""},
		{"%SERIAL%-PC", 12, ""},
		{"A%RAND:14%", 0, ""},
		{"FifteenLetters5", 0, "~every device gets the same name"},
		{"%SERIAL%", 15, "~only digits"},
		{"12-%SERIAL%", 12, ""},
		{"ACME-LAPT-%SERIAL%", 5, "~last 5 characters"},
		{"ACMELAPTOP-%SERIAL%", 4, "~last 4 characters"},
		{"ACME-LAPTOP-%SERIAL%", 3, "room for 3 characters"},
		{"ABCDEFGHIJKLMNOP-%SERIAL%", -2, "room for 0 characters"},
		{"SixteenLetters16", 0, "16 characters"},
		{"A%RAND:15%", 0, "16 characters"},
		{"%RAND:15%", 0, "only digits"},
		{"12345", 0, "only digits"},
		{"%RAND:0%", 0, "1 to 15"},
		{"%RAND:16%", 0, "1 to 15"},
		{"%RAND:+5%", 0, "1 to 15"},
		{"%RAND:05%", 0, "1 to 15"},
		{"%RAND:%", 0, "1 to 15"},
		{"%RAND:99999999999999999999%", 0, "1 to 15"},
		{"PC%", 0, "without a second"},
		{"PC-%serial%", 0, "%serial%"},
		{"PC-%NAME%", 0, "%NAME%"},
		{"%%", 0, "%%"},
		{"%SERIAL%%SERIAL%", 0, "twice"},
		{"A%RAND:2%%RAND:2%", 0, "twice"},
		{"my pc", 0, "cannot have"},
		{"büro", 0, "cannot have"},
		{"a.b", 0, "cannot have"},
		{"-pc", 0, "hyphen"},
		{"pc-", 0, "hyphen"},
		{"", 0, "empty"},
	} {
		text := strings.Replace(minimal, "windows:", "windows:\n  computerName: \""+string(c.name)+"\"", 1)
		_, r := parse("x.yaml", []byte(text), testNow)
		var got string
		switch {
		case len(r.errs) == 1:
			got = r.errs[0].Message
		case len(r.errs) == 0 && len(r.warnings) == 1:
			got = "~" + r.warnings[0].Message
		case len(r.errs)+len(r.warnings) > 0:
			t.Errorf("%q: %v, %v", c.name, r.errs, r.warnings)
			continue
		}
		want, warning := strings.CutPrefix(c.problem, "~")
		if (got == "") != (c.problem == "") || strings.HasPrefix(got, "~") != warning || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", c.name, got, c.problem)
		}
		if room := c.name.SerialRoom(); room != max(c.room, 0) && c.room >= 0 {
			t.Errorf("%q has room for %d, want %d", c.name, room, c.room)
		}
	}
}

func TestDevicesGetTheirNames(t *testing.T) {
	next := byte('0')
	digit := func() byte {
		next++
		return next
	}
	for _, c := range []struct {
		name         ComputerName
		serial, want string // "": refused
	}{
		{"ACME-%SERIAL%", "5CG1234XYZ", "ACME-5CG1234XYZ"},
		{"ACME-%SERIAL%", "VMware-564d1234567890", "ACME-1234567890"}, // its end is kept
		{"ACME-%SERIAL%", "A B", ""},
		{"PC%RAND:3%-%SERIAL%", "X", "PC123-X"},
		{"KIOSK", "X", "KIOSK"},
		{"%SERIAL%", "123", ""},
		{"%SERIAL%", "", ""},
		{"ACME-%SERIA%", "X", ""},
		{"ABCDEFGHIJKLMNOP", "X", ""},
	} {
		next = '0'
		got, err := c.name.For(c.serial, digit)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q for %q: %q, %v", c.name, c.serial, got, err)
		}
	}
}

// minimal is a file to which a test adds what it is about.
const minimal = `version: 1
organisation: {name: Acme}
directory: {url: "https://d.example"}
connectKey: {env: FIRSTDAY_TEST_KEY}
windows:
  hideOobe: true
`
