package api

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
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
	if IsDeviceName(name) {
		return fmt.Errorf("%q is the name of a Windows device", name)
	}
	return nil
}

// IsDeviceName says whether Windows takes name for a device, whatever follows its
// first dot. The superscript digits are digits to Windows here.
func IsDeviceName(name string) bool {
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

func isUnprintable(c rune) bool { return !unicode.IsPrint(c) && c != ' ' }
