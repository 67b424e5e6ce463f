package logon

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Sizes of what macOS takes at its login window, in bytes.
const (
	maxName   = 244
	maxSecret = 511
)

// MaxPair is how long what PackPair gives can be, in bytes.
const MaxPair = maxName + 1 + maxSecret

// PackPair gives what a Mac logs the user on with: the name, NUL, the password.
// Who has the bytes wipes them. The error quotes nothing.
func PackPair(user string, password []byte) ([]byte, error) {
	for _, s := range []struct {
		what string
		text []byte
		most int
	}{{"user", []byte(user), maxName}, {"password", password, maxSecret}} {
		switch {
		case len(s.text) == 0:
			return nil, fmt.Errorf("packing a logon: no %s", s.what)
		case len(s.text) > s.most:
			return nil, fmt.Errorf("packing a logon: the %s has more than %d bytes", s.what, s.most)
		case !utf8.Valid(s.text) || bytes.IndexByte(s.text, 0) >= 0:
			return nil, fmt.Errorf("packing a logon: the %s is not text", s.what)
		}
	}
	out := make([]byte, 0, len(user)+1+len(password)) // which never grows, and leaves no copy
	out = append(out, user...)
	out = append(out, 0)
	return append(out, password...), nil
}
