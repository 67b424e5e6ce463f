package config

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// What people see of a mistake, their build servers keep in logs. So a line of
// the file is not shown where a secret may stand in it, even one under a
// misspelled key or in the middle of broken YAML; and messages do not repeat
// what stands there. Better a line too many than a secret.

// errorf is that of report, and shows nothing of a place where a secret may
// stand.
func (d *decoder) errorf(path, hint, format string, args ...any) {
	if d.guarded[path] {
		d.secretf(path, hint, format, args...)
		return
	}
	d.report.errorf(path, hint, format, args...)
}

// mayBeSecret says whether the value of a key that is no field of t is likely
// to be a secret, or to hold one: in a mapping that has a place for one, next
// to a key that has, or by the key itself.
func (d *decoder) mayBeSecret(e entry, t reflect.Type, meant string) bool {
	for _, f := range fieldsOf(t) {
		of := t.FieldByIndex(f.index).Type
		if f.of == secretType || namesSecret(of) && t != reflect.TypeFor[Config]() || f.name == meant && holdsSecret(of) {
			return true
		}
	}
	sameLine := e.value != nil && place(e.value).line == e.at.line
	return soundsSecret(e.key) || soundsSecret(d.line(e.at.line)) || holdsSecret(t) && meant == "" && sameLine
}

// hideIf hides the lines of a node if a secret may stand in it.
func (d *decoder) hideIf(secret bool, n ast.Node) {
	if secret {
		d.hide(n)
	}
}

// hide makes every line of a node private. Where a text of several lines
// begins, the YAML library does not say for all its forms.
func (r *report) hide(n ast.Node) {
	if n != nil {
		ast.Walk(hider{r}, n)
	}
}

type hider struct{ *report }

func (h hider) Visit(n ast.Node) ast.Visitor {
	tk := n.GetToken()
	if tk == nil {
		return h
	}
	more := strings.Count(strings.TrimSpace(tk.Origin), "\n") + strings.Count(tk.Value, "\n")
	for line := tk.Position.Line - more; line <= tk.Position.Line+more; line++ {
		h.private[line] = true
	}
	return h
}

// line gives a line of the file, from 1, or "".
func (r *report) line(number int) string {
	if number < 1 || number > len(r.lines) {
		return ""
	}
	return r.lines[number-1]
}

// harmless says whether a line of a file that is not understood yet can be
// shown: it has only keys we know, and none for a secret.
func (r *report) harmless(number int) bool {
	line := r.line(number)
	keys := keysOn(line)
	return len(keys) > 0 && !soundsSecret(line) &&
		!slices.ContainsFunc(keys, func(key string) bool { return !harmlessKeys()[key] })
}

// keysOn gives the words of a line that a colon follows, "" for what is no
// word. A line that does not begin with a key goes on with a value: its first
// is "" too.
func keysOn(line string) (keys []string) {
	parts := strings.Split(line, ":")
	for i, part := range parts[:len(parts)-1] {
		words := strings.FieldsFunc(part, func(c rune) bool { return strings.ContainsRune(" \t,-[]{}\"'", c) })
		if len(words) == 0 || i == 0 && len(words) > 1 {
			keys = append(keys, "")
			continue
		}
		keys = append(keys, words[len(words)-1])
	}
	return keys
}

// harmlessKeys are the keys whose value has no place for a secret, wherever in
// the file they stand.
var harmlessKeys = sync.OnceValue(func() map[string]bool {
	keys := map[string]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || t == timeType || t == reflect.TypeFor[Policy]() || t == reflect.TypeFor[RootCertificate]() {
			return
		}
		for _, f := range fieldsOf(t) {
			of := t.FieldByIndex(f.index).Type
			keys[f.name] = !holdsSecret(of) && f.of != secretType
			add(of)
		}
	}
	add(reflect.TypeFor[Config]())
	for _, f := range fieldsOf(secretType) {
		keys[f.name] = false // whatever else is called so
	}
	return keys
})

// namesSecret says whether t says where a secret is.
func namesSecret(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct &&
		slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.of == secretType })
}

// holdsSecret says whether t, or something in it, says where a secret is.
func holdsSecret(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	return slices.ContainsFunc(fieldsOf(t), func(f field) bool {
		return f.of == secretType || holdsSecret(t.FieldByIndex(f.index).Type)
	})
}

// isWord says whether a key is but a word: more may be a secret that stands in
// the wrong place, or that a missing space made part of the key.
func isWord(key string) bool {
	return !strings.ContainsFunc(key, func(c rune) bool { return !unicode.IsLetter(c) && c != '_' && c != '-' })
}

// soundsSecret says whether what follows a key is likely a secret; a whole line
// may be asked about too.
func soundsSecret(key string) bool {
	key = plain(key)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(key, word) })
}

// secretWords are what people call a secret, misspelled and in the languages
// we know.
var secretWords = []string{
	"pass", "pasw", "paswd", "pwd", "pw", "psk", "pin", "secret", "key", "token", "credential",
	"kennwort", "geheim", "schlüssel", "schluessel", "motdepasse", "mdp", "contras", "senha", "wachtwoord", "heslo", "hasło",
}
