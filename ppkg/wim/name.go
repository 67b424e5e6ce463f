package wim

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The longest names NTFS holds, in UTF-16 units.
const (
	maxName      = 255
	maxShortName = 12
)

// checkName tells whether Windows can hold a file of this name. Windows
// would take some of these in an image and fail, or silently write
// elsewhere, when it applies the image.
func checkName(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "empty"
	case !utf8.ValidString(name):
		reason = "not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "holds a control character"
	case strings.ContainsAny(name, `/\:*?"<>|`):
		reason = `holds one of /\:*?"<>|`
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		reason = "ends in a dot or space"
	case isDevice(name):
		reason = "is a device's"
	case utf16Len(name) > maxName:
		reason = fmt.Sprintf("longer than %d UTF-16 units", maxName)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s: %.300q", ErrName, reason, name)
}

// isDevice reports whether Windows takes the name for a device's, as it does
// in every folder and with any extension.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, found := strings.CutPrefix(base, "COM")
	if !found {
		port, found = strings.CutPrefix(base, "LPT")
	}
	return found && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// foldName is the form under which Windows compares names: upper case, one
// character at a time (NTFS keeps a table of single UTF-16 units).
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return r
		}
		return unicode.ToUpper(r)
	}, name)
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// appendUTF16 appends s as UTF-16LE.
func appendUTF16(b []byte, s string) []byte {
	for _, r := range s {
		if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
			b = append(b, byte(high), byte(high>>8), byte(low), byte(low>>8))
		} else {
			b = append(b, byte(r), byte(r>>8))
		}
	}
	return b
}

// decodeUTF16 reads UTF-16LE; ok is false for an odd length or half a
// surrogate pair, which no UTF-8 string can stand for.
func decodeUTF16(b []byte) (s string, ok bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	out := make([]byte, 0, len(b)/2+8)
	for i := 0; i < len(b); i += 2 {
		r := rune(b[i]) | rune(b[i+1])<<8
		if utf16.IsSurrogate(r) {
			i += 2
			if i >= len(b) {
				return "", false
			}
			if r = utf16.DecodeRune(r, rune(b[i])|rune(b[i+1])<<8); r == unicode.ReplacementChar {
				return "", false
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), true
}
