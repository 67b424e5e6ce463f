// Package templates holds the texts that Firstday writes for people: the
// firstday.yaml to begin with, and the instructions that lie beside a package
// for whoever holds the stick. Each is a file in this folder and a type that
// says what it is filled with.
package templates

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
	"unicode"
)

//go:embed *.tmpl
var files embed.FS

var all = template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
	"yaml": yamlString,
	"md":   markdown,
	"code": code,
	"day":  day,
}).ParseFS(files, "*.tmpl"))

func write(w io.Writer, name string, data any) error {
	if err := all.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("writing %s: %w", strings.TrimSuffix(name, ".tmpl"), err)
	}
	return nil
}

// yamlString writes s as YAML: as it is where that is safe, else in quotes,
// as JSON does, which YAML understands too.
func yamlString(s string) (string, error) {
	const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ./_-:"
	first := strings.IndexAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 0
	word := strings.ToLower(s)
	if first && strings.Trim(s, safe) == "" && !strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") &&
		strings.TrimSpace(s) == s && word != "true" && word != "false" && word != "null" {
		return s, nil
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// markdown writes s as running text: on one line, every mark that Markdown or
// HTML would act on escaped.
func markdown(s string) string {
	var b strings.Builder
	for _, c := range oneLine(s) {
		if strings.ContainsRune("\\`*_[]<>#|&~", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// code writes s as it is.
func code(s string) string {
	s = oneLine(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, s)
}

// day writes a time for people: the day, and the time where it is not the
// day's end, which is what a bare day in firstday.yaml means.
func day(t time.Time) string {
	t = t.UTC()
	if t.Hour() == 23 && t.Minute() == 59 {
		return t.Format("2 January 2006")
	}
	return t.Format("2 January 2006, 15:04 UTC")
}
