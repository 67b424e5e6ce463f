package config

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// DefaultBreakGlass is the break-glass administrator's name where the file
// gives none.
const DefaultBreakGlass = "firstday-admin"

// BreakGlass is the local administrator that a package creates, so that no
// device is ever without an account (formats/ppkg.md §11). The agent rotates
// its password after enrolment.
type BreakGlass struct {
	// Whether the account is created. Default true; without it hideOobe must be false.
	Enabled bool `yaml:"enabled"`
	// Its user name, at most 20 characters. Default firstday-admin.
	Name string `yaml:"name"`
	// Its first password. Default: generated, a new one for each package.
	Password *SecretSource `yaml:"password,generated"`
}

func (b *BreakGlass) check(r *report, computer ComputerName) {
	const path = "windows.breakGlass"
	if !b.Enabled {
		for _, key := range []string{"name", "password"} {
			if r.has(path + "." + key) {
				r.errorf(path+"."+key, "remove it, or enable the account", "%s is given for an account that is not created", key)
			}
		}
		return
	}
	if why := badUserName(b.Name); why != "" {
		r.errorf(path+".name", "for example: rescue", "name %s", why)
	}
	if strings.EqualFold(b.Name, string(computer)) {
		r.errorf(path+".name", "give the account another name", "name is the same as the computer's; Windows refuses that")
	}
	if b.Password != nil {
		b.Password.label = "password of " + b.Name
		b.Password.check(r, path+".password")
	}
}

// reservedUsers are accounts and groups that Windows has already.
var reservedUsers = []string{
	"Administrator", "Guest", "DefaultAccount", "WDAGUtilityAccount", "defaultuser0",
	"SYSTEM", "LOCAL SERVICE", "NETWORK SERVICE", "Administrators", "Users", "Guests", "NONE",
}

// badUserName says why Windows would refuse a user name
// (platform/windows-signin.md §3), or "".
func badUserName(name string) string {
	switch n := len(utf16.Encode([]rune(name))); {
	case strings.TrimSpace(name) == "":
		return "is empty"
	case n > 20:
		return "has more than 20 characters, the most Windows allows"
	case strings.ContainsAny(name, `"/\[]:;|=,+*?<>@`):
		return `holds one of " / \ [ ] : ; | = , + * ? < > @`
	case strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return "holds a character that cannot be shown"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a space"
	case strings.HasSuffix(name, "."):
		return "ends with a dot"
	}
	for _, reserved := range reservedUsers {
		if strings.EqualFold(name, reserved) {
			return "is one that Windows has already"
		}
	}
	return ""
}
