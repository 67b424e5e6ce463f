package config

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"firstday.dev/api"
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
		r.errorf(path+".name", "choose another, for example: rescue", "name %s", why)
	} else if strings.Trim(b.Name, plainName) != "" {
		r.warnf(path+".name", "letters, digits, dots, hyphens and underscores can be typed everywhere",
			"name holds characters that some keyboards do not have; Windows in other languages may have an account of that name")
	}
	if strings.EqualFold(b.Name, string(computer)) {
		r.errorf(path+".name", "give the account another name", "name is the same as the computer's; Windows refuses that")
	}
	if b.Password != nil {
		b.Password.label = "password of " + b.Name
		b.Password.check(r, path+".password")
	}
}

// plainName are the characters of names that need no second thought.
const plainName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// Bounds on the break-glass password, in characters: Windows accepts up to 127
// at the sign-in screen.
const (
	minBreakGlass = 8
	maxBreakGlass = 127
)

// Resolve reads the account's first password; it is empty if one is to be
// generated. It must be one that can be typed: with OOBE hidden this is the
// only account. Errors wrap [ErrNoSecret] or [ErrBadSecret].
func (b BreakGlass) Resolve(prompt func(label string) ([]byte, error)) (api.Secret, error) {
	if !b.Enabled || b.Password == nil {
		return "", nil
	}
	secret, err := b.Password.Resolve(prompt)
	if err != nil {
		return "", err
	}
	s := secret.Reveal()
	switch n := utf8.RuneCountInString(s); {
	case n < minBreakGlass || n > maxBreakGlass:
		return "", b.Password.bad("has %d characters; the password must have %d to %d", n, minBreakGlass, maxBreakGlass)
	case strings.TrimSpace(s) != s:
		return "", b.Password.bad("begins or ends with a space")
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		return "", b.Password.bad("holds a character that cannot be typed")
	}
	return secret, nil
}

// reservedUsers are the accounts, groups and authorities that Windows has
// already; those it translates, in the languages we know them in.
var reservedUsers = []string{
	"Administrator", "Guest", "DefaultAccount", "WDAGUtilityAccount", "defaultuser0", "defaultuser1", "HomeGroupUser$",
	"Administrateur", "Administrador", "Amministratore", "Gast", "Invité", "Invitado", "Convidado",
	"Administrators", "Users", "Guests", "Power Users", "Backup Operators", "Remote Desktop Users", "Everyone",
	"SYSTEM", "LOCAL SERVICE", "NETWORK SERVICE", "LocalSystem", "LocalService", "NetworkService", "LOCAL", "NETWORK",
	"NT AUTHORITY", "NT SERVICE", "BUILTIN", "Authenticated Users", "ANONYMOUS LOGON", "INTERACTIVE", "SERVICE",
	"BATCH", "DIALUP", "REMOTE", "SELF", "PROXY", "RESTRICTED", "OWNER RIGHTS", "CREATOR OWNER", "CREATOR GROUP",
	"IUSR", "IIS_IUSRS", "krbtgt", "NONE", "HelpAssistant", "Replicator", "Device Owners", "OpenSSH Users",
	"Access Control Assistance Operators", "Cryptographic Operators", "Distributed COM Users", "Event Log Readers",
	"Hyper-V Administrators", "Network Configuration Operators", "Performance Log Users", "Performance Monitor Users",
	"Remote Management Users", "Storage Replica Administrators", "System Managed Accounts Group", "User Mode Hardware Operators",
	"Administratoren", "Benutzer", "Gäste", "Jeder", "Administrateurs", "Utilisateurs", "Invités", "Administradores", "Usuarios",
	"Amministratori", "Utenti", "Administratörer", "Användare",
}

// badUserName says why Windows would refuse a user name, or would take it for
// something else (platform/windows-signin.md §3), or "". Scripts that put a
// name into a command line would have the shell replace what stands between %.
func badUserName(name string) string {
	switch n := len(utf16.Encode([]rune(name))); {
	case strings.TrimSpace(name) == "":
		return "is empty"
	case strings.Trim(name, ". ") == "":
		return "has nothing but dots and spaces"
	case n > 20:
		return "has more than 20 characters, the most Windows allows"
	case strings.ContainsAny(name, `"/\[]:;|=,+*?<>@%`):
		return `holds one of " / \ [ ] : ; | = , + * ? < > @ %`
	case strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return "holds a character that cannot be shown"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a space"
	case strings.HasSuffix(name, "."):
		return "ends with a dot"
	case api.IsDeviceName(name):
		return "is that of a Windows device"
	case slices.ContainsFunc(reservedUsers, func(r string) bool { return strings.EqualFold(r, name) }):
		return "is one that Windows has already"
	}
	return ""
}
