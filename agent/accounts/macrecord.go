package accounts

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// macRecord is attributes and their values.
type macRecord map[string][]string

// Kinds of records and names of attributes (CFOpenDirectoryConstants.h).
const (
	macUsers  = "dsRecTypeStandard:Users"
	macGroups = "dsRecTypeStandard:Groups"

	attrName         = "dsAttrTypeStandard:RecordName" // the first value; the others are aliases
	attrFullName     = "dsAttrTypeStandard:RealName"
	attrNumber       = "dsAttrTypeStandard:UniqueID"
	attrGroup        = "dsAttrTypeStandard:PrimaryGroupID"
	attrHome         = "dsAttrTypeStandard:NFSHomeDirectory"
	attrShell        = "dsAttrTypeStandard:UserShell"
	attrGUID         = "dsAttrTypeStandard:GeneratedUID"
	attrAuthority    = "dsAttrTypeStandard:AuthenticationAuthority"
	attrMembers      = "dsAttrTypeStandard:GroupMembership" // names
	attrMembersGUIDs = "dsAttrTypeStandard:GroupMembers"
	attrHidden       = "dsAttrTypeNative:IsHidden"
	attrMark         = "dsAttrTypeNative:_firstday_account"
)

// writersOf names who may change an attribute without being an administrator. The
// person may change these of their own, as with an account that System Settings
// makes; without the first they could not even change their password.
const writersOf = "dsAttrTypeNative:_writers_"

var ownAttributes = []string{
	"passwd", "hint", "picture", "jpegphoto", "AvatarRepresentation", "UserCertificate", "unlockOptions", "inputSources",
}

const (
	disabledAuthority = ";DisabledUser;"
	hashAuthority     = ";ShadowHash;" // there is a password
	// noTokenAuthority keeps macOS from giving a secure token with the next
	// password (Apple's deployment guide, dep24dbdcf9e).
	noTokenAuthority = ";DisabledTags;SecureToken"

	firstPersonOfMac = 501
	lastPersonOfMac  = 60000
	staffGroup       = "20"
	macShell         = "/bin/zsh" // that of macOS since 10.15
	noShell          = "/usr/bin/false"

	longestName  = 244     // bytes, of OpenDirectory
	longestValue = 1 << 16 // bytes that are read of one
)

func (r macRecord) first(attribute string) string {
	if len(r[attribute]) == 0 {
		return ""
	}
	return r[attribute][0]
}

// fold makes the same of names that macOS, its file system or people take for the
// same. What no name could be folds to nothing.
func fold(name string) string {
	if len(name) > 4*longestName {
		return ""
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(strings.TrimSpace(name))))
}

// is tells whether the record has the folded name, as itself or as an alias.
func (r macRecord) is(folded string) bool {
	same := func(s string) bool { return fold(s) == folded }
	return folded != "" && (slices.ContainsFunc(r[attrName], same) || slices.ContainsFunc(r[attrFullName], same))
}

// numbers are text, which may be no number or one that no account has.
func (r macRecord) numbers() []int {
	var numbers []int
	for _, text := range r[attrNumber] {
		if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// isPerson tells people from services, and from what is no account at all.
func (r macRecord) isPerson() bool {
	name, numbers := r.first(attrName), r.numbers()
	switch {
	case len(numbers) == 0 || numbers[0] < firstPersonOfMac:
		return false
	case name == "" || name[0] == '_' || len(name) > longestName || !utf8.ValidString(name):
		return false
	}
	return !strings.ContainsFunc(name, unicode.IsControl)
}

// isHidden: the login window leaves the account out. Those that only share files
// have no shell.
func (r macRecord) isHidden() bool {
	switch strings.ToLower(r.first(attrHidden)) {
	case "1", "yes", "true":
		return true
	}
	return r.first(attrShell) == noShell
}

func (r macRecord) isDisabled() bool {
	return slices.ContainsFunc(r[attrAuthority], func(a string) bool { return strings.Contains(a, disabledAuthority) })
}

// enabledAuthority takes out the mark, be it a value of its own or the beginning
// of another, and what kept a new account from a secure token.
func (r macRecord) enabledAuthority() []string {
	var kept []string
	for _, a := range r[attrAuthority] {
		if a == noTokenAuthority && r.first(attrMark) != "" {
			continue // ours, see Create
		}
		if a = strings.ReplaceAll(a, disabledAuthority, ""); a != "" {
			kept = append(kept, a)
		}
	}
	return kept
}

func (r macRecord) account(admin macRecord) Account {
	a := Account{
		ID: r.first(attrGUID), Name: r.first(attrName), FullName: r.first(attrFullName), Home: r.first(attrHome),
		Administrator: slices.Contains(admin[attrMembers], r.first(attrName)) || slices.Contains(admin[attrMembersGUIDs], r.first(attrGUID)),
		Disabled:      r.isDisabled(), Hidden: r.isHidden(),
	}
	if a.FullName == a.Name {
		a.FullName = "" // it has none, see realName
	}
	a.Tag, a.Unused = readMark(r.first(attrMark))
	return a
}
