package agent

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// checkFileName refuses whatever is not the plain name of one file on every
// system: paths, streams, wild cards, names Windows reserves for devices or
// silently changes.
func checkFileName(name string) error {
	switch {
	case name == "":
		return errors.New("file name is empty")
	case len(name) > 255:
		return errors.New("file name is longer than 255 bytes")
	case !utf8.ValidString(name):
		return errors.New("file name is not UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return errors.New("file name holds control characters")
	case strings.ContainsAny(name, `/\:*?"<>|`):
		return errors.New("file name holds one of " + `/ \ : * ? " < > |`)
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "): // also "." and ".."
		return errors.New("file name ends with a dot or a space")
	case isDeviceName(name):
		return errors.New("file name is a Windows device")
	}
	return nil
}

// isDeviceName knows the names that mean a device in every folder, with any
// extension: "nul.txt" too.
func isDeviceName(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		number, ok := strings.CutPrefix(base, port)
		// Windows takes the superscript digits for digits.
		if ok && utf8.RuneCountInString(number) == 1 && strings.ContainsAny(number, "0123456789¹²³") {
			return true
		}
	}
	return false
}
