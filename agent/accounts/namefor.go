package accounts

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"firstday.dev/api"
	"firstday.dev/internal/nametemplate"
)

// User is whose account gets a name.
type User struct{ Email, FullName string }

// Errors of [NameFor], besides ErrName for a name that the system keeps to
// itself. Each needs IT to set a name for the user, or a better template.
var (
	// ErrTemplate: IT wrote something that is no template.
	ErrTemplate = nametemplate.Err
	// ErrNotLatin: a name has letters, but none that ASCII can stand for.
	ErrNotLatin = errors.New("no Latin letters to make the name of an account from: IT must set one")
	// ErrNothingLeft: the user has no name or address, or one of signs only.
	ErrNothingLeft = errors.New("nothing to make the name of an account from: IT must set one")
)

// maxSource bounds names and addresses, in bytes.
const maxSource = 1000

// NameFor derives the name of the user's account from a template: text with
// {local}, the part of the e-mail address before the @; {first} and {last},
// the first and last word of the full name; {f} and {l}, their first letters.
// The same user always gets the same name, and CheckName takes it. Accents go;
// so does what the platform refuses, and what is too long for it.
func NameFor(p api.Platform, template string, u User) (string, error) {
	known, err := platformOf(p)
	if err != nil {
		return "", err
	}
	name, err := fill(template, u)
	if err != nil {
		return "", err
	}
	name = strings.TrimLeft(name, "._-0123456789")
	if len(name) > known.maxName {
		name = name[:known.maxName]
	}
	name = strings.TrimRight(name, "._-")
	if name == "" {
		return "", ErrNothingLeft
	}
	return name, known.checkName(name)
}

// fill gives lower-case ASCII letters, digits and .-_ only.
func fill(template string, u User) (string, error) {
	if len(u.Email) > maxSource || len(u.FullName) > maxSource {
		return "", fmt.Errorf("%w: an address or name of more than %d bytes", ErrName, maxSource)
	}
	return nametemplate.Fill(template, u.field)
}

// field gives what stands for {name}, empty if the user has no such thing.
func (u User) field(name string) (string, error) {
	first, last := words(u.FullName)
	source := ""
	switch name {
	case "local":
		source = nametemplate.Local(u.Email)
	case "first", "f":
		source = first
	case "last", "l":
		source = last
	default:
		return "", fmt.Errorf("%w: {%.20s} is none of {local}, {first}, {last}, {f} and {l}", ErrTemplate, name)
	}
	value := nametemplate.Fold(source)
	if strings.Trim(value, "._-") == "" {
		value = ""
	}
	if value == "" && strings.ContainsFunc(source, unicode.IsLetter) {
		return "", fmt.Errorf("%.64q: %w", source, ErrNotLatin)
	}
	if name == "f" || name == "l" {
		value = strings.TrimLeft(value, "._-")
		value = value[:min(1, len(value))]
	}
	return value, nil
}

// words gives the first and the last word of a full name. "Doe, Jane" is
// Jane's.
func words(fullName string) (first, last string) {
	if family, given, ok := strings.Cut(fullName, ","); ok && strings.TrimSpace(given) != "" {
		fullName = given + " " + family
	}
	w := strings.Fields(fullName)
	switch len(w) {
	case 0:
		return "", ""
	case 1:
		return w[0], ""
	}
	return w[0], w[len(w)-1]
}
