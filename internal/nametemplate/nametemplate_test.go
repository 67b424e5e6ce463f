package nametemplate

import (
	"errors"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	errNone := errors.New("no such thing")
	person := func(name string) (string, error) {
		switch name {
		case "first":
			return "jane", nil
		case "https://acme.example/login":
			return "jd", nil
		}
		return "", errNone
	}
	for _, c := range []struct {
		template, want string
		err            error
	}{
		{"{first}", "jane", nil},
		{"x-{first}.{https://acme.example/login}", "x-jane.jd", nil},
		{"{last}", "", errNone},
		{"", "", Err},
		{"jane", "", Err},
		{"{first", "", Err},
		{"{first}}", "", Err},
		{"{first}@acme", "", Err},
		{"Ä{first}", "", Err},
		{strings.Repeat("{first}", Max), "", Err},
	} {
		if got, err := Fill(c.template, person); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40s: %q, %v; want %q, %v", c.template, got, err, c.want, c.err)
		}
	}
}

func TestLocal(t *testing.T) {
	for address, want := range map[string]string{
		"ann@acme.example": "ann", "ann+news@acme.example": "ann", "ann": "ann", "A+B": "A+B", "@acme.example": "", "": "",
	} {
		if got := Local(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ann", "Søren Ærøskøbing", "山田", "a\x00\xff", "ﬁ", "../..", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := Fold(s)
		if strings.Trim(folded, Signs) != "" || Fold(folded) != folded {
			t.Errorf("%q becomes %q", s, folded)
		}
	})
}
