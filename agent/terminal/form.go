package terminal

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/visible"
)

// Keys that are no letters.
const (
	ctrlC     = 0x03
	ctrlD     = 0x04
	ctrlU     = 0x15
	tab       = '\t'
	enter     = '\r'
	newline   = '\n'
	backspace = 0x08
	del       = 0x7f
)

// maxTyped bounds what a field takes, in bytes: no password is longer.
const maxTyped = 256

// form asks for the fields of a screen, one after the other, then sends them
// with its first button; Tab leads to the buttons instead. A screen without
// fields has buttons only.
type form struct {
	fields  []signin.Field
	actions []signin.ActionButton
	typed   [][]rune // of each field
	at      int      // the field that is asked for; after the last: the buttons
}

// ask begins anew with a screen's fields.
func (f *form) ask(s *local.Screen) {
	f.wipe()
	f.fields, f.actions = s.Fields, s.Actions
	f.typed, f.at = make([][]rune, len(s.Fields)), 0
	for i := range f.typed {
		f.typed[i] = make([]rune, 0, maxTyped) // which never grows, and leaves no copy
	}
}

// wipe forgets what was typed.
func (f *form) wipe() {
	for _, t := range f.typed {
		clear(t[:cap(t)])
	}
}

// values gives what was typed, by the fields' names.
func (f *form) values() map[string]string {
	values := make(map[string]string, len(f.fields))
	for i, field := range f.fields {
		values[field.Name] = string(f.typed[i])
	}
	return values
}

// press takes a key, and gives the action that is chosen by it, if any.
func (f *form) press(key rune) signin.ActionName {
	if key == tab && len(f.fields) > 0 {
		if f.at == len(f.fields) {
			f.at = 0
		} else {
			f.at = len(f.fields)
		}
		return ""
	}
	if f.at < len(f.fields) {
		return f.edit(key)
	}
	return f.choose(key)
}

// edit changes the field that is asked for.
func (f *form) edit(key rune) signin.ActionName {
	typed := &f.typed[f.at]
	switch {
	case key == enter || key == newline:
		if len(*typed) == 0 {
			return "" // it is asked for
		}
		if f.at+1 < len(f.fields) {
			f.at++
			return ""
		}
		return f.primary()
	case key == backspace || key == del:
		*typed = (*typed)[:max(0, len(*typed)-1)]
	case key == ctrlU:
		*typed = (*typed)[:0]
	case f.fields[f.at].Digits && (key < '0' || key > '9'), !unicode.IsPrint(key):
	case len(string(*typed))+utf8.RuneLen(key) <= maxTyped:
		*typed = append(*typed, key)
	}
	return ""
}

// choose takes the number of a button, or its letter.
func (f *form) choose(key rune) signin.ActionName {
	if key == enter || key == newline {
		return f.primary()
	}
	for i, a := range f.actions {
		if key == rune('1'+i) || unicode.ToLower(key) == letter(f.actions, i) {
			return a.Name
		}
	}
	return ""
}

// primary is the button that Enter presses.
func (f *form) primary() signin.ActionName {
	i := slices.IndexFunc(f.actions, func(a signin.ActionButton) bool { return a.Primary })
	if i < 0 {
		return ""
	}
	return f.actions[i].Name
}

// letter is the first one of a button's label, unless an earlier button has it.
func letter(actions []signin.ActionButton, i int) rune {
	first := func(a signin.ActionButton) rune {
		r, _ := utf8.DecodeRuneInString(a.Label)
		return unicode.ToLower(r)
	}
	l := first(actions[i])
	if !unicode.IsLetter(l) || slices.ContainsFunc(actions[:i], func(a signin.ActionButton) bool { return first(a) == l }) {
		return 0
	}
	return l
}

// line is what the last line asks.
func (f *form) line() string {
	if f.at == len(f.fields) {
		return f.choices()
	}
	field := f.fields[f.at]
	typed := string(f.typed[f.at])
	if field.Secret {
		typed = strings.Repeat("*", len(f.typed[f.at]))
	}
	return visible.Line(field.Label) + ": " + typed
}

func (f *form) choices() string {
	var all []string
	for i, a := range f.actions {
		text := fmt.Sprintf("%d", i+1)
		if l := letter(f.actions, i); l != 0 {
			text += fmt.Sprintf(" or %c", l)
		}
		if a.Primary {
			text += " or Enter"
		}
		all = append(all, text+": "+visible.Line(a.Label))
	}
	return strings.Join(all, "   ") + " "
}
