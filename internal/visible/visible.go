// Package visible makes text from outside safe to show: what a hostile file
// says of itself must not steer the terminal, break a line in two or turn the
// reading direction round.
package visible

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line gives s with everything that does not print as Go would escape it in a
// string: line breaks, control and format characters, broken UTF-8. Tabs stay.
func Line(s string) string {
	if !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case hidden(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }
