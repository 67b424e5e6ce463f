// Package nametemplate makes names of users and accounts of what is known of a
// person, by a template: text with fields, such as {first}.{last}.
package nametemplate

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Err: IT wrote something that is no template.
var Err = errors.New("not a template for names of accounts")

// Max bounds templates, in bytes.
const Max = 100

// Signs are what the names of all platforms may hold.
const Signs = "abcdefghijklmnopqrstuvwxyz0123456789._-"

// Fill puts what field gives in the place of each field.
func Fill(template string, field func(name string) (string, error)) (string, error) {
	if len(template) > Max {
		return "", fmt.Errorf("%w: it is longer than %d bytes", Err, Max)
	}
	var b strings.Builder
	for rest := template; rest != ""; {
		text, after, found := strings.Cut(rest, "{")
		if strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(Signs, r) }) {
			return "", fmt.Errorf("%w: %q has other than %s and fields", Err, template, Signs)
		}
		b.WriteString(text)
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("%w: %q lacks a }", Err, template)
		}
		value, err := field(name)
		if err != nil {
			return "", fmt.Errorf("%q: %w", template, err)
		}
		b.WriteString(value)
		rest = behind
	}
	if !strings.Contains(template, "{") {
		return "", fmt.Errorf("%w: %q has no field", Err, template)
	}
	return b.String(), nil
}

// Local gives the part of an e-mail address before the @, and of a text that is
// no address all of it. What is behind a + is no part of a person.
func Local(address string) string {
	local, _, isAddress := strings.Cut(address, "@")
	if isAddress {
		local, _, _ = strings.Cut(local, "+")
	}
	return local
}

// Fold keeps of a text what [Signs] has, in lower case, after accents went and
// letters that are none with an accent were written out.
func Fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		r = unicode.ToLower(r)
		if written, ok := writtenOut[r]; ok {
			b.WriteString(written)
		} else if r < unicode.MaxASCII && strings.ContainsRune(Signs, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// writtenOut are the letters of Latin alphabets that Unicode does not take
// apart.
var writtenOut = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i",
	'ŋ': "n", 'ŧ': "t", 'ĸ': "k", 'ə': "e", 'ɓ': "b", 'ɗ': "d", 'ƙ': "k", 'ƴ': "y", 'ƒ': "f", 'ɛ': "e", 'ɔ': "o",
}
