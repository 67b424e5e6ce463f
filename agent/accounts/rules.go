package accounts

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PasswordRules are what a system asks of the first password of an account. How
// old a password must be before it is changed, and how many may not come again,
// is of no interest to one.
type PasswordRules struct {
	Length int // characters at least
	// Kinds: three kinds of characters, and no part of the account's names.
	// Windows calls that complexity.
	Kinds bool
}

// RuleTeller is a [Store] of a system that tells its rules before it applies
// them.
type RuleTeller interface {
	PasswordRules(ctx context.Context) (PasswordRules, error)
}

// String tells the rules to who is about to choose a password.
func (r PasswordRules) String() string {
	text := fmt.Sprintf("At least %d characters", r.Length)
	if r.Kinds {
		text += ", three of these among them: capital letters, small letters, digits, other signs; and no part of your name"
	}
	return text + "."
}

// Refuses tells in a sentence what a password lacks, nothing if it will do. The
// names are those of the account and of its user.
func (r PasswordRules) Refuses(password, account, fullName string) string {
	switch {
	case utf8.RuneCountInString(password) < r.Length:
		return fmt.Sprintf("It needs at least %d characters.", r.Length)
	case r.Kinds && kindsOf(password) < 3:
		return "It needs three of these: capital letters, small letters, digits, other signs."
	case r.Kinds && holdsName(password, account, fullName):
		return "It must not hold a part of your name."
	}
	return ""
}

// kindsOf counts the kinds of characters, of which Windows has five: letters
// without case are one.
func kindsOf(password string) int {
	var kinds [5]int
	for _, r := range password {
		kind := 4
		switch {
		case unicode.IsUpper(r):
			kind = 0
		case unicode.IsLower(r):
			kind = 1
		case r >= '0' && r <= '9':
			kind = 2
		case unicode.IsLetter(r):
			kind = 3
		}
		kinds[kind] = 1
	}
	return kinds[0] + kinds[1] + kinds[2] + kinds[3] + kinds[4]
}

// minNamePart is how long a part of a name must be to be found, in characters.
const minNamePart = 3

// holdsName looks for the whole name of the account, and for each part of that of
// the user.
func holdsName(password, account, fullName string) bool {
	parts := strings.FieldsFunc(fullName, func(r rune) bool { return strings.ContainsRune(",.-_ #\t", r) })
	folded := strings.ToLower(password)
	for _, part := range append(parts, account) {
		if utf8.RuneCountInString(part) >= minNamePart && strings.Contains(folded, strings.ToLower(part)) {
			return true
		}
	}
	return false
}
