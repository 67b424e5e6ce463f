package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"firstday.dev/internal/visible"
)

// Error is one mistake in a file, for a person to find and mend.
type Error struct {
	File         string
	Line, Column int    // from 1, columns in characters; 0 when it concerns the file as a whole
	Path         string // which value, for example windows.wifi[0].ssid
	Message      string // what is wrong, one sentence without a full stop
	Hint         string // what to do about it; may be empty
	excerpt      string
	cause        error
}

// Error gives the place and the message.
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Excerpt gives the line of the file with a mark below the place, two lines
// without a final line break. It is empty where the line may hold a secret.
func (e *Error) Excerpt() string { return e.excerpt }

// Unwrap gives what [Config.ErrorAt] wrapped, or nil.
func (e *Error) Unwrap() error { return e.cause }

// ErrorAt gives a mistake that shows only when a value is used, such as an
// installer that has another hash than the file says. Path says which value:
// windows.payloads[0].sha256; where the file has nothing there, the place is
// that of the nearest thing around it. The format is that of [fmt.Errorf]: what
// it wraps, [errors.Is] finds.
//
// A configuration that was not read from a file has no places.
func (c *Config) ErrorAt(path, hint, format string, args ...any) *Error {
	cause := fmt.Errorf(format, args...)
	r := c.source
	if r == nil {
		r = &report{}
	}
	e := r.at(path, hint, cause.Error())
	r.finish(e)
	e.cause = cause
	return e
}

// Errors is every mistake in a file, in the order of their places. It is never
// empty when used as an error.
type Errors []*Error

// Error gives one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the mistakes one by one.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// maxErrors bounds how many mistakes of one file are told.
const maxErrors = 50

// position is a place in the file, from 1; the zero position is no place.
type position struct{ line, column int }

// report collects what is wrong with one file.
type report struct {
	file     string
	lines    []string
	now      time.Time
	places   map[string]position // of each value in the file, by path
	broken   map[string]bool     // paths that could not be read: no rule is asked about them
	private  map[int]bool        // lines that may hold a secret
	errs     Errors
	warnings Errors
	row      *row // of a sheet, where one fills the file
}

// mistakes gives what was reported, in order, without repetitions (an alias
// repeats the mistakes of what it stands for), bounded, and without excerpts
// of lines that may hold a secret.
func (r *report) mistakes() Errors { return r.tell(r.errs) }

func (r *report) tell(errs Errors) Errors {
	order := func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	}
	same := func(a, b *Error) bool { return order(a, b) == 0 && a.Message == b.Message }
	slices.SortStableFunc(errs, order)
	errs = slices.CompactFunc(errs, same)
	if more := len(errs) - maxErrors; more > 0 {
		e := errs[maxErrors]
		e = &Error{File: e.File, Line: e.Line, Column: e.Column, Message: fmt.Sprintf("and %d more from here on", more)}
		errs = append(errs[:maxErrors:maxErrors], e)
	}
	for _, e := range errs {
		r.finish(e)
	}
	return errs
}

// finish makes a mistake fit to be shown.
func (r *report) finish(e *Error) {
	e.Path, e.Message, e.Hint = visible.Line(e.Path), visible.Line(e.Message), visible.Line(e.Hint)
	if e.File == r.file && !r.private[e.Line] {
		e.excerpt = r.excerpt(e.Line, e.Column)
	}
}

// has says whether the file holds a readable value at path.
func (r *report) has(path string) bool {
	_, ok := r.places[path]
	return ok && !r.brokenAt(path)
}

// brokenAt says whether path, or something it is part of, could not be read.
func (r *report) brokenAt(path string) bool {
	for p := path; ; p = parent(p) {
		if r.broken[p] {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// brokenBelow says whether a part of the value at path could not be read.
func (r *report) brokenBelow(path string) bool {
	for p := range r.broken {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// errorf reports a mistake at path, unless one was reported there already.
func (r *report) errorf(path, hint, format string, args ...any) {
	if r.brokenAt(path) {
		return
	}
	r.errs = append(r.errs, r.at(path, hint, fmt.Sprintf(format, args...)))
	r.broken[path] = true
}

// secretf is errorf for a line that may hold a secret: it will not be shown.
func (r *report) secretf(path, hint, format string, args ...any) {
	r.errorf(path, hint, format, args...)
	r.private[r.at(path, "", "").Line] = true
}

// warnf reports something allowed and probably not meant.
func (r *report) warnf(path, hint, format string, args ...any) {
	if !r.brokenAt(path) {
		r.warnings = append(r.warnings, r.at(path, hint, fmt.Sprintf(format, args...)))
	}
}

// at places a message at path or, where the file does not say anything about
// it, at the nearest thing around it.
func (r *report) at(path, hint, message string) *Error {
	var place position
	for p := path; ; p = parent(p) {
		if c, ok := r.row.cell(p); ok {
			return &Error{File: r.row.file, Line: c.line, Column: c.column, Path: path, Message: message, Hint: hint}
		}
		if at, ok := r.places[p]; ok {
			place = at
			break
		}
		if p == "" {
			break
		}
	}
	return &Error{File: r.file, Line: place.line, Column: place.column, Path: path, Message: message, Hint: hint}
}

// excerptWidth bounds how much of a long line is shown, in characters.
const excerptWidth = 100

func (r *report) excerpt(line, column int) string {
	if line < 1 || line > len(r.lines) || column < 1 {
		return ""
	}
	text := []rune(r.lines[line-1])
	column = min(column-1, len(text))
	if from := column - excerptWidth/2; from > 0 && len(text) > excerptWidth {
		text, column = text[from:], column-from
	}
	if len(text) > excerptWidth {
		text = text[:excerptWidth]
	}
	number := fmt.Sprintf("%5d | ", line)
	// Tabs are kept before the mark so that it stands where the eye expects it.
	mark := strings.Map(func(c rune) rune {
		if c == '\t' {
			return c
		}
		return ' '
	}, visible.Line(string(text[:column])))
	return number + visible.Line(string(text)) + "\n" + strings.Repeat(" ", len(number)-2) + "| " + mark + "^"
}

// parent gives the path of what a value is part of, "" at the top.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// lastKey gives the name a value has in its mapping: "ssid" for
// "windows.wifi[0].ssid", "wifi[0]" for "windows.wifi[0]".
func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// child gives the path of a key's value.
func child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
