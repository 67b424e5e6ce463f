package fat32

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxName = 255 // UTF-16 units
	perLong = 13  // UTF-16 units in one entry of a long name
)

// CheckName refuses what a volume cannot hold, or what one of the systems that
// mount it cannot open: Windows takes CON.txt for the console.
func CheckName(name string) error {
	refuse := func(why string) error { return fmt.Errorf("%w: %.300q %s", ErrName, name, why) }
	base, _, _ := strings.Cut(name, ".")
	switch {
	case name == "" || name == "." || name == "..":
		return refuse("is no name")
	case !utf8.ValidString(name):
		return refuse("is not UTF-8")
	case len(utf16.Encode([]rune(name))) > maxName:
		return refuse(fmt.Sprintf("is longer than %d characters", maxName))
	case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || strings.ContainsRune(`"*/:<>?\|`, c) }):
		return refuse(`has one of the characters "*/:<>?\| or a control character`)
	case strings.TrimRight(name, ". ") != name || name[0] == ' ':
		return refuse("begins or ends with a space, or ends with a dot")
	case isDevice(strings.TrimRight(base, " ")):
		return refuse("is the name of a device to Windows")
	}
	return nil
}

func isDevice(base string) bool {
	base = strings.ToUpper(base)
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(base, "COM")
	if !ok {
		number, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Trim(number, "0123456789¹²³") == ""
}

// fold makes names equal that are one name to a volume.
func fold(name string) string { return strings.ToUpper(name) }

// CheckLabel refuses labels that not every system shows as they are.
func CheckLabel(label string) error {
	if label == "" || len(label) > 11 || strings.Trim(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ") != "" || strings.TrimSpace(label) != label {
		return fmt.Errorf("%w: %.40q; it may have 11 capital letters, digits, spaces, _ and -", ErrLabel, label)
	}
	return nil
}

// shortName is the name in a folder's entry: eight characters and three.
type shortName [11]byte

// exactShort gives the short name that says all of a name, if there is one.
func exactShort(name string) (s shortName, ok bool) {
	base, ext, dotted := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || dotted && ext == "" || strings.ContainsFunc(base+ext, func(c rune) bool { return !isShort(c) }) {
		return s, false
	}
	return packShort(base, ext), true
}

func isShort(c rune) bool {
	return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'()-@^_`{}~", c)
}

func packShort(base, ext string) (s shortName) {
	copy(s[:], "           ")
	copy(s[:8], base)
	copy(s[8:], ext)
	return s
}

// madeShort gives a long name a short one that nobody else in the folder has.
func madeShort(name string, taken map[shortName]bool) shortName {
	base, ext := strings.TrimLeft(name, ". "), ""
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		base, ext = base[:dot], base[dot+1:]
	}
	base, ext = shorten(base, 6), shorten(ext, 3)
	for n := 1; ; n++ {
		tail := "~" + strconv.Itoa(n)
		s := packShort(base[:min(len(base), 8-len(tail))]+tail, ext)
		if !taken[s] {
			return s
		}
	}
}

// shorten keeps at most limit characters, each of them one that short names may
// have.
func shorten(s string, limit int) string {
	var b strings.Builder
	for _, c := range strings.ToUpper(s) {
		switch {
		case b.Len() == limit:
			return b.String()
		case c == ' ' || c == '.':
		case isShort(c):
			b.WriteByte(byte(c))
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// checksum ties the entries of a long name to the short one.
func (s shortName) checksum() (sum byte) {
	for _, c := range s {
		sum = sum<<7 + sum>>1 + c
	}
	return sum
}

// String gives the name as people write it.
func (s shortName) String() string {
	base, ext := strings.TrimRight(string(s[:8]), " "), strings.TrimRight(string(s[8:]), " ")
	if ext == "" {
		return base
	}
	return base + "." + ext
}
