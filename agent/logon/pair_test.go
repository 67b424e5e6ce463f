package logon

import (
	"strings"
	"testing"
)

func TestPackPair(t *testing.T) {
	long := strings.Repeat("ü", 300)
	for name, c := range map[string]struct{ user, password, want, refused string }{
		"a person":         {user: "ann", password: "pässword 1", want: "ann\x00pässword 1"},
		"the longest":      {user: long[:244], password: long[:510] + "a", want: long[:244] + "\x00" + long[:510] + "a"},
		"no user":          {password: "hunter22", refused: "no user"},
		"no password":      {user: "ann", refused: "no password"},
		"a long user":      {user: long[:246], password: "hunter22", refused: "the user has more than 244 bytes"},
		"a long password":  {user: "ann", password: long[:512], refused: "the password has more than 511 bytes"},
		"NUL in a name":    {user: "a\x00b", password: "hunter22", refused: "the user is not text"},
		"NUL in a secret":  {user: "ann", password: "hunter\x0022", refused: "the password is not text"},
		"bytes, not text":  {user: "ann", password: "hunter\xff22", refused: "the password is not text"},
		"a name of no one": {user: "\xc3", password: "hunter22", refused: "the user is not text"},
	} {
		got, err := PackPair(c.user, []byte(c.password))
		if string(got) != c.want || (err == nil) != (c.refused == "") || err != nil && err.Error() != "packing a logon: "+c.refused {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if len(got) > MaxPair {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}
