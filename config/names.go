package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"firstday.dev/api"
)

// CheckFileName says why a file of this name cannot go into a package. Inside,
// it must be one plain name that Windows can create in any folder.
func CheckFileName(name string) error {
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("%q is not a file's name", name)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("%q is not valid UTF-8", name)
	}
	if strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q holds a path separator", name)
	}
	if strings.ContainsAny(name, `<>:"|?*`) {
		return fmt.Errorf(`%q holds one of < > : " | ? *, which Windows forbids`, name)
	}
	if strings.ContainsFunc(name, isUnprintable) {
		return fmt.Errorf("%q holds a character that cannot be shown", name)
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " ") {
		return fmt.Errorf("%q begins with a space or ends with a dot or space, which Windows drops", name)
	}
	if n := len(utf16.Encode([]rune(name))); n > 255 {
		return fmt.Errorf("a name of %d characters is too long; Windows allows 255", n)
	}
	if isDevice(name) {
		return fmt.Errorf("%q is the name of a Windows device", name)
	}
	return nil
}

// errReserved is the reason of [CheckPayloadName] for the agent's names.
var errReserved = errors.New("the agent's own files are called so")

// CheckPayloadName is [CheckFileName] and refuses the names of the agent's own
// files, which lie in the same folder on the device.
func CheckPayloadName(name string) error {
	if err := CheckFileName(name); err != nil {
		return err
	}
	folded := foldName(name)
	if folded == foldName(api.EnrollmentFile) || strings.HasPrefix(folded, foldName("firstday-")) {
		return fmt.Errorf("%q cannot be used: %w", name, errReserved)
	}
	return nil
}

// isDevice says whether Windows takes name for a device, whatever follows its
// first dot. The superscript digits are digits to Windows here.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	switch stem = strings.ToUpper(strings.TrimRight(stem, " ")); stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if !strings.HasPrefix(stem, "COM") && !strings.HasPrefix(stem, "LPT") {
		return false
	}
	switch stem[len("COM"):] {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}

// foldName maps names that Windows takes for the same file to one string: its
// file systems compare character by character in upper case.
func foldName(name string) string { return strings.Map(unicode.ToUpper, name) }

func isUnprintable(c rune) bool { return !unicode.IsPrint(c) && c != ' ' }

// nameFrom makes a name of plain letters, digits and hyphens out of an
// organisation's: "Müller & Söhne" gives "Muller-Sohne". A name without any
// Latin letter gives "org-" and some digits that are always the same for it.
func nameFrom(organisation string) string {
	var b strings.Builder
	gap := false
	for _, c := range norm.NFKD.String(organisation) {
		plain, isLatin := latin[c]
		switch {
		case c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			plain = string(c)
		case unicode.Is(unicode.Mn, c) || c == '\'' || c == '’':
			continue
		case !isLatin:
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteString(plain)
	}
	name := b.String()
	if len(name) > 40 {
		name = strings.TrimRight(name[:40], "-")
	}
	if name == "" || isDevice(name) {
		return fmt.Sprintf("org-%x", sha256.Sum256([]byte(organisation)))[:12]
	}
	return name
}

// latin spells the letters that Unicode does not decompose.
var latin = map[rune]string{
	'ß': "ss", 'ẞ': "SS", 'æ': "ae", 'Æ': "Ae", 'œ': "oe", 'Œ': "Oe", 'ø': "o", 'Ø': "O",
	'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "Th", 'ł': "l", 'Ł': "L", 'ı': "i", 'ħ': "h", 'Ħ': "H",
}

func isSlug(s string) bool {
	return len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		s != "" && s[0] != '-' && s[len(s)-1] != '-'
}
