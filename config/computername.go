package config

import (
	"fmt"
	"strconv"
	"strings"
)

// maxComputerName is the most a device's name may have: NetBIOS names end
// there, and with a macro in the name the Accounts CSP cuts to it.
const maxComputerName = 15

// enoughSerial is how many characters of a serial number tell the devices of
// one maker apart; the common ones have 7 (Dell), 8 (Lenovo) or 10 (HP).
const enoughSerial = 7

// ComputerName is a template for device names: letters, digits and hyphens,
// and at most once each %SERIAL%, the device's serial number, and %RAND:n%,
// n random digits.
//
// Windows replaces both. If the serial number makes the name longer than 15
// characters, Windows drops the beginning of the serial number and keeps its
// end (Accounts CSP, Domain/ComputerName).
type ComputerName string

// SerialRoom gives how many characters of the serial number have room in the
// name; they are its last ones. It is 0 if the template has no %SERIAL%.
func (n ComputerName) SerialRoom() int {
	t, why := n.parse()
	if why != "" || !t.serial {
		return 0
	}
	return maxComputerName - len(t.literal) - t.random
}

// For gives the name of the device with that serial number. digit gives a random
// digit, '0' to '9'.
func (n ComputerName) For(serial string, digit func() byte) (string, error) {
	t, why := n.parse()
	if why != "" {
		return "", fmt.Errorf("the template %.60q %s", string(n), why)
	}
	if room := n.SerialRoom(); len(serial) > max(room, 0) {
		serial = serial[len(serial)-max(room, 0):]
	}
	var b strings.Builder
	for rest := string(n); ; {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found {
			break
		}
		macro, tail, _ := strings.Cut(after, "%")
		if macro == "SERIAL" {
			b.WriteString(serial)
		} else {
			for range t.random {
				b.WriteByte(digit())
			}
		}
		rest = tail
	}
	name := b.String()
	if strings.Trim(name, nameCharacters) != "" || name == "" || onlyDigits(name) || len(name) > maxComputerName {
		return "", fmt.Errorf("%.60q is not the name of a device: 1 to %d letters, digits and hyphens, not digits alone", name, maxComputerName)
	}
	return name, nil
}

// nameCharacters are those of device names.
const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

// nameTemplate is a parsed template.
type nameTemplate struct {
	literal string // the fixed characters, macros removed
	serial  bool
	random  int // digits
}

// parse reads the template, or says what is wrong with it.
func (n ComputerName) parse() (t nameTemplate, why string) {
	rest := string(n)
	for {
		before, after, found := strings.Cut(rest, "%")
		t.literal += before
		if !found {
			break
		}
		macro, tail, closed := strings.Cut(after, "%")
		digits, random := strings.CutPrefix(macro, "RAND:")
		switch {
		case !closed:
			return t, "has a % without a second one"
		case macro == "SERIAL" && t.serial:
			return t, "has %SERIAL% twice"
		case macro == "SERIAL":
			t.serial = true
		case random && t.random > 0:
			return t, "has %RAND:n% twice"
		case random:
			count, err := strconv.Atoi(digits)
			if err != nil || count < 1 || count > maxComputerName || digits[0] == '+' || digits[0] == '0' {
				return t, "has %" + macro + "%; the number of random digits must be 1 to 15"
			}
			t.random = count
		default:
			return t, "has %" + macro + "%; Windows knows %SERIAL% and %RAND:n% only"
		}
		rest = tail
	}
	return t, ""
}

func (n ComputerName) check(r *report, path string) {
	if !r.has(path) {
		return
	}
	t, why := n.parse()
	fixed := len(t.literal) + t.random
	switch {
	case why != "":
		r.errorf(path, "for example: ACME-%SERIAL% or ACME-%RAND:5%", "computerName %s", why)
	case n == "":
		r.errorf(path, "leave it out and Windows makes up a name", "computerName is empty")
	case strings.Trim(t.literal, nameCharacters) != "":
		r.errorf(path, "letters A to Z, digits and hyphens are allowed", "computerName holds a character that a device's name cannot have")
	case strings.HasPrefix(string(n), "-") || strings.HasSuffix(string(n), "-"):
		r.errorf(path, "", "computerName begins or ends with a hyphen")
	case !t.serial && fixed > maxComputerName:
		r.errorf(path, "shorten it", "computerName gives %d characters; a Windows device's name has at most %d", fixed, maxComputerName)
	case t.serial && fixed > maxComputerName-4:
		r.errorf(path, "shorten the rest of the name; Windows keeps the end of the serial number and drops its beginning",
			"computerName leaves room for %d characters of the serial number; a name has at most %d", max(maxComputerName-fixed, 0), maxComputerName)
	case !t.serial && onlyDigits(t.literal):
		r.errorf(path, "add a letter", "computerName gives only digits; Windows refuses that")
	case t.serial && onlyDigits(t.literal):
		r.warnf(path, "begin with a letter, for example: PC-%SERIAL%",
			"serial numbers of only digits would give names of only digits, which Windows refuses")
	case t.serial && maxComputerName-fixed < enoughSerial:
		r.warnf(path, "shorten the rest of the name",
			"computerName has room for the last %d characters of the serial number; two devices may get the same name", maxComputerName-fixed)
	case !t.serial && t.random == 0:
		r.warnf(path, "add %SERIAL% or %RAND:5%", "every device gets the same name, %s", n)
	}
}

func onlyDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
