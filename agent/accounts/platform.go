package accounts

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"firstday.dev/api"
)

// platform is what a kind of system takes.
type platform struct {
	name        api.Platform
	maxName     int // characters
	maxPassword int // bytes, or UTF-16 units on Windows
	maxFullName int // characters
	reserved    []string
	admins      string // the group of administrators, where its name is known
}

func platformOf(p api.Platform) (platform, error) {
	for _, known := range []platform{windowsPlatform, macPlatform, linuxPlatform} {
		if known.name == p {
			return known, nil
		}
	}
	return platform{}, fmt.Errorf("platform %.20q is none of windows, macos and linux", string(p))
}

var (
	windowsPlatform = platform{
		name: api.Windows, maxName: 20, maxPassword: 256, maxFullName: 256, // UNLEN is 256, but USER_INFO_1 takes 20
		admins: "Administrators",
		reserved: []string{
			"administrator", "guest", "defaultaccount", "wdagutilityaccount", // of every Windows
			strings.ToLower(OwnName), strings.ToLower(PagesName), // the agent's own
			"none", "system", "local service", "network service", "anonymous logon", "everyone", // names of other things
			"con", "prn", "aux", "nul", // no profile folder can be called that
			"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
			"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
		},
	}
	macPlatform = platform{
		// OpenDirectory takes names of 244 bytes, older tools 31. At the login
		// window a password may have 511 bytes, with automatic login 251.
		name: api.MacOS, maxName: 31, maxPassword: 251, maxFullName: 200,
		admins:   "admin",
		reserved: []string{"root", "daemon", "nobody", "guest", "shared"}, // /Users/Shared is no home
	}
	linuxPlatform = platform{
		// utmp(5) keeps 32 bytes of a name, PAM and crypt(5) 511 of a password.
		name: api.Linux, maxName: 32, maxPassword: 511, maxFullName: 100,
		admins:   "sudo",
		reserved: []string{"root", "nobody"},
	}
)

// CheckName refuses, with ErrName, what cannot be the name of an account on the
// platform. Whether the name is free only the system knows; on Windows, its own
// name is not.
func CheckName(p api.Platform, name string) error {
	known, err := platformOf(p)
	if err != nil {
		return err
	}
	return known.checkName(name)
}

func (p platform) checkName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case !utf8.ValidString(name) || len(utf16.Encode([]rune(name))) > p.maxName:
		why = fmt.Sprintf("it is longer than %d characters", p.maxName)
	case slices.Contains(p.reserved, strings.ToLower(name)):
		why = "the system uses it"
	case p.name == api.Windows:
		why = refusedByWindows(name)
	default:
		why = p.refusedByUnix(name)
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%.64q is %w on %s: %s", name, ErrName, p.name, why)
}

// refusedByWindows follows the remarks on USER_INFO_1, and leaves out what
// cannot be typed or told apart.
func refusedByWindows(name string) string {
	switch {
	case strings.ContainsAny(name, `"/\[]:;|=,+*?<>@`):
		return `it has one of "/\[]:;|=,+*?<>@`
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "it has characters that do not print"
	case strings.HasSuffix(name, "."):
		return "it ends with a full stop"
	case strings.TrimSpace(name) != name:
		return "it begins or ends with a space"
	}
	return ""
}

// Linux: what the stricter ones among useradd(8), adduser(8) and systemd
// (systemd.io/USER_NAMES) take, and full stops, which all of them take. macOS:
// the rules of System Settings, and no underscore in front, which marks the
// accounts of services there.
var (
	linuxName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]*$`)
	macName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
	hasLetter = regexp.MustCompile(`[a-z]`)
)

func (p platform) refusedByUnix(name string) string {
	pattern, first := linuxName, "a lower-case letter"
	if p.name == api.MacOS {
		pattern, first = macName, "a lower-case letter or digit"
	}
	switch {
	case !pattern.MatchString(name):
		return "it is not " + first + ", then lower-case letters, digits, hyphens, underscores and full stops"
	case !hasLetter.MatchString(name):
		return "it has no letter"
	case strings.HasSuffix(name, "."):
		return "it ends with a full stop"
	}
	return ""
}

// checkPassword refuses what the system could not even store.
func (p platform) checkPassword(password []byte) error {
	length := len(password)
	if p.name == api.Windows {
		length = 0
		for rest := password; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			length, rest = length+utf16.RuneLen(r), rest[size:]
		}
	}
	switch {
	case length == 0:
		return fmt.Errorf("%w: it is empty", ErrPassword)
	case length > p.maxPassword:
		return fmt.Errorf("%w: it is longer than %d characters", ErrPassword, p.maxPassword)
	case !utf8.Valid(password) || bytes.ContainsFunc(password, unicode.IsControl):
		return fmt.Errorf("%w: it has characters that cannot be typed", ErrPassword)
	}
	return nil
}

// fullName gives what the system can store of a name that people read.
func (p platform) fullName(s string) string {
	kept := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || p.name == api.Linux && strings.ContainsRune(",:=", r) {
			return ' ' // chfn(1): those divide fields
		}
		return r
	}, s)
	kept = strings.Join(strings.Fields(kept), " ")
	if runes := []rune(kept); len(runes) > p.maxFullName {
		kept = strings.TrimSpace(string(runes[:p.maxFullName]))
	}
	return kept
}
