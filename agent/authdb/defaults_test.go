package authdb

import (
	"bufio"
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded are the lists of testdata/lists.txt by version, and how they are
// known.
func recorded(t *testing.T) (lists map[int][]string, known map[int]string) {
	t.Helper()
	lists, known = map[int][]string{}, map[int]string{}
	major := 0
	for s := bufio.NewScanner(bytes.NewReader(readFile(t, "lists.txt"))); s.Scan(); {
		line := s.Text()
		switch fields := strings.Fields(line); {
		case line == "" || line[0] == '#':
		case len(fields) > 2:
			major, _ = strconv.Atoi(fields[0])
			known[major] = fields[1]
		default:
			lists[major] = append(lists[major], line)
		}
	}
	return lists, known
}

func TestDefaultsAreTheRecordedLists(t *testing.T) {
	lists, known := recorded(t)
	for _, major := range []int{12, 13, 14, 15, 26, 27} {
		d, err := Default(major)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lists[major], d.Mechanisms()); diff != "" {
			t.Errorf("macOS %d: %s", major, diff)
		}
		if how := known[major]; how != "seen" && how != "inferred" {
			t.Errorf("macOS %d is %q", major, how)
		}
		if v := d.Judge(); v.State != Apple {
			t.Errorf("macOS %d: %+v", major, v)
		}
		enabled, err := d.Enable()
		if err != nil || !bytes.Equal(enabled.Disable().Bytes(), d.Bytes()) {
			t.Errorf("macOS %d: %v", major, err)
		}
	}
	if len(lists) != 6 {
		t.Errorf("%d lists", len(lists))
	}
	for _, major := range []int{-1, 0, 10, 11, 16, 25, 28} {
		if _, err := Default(major); !errors.Is(err, ErrVersion) {
			t.Errorf("macOS %d: %v", major, err)
		}
	}
}

func TestDefaultIsWhatAuthdWouldRead(t *testing.T) {
	d, err := Default(13)
	if err != nil {
		t.Fatal(err)
	}
	if !parseFile(t, "macos-13.plist").holds(d) {
		t.Errorf("%s", d.Bytes())
	}
	crypt, err := Default(14)
	if err != nil {
		t.Fatal(err)
	}
	if !parseFile(t, "macos-14-crypt.plist").holds(crypt) { // which has more
		t.Errorf("%s", crypt.Bytes())
	}
}

func TestFromSystem(t *testing.T) {
	d, err := FromSystem(readFile(t, "authorization.plist"))
	if err != nil {
		t.Fatal(err)
	}
	if !parseFile(t, "macos-13.plist").holds(d) {
		t.Errorf("%s", d.Bytes())
	}
	enabled, err := d.Enable()
	if err != nil || !bytes.Equal(enabled.Disable().Bytes(), d.Bytes()) {
		t.Error(err)
	}
}

func TestCopiesThatAreNotTaken(t *testing.T) {
	whole := string(readFile(t, "authorization.plist"))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":               {"", ErrFormat},
		"binary":                {"bplist00", ErrFormat},
		"half":                  {whole[:len(whole)/2], ErrFormat},
		"a definition":          {string(parseFile(t, "macos-13.plist").Bytes()), ErrFormat},
		"without the right":     {strings.Replace(whole, "<key>"+right, "<key>system.login.fus", 1), ErrFormat},
		"with the right twice":  {strings.Replace(whole, "system.login.done", right, 1), ErrFormat},
		"rights are a list":     {document("<key>rights</key><array/>"), ErrFormat},
		"the right is a string": {document("<key>rights</key><dict><key>" + right + "</key><string>x</string></dict>"), ErrFormat},
		"without a window":      {strings.Replace(whole, "<string>loginwindow:login</string>", "", 1), ErrDamaged},
		"with another's window": {strings.Replace(whole, AppleUI, "XCredsLoginPlugin:LoginWindow", 1), ErrForeign},
		"with ours":             {strings.Replace(whole, "<string>loginwindow:login</string>", element(UI)+element(Guard), 1), ErrDamaged},
		"too large":             {whole + strings.Repeat("\n", maxCopy), ErrFormat},
		"too deep":              {document("<key>x</key>" + strings.Repeat("<array>", 100) + strings.Repeat("</array>", 100)), ErrFormat},
	} {
		if d, err := FromSystem([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, d != nil, err)
		}
	}
}

func FuzzFromSystem(f *testing.F) {
	f.Add(readFile(f, "authorization.plist"))
	f.Add(readFile(f, "macos-13.plist"))
	f.Add([]byte(document("<key>rights</key><dict><key>" + right + "</key><dict/></dict>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := FromSystem(data)
		if err == nil && d.Judge().State != Apple {
			t.Errorf("%q", d.Mechanisms())
		}
	})
}
