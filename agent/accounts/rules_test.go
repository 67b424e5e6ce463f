package accounts

import (
	"strings"
	"testing"
)

// As Microsoft documents "Password must meet complexity requirements".
func TestPasswordRules(t *testing.T) {
	long, complex := PasswordRules{Length: 8}, PasswordRules{Length: 10, Kinds: true}
	for _, test := range []struct {
		rules    PasswordRules
		password string
		want     string // a word of the sentence; empty: it will do
	}{
		{long, "1234567", "8 characters"},
		{long, "12345678", ""},
		{long, "山山山山山山山", "8 characters"}, // bytes do not count
		{long, "山山山山山山山山", ""},
		{complex, "Correct1!", "10 characters"},
		{complex, "correct horse", "three"}, // the space is a sign
		{complex, "Correct horse", ""},
		{complex, "CORRECT1234", "three"},
		{complex, "correct-1234", ""},
		{complex, "correct1234山", ""}, // a letter without case is a kind
		{complex, "My ann.example 1", "name"},
		{complex, "my EXAMPLE is 1", "name"},
		{complex, "Example1234", "name"},
		{complex, "Joy1234567", ""}, // a part of two letters is none: "Jo"
	} {
		got := test.rules.Refuses(test.password, "ann.example", "Jo Example-Smith")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%q: %q, want %q", test.password, got, test.want)
		}
	}
	if text := complex.String(); !strings.HasPrefix(text, "At least 10 characters, three of these") {
		t.Error(text)
	}
	if text := long.String(); text != "At least 8 characters." {
		t.Error(text)
	}
}
