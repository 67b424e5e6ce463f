package desktop

import (
	"errors"
	"strings"
	"testing"
)

func TestLogonSIDs(t *testing.T) {
	for line, ok := range map[string]bool{
		"S-1-5-5-0-12345\n":                 true,
		"S-1-5-5-4294967295-4294967295\n":   true,
		"S-1-5-5-0-12345":                   false, // cut off
		"":                                  false,
		"\n":                                false,
		"S-1-5-5-0\n":                       false,
		"S-1-5-5-0-12345 \n":                false,
		"S-1-5-5-0-12345\r\n":               false,
		"S-1-1-0\n":                         false, // everyone
		"S-1-5-32-545\n":                    false, // users
		"S-1-5-18\n":                        false,
		"S-1-5-5-0-1-2\n":                   false,
		"s-1-5-5-0-1\n":                     false,
		strings.Repeat("S", 5000) + "\n":    false,
		"S-1-5-5-0-1" + "\x00" + "0" + "\n": false,
	} {
		sid, err := readLogonSID(strings.NewReader(line))
		if (err == nil) != ok || ok && sid != strings.TrimSpace(line) || !ok && !errors.Is(err, errDoorLine) {
			t.Errorf("%.30q: %q, %v", line, sid, err)
		}
	}
}

func TestDoorAnswers(t *testing.T) {
	for _, why := range []error{nil, errors.New("opening Winlogon: access is denied"), errors.New("two\nlines"), errors.New(strings.Repeat("é", 1000))} {
		got := readDoorAnswer(strings.NewReader(doorAnswer(why)))
		switch {
		case why == nil && got != nil, why != nil && got == nil, errors.Is(got, errDoorLine):
			t.Errorf("%.30v became %v", why, got)
		case why != nil && len(why.Error()) < 100 && got.Error() != strings.ReplaceAll(why.Error(), "\n", " "):
			t.Errorf("%v became %v", why, got)
		}
	}
	for _, line := range []string{"", "open", "opened\n", "error", "\n", strings.Repeat("x", 5000) + "\n"} {
		if err := readDoorAnswer(strings.NewReader(line)); !errors.Is(err, errDoorLine) {
			t.Errorf("%.20q: %v", line, err)
		}
	}
}

func FuzzDoor(f *testing.F) {
	f.Add("S-1-5-5-0-12345\n")
	f.Add("open\n")
	f.Add("error access is denied\n")
	f.Fuzz(func(t *testing.T, s string) {
		if sid, err := readLogonSID(strings.NewReader(s)); err == nil && !logonSID.MatchString(sid) {
			t.Errorf("%q", sid)
		}
		if answer := doorAnswer(errors.New(s)); len(answer) > maxDoorLine || strings.Count(answer, "\n") != 1 {
			t.Errorf("%q", answer)
		}
		_ = readDoorAnswer(strings.NewReader(s))
	})
}
