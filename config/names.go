package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"firstday.dev/api"
)

// errReserved is the reason of [CheckPayloadName] for the agent's names.
var errReserved = errors.New("the agent's own files are called so")

// maxPayloadName bounds a payload's name, in bytes, as package ppkg does. Windows
// allows 255 characters for a name and 260 for a whole path, of which the folder
// that Windows unpacks into needs its share.
const maxPayloadName = 200

// CheckPayloadName is [api.CheckFileName] and refuses names that are too long
// for a package, and those of the agent's own files, which lie in the same
// folder on the device.
func CheckPayloadName(name string) error {
	if len(name) > maxPayloadName {
		return fmt.Errorf("a name of %d bytes is too long; a file in a package has at most %d", len(name), maxPayloadName)
	}
	if err := api.CheckFileName(name); err != nil {
		return err
	}
	folded := foldName(name)
	if folded == foldName(api.EnrollmentFile) || strings.HasPrefix(folded, foldName("firstday-")) {
		return fmt.Errorf("%q cannot be used: %w", name, errReserved)
	}
	return nil
}

// foldName maps names that Windows takes for the same file to one string: its
// file systems compare character by character in upper case.
func foldName(name string) string { return strings.Map(unicode.ToUpper, name) }

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
	if name == "" || api.IsDeviceName(name) {
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
