package console

import (
	"fmt"
	"net/url"
	"strconv"
)

// The parts of which pages are made: each is a template of the same name in
// pages/frame/parts.html, and what it shows.

// badge is a state in a word, and a colour beside it: good, wait, bad or plain.
type badge struct {
	Kind string
	Text sentence
}

// field is one of a form: text, number, email, search, date, password, area, check,
// select, or names, which is a select of what people have named.
type field struct {
	*view
	Name  string
	Label sentence
	Kind  string
	Hint  sentence
	Value string
	// Choices are those of a select.
	Choices []choice
}

// choice is one of a select. In one of names, the text is data where there is a value.
type choice struct {
	Value string
	Text  sentence
}

// newField makes a field of what templates say: the view, the name, the label, the
// kind, a hint or "", the value it has at first, and the choices of a select.
func newField(v *view, name string, label sentence, kind string, hint sentence, value string, choices ...[]choice) field {
	f := field{view: v, Name: name, Label: label, Kind: kind, Hint: hint, Value: v.Typed(name, value)}
	for _, list := range choices {
		f.Choices = append(f.Choices, list...)
	}
	if kind == "password" {
		f.Value = "" // it is never sent back
	}
	return f
}

// Error is what is wrong with the field.
func (f field) Error() *said { return f.Wrong(f.Name) }

// Described names what describes the field.
func (f field) Described() string {
	if f.Error() != nil {
		return f.Name + "-error"
	}
	if f.Hint != "" {
		return f.Name + "-hint"
	}
	return ""
}

// On tells whether a check is on.
func (f field) On() bool { return f.Value != "" }

// column is the head of a column by which a table may be sorted.
type column struct {
	Text sentence
	To   string
	Sort string // of aria-sort; empty: by another column
}

// newColumn makes a head that leads to the same page, sorted by the column, and the
// other way round if it is already.
func newColumn(v *view, name string, text sentence) column {
	q := v.visit.query()
	c := column{Text: text}
	if q.Get("sort") == name {
		c.Sort = "ascending"
		if q.Get("down") != "" {
			c.Sort = "descending"
		}
	}
	c.To = v.With("sort", name, "down", map[bool]string{true: "1"}[c.Sort == "ascending"], "after", "")
	return c
}

// With is the address of the page with some parameters changed: names and values.
// An empty value takes the parameter away.
func (w *view) With(pairs ...string) string {
	q := w.visit.query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	u := url.URL{Path: w.visit.URL.Path, RawQuery: q.Encode()}
	return u.String()
}

// pager leads to the pages after and to the first one.
type pager struct {
	First, Next string // addresses; empty: there is none
}

// newPager makes one by the parameter that names where a page begins, and where the
// next one does; empty: this is the last.
func newPager(v *view, parameter, next string) pager {
	var p pager
	if v.visit.query().Get(parameter) != "" {
		p.First = v.With(parameter, "")
	}
	if next != "" {
		p.Next = v.With(parameter, next)
	}
	return p
}

// meter is how much of something there is.
type meter struct {
	Label       sentence
	Value, Most int
}

// Full tells that nothing is left.
func (m meter) Full() bool { return m.Value >= m.Most }

// Most and value as a meter's attributes have them.
func (m meter) Max() string { return strconv.Itoa(max(m.Most, 1)) }

// empty says that a list has nothing in it, and what to do about it.
type empty struct {
	What, Remedy sentence
	Do           link
}

// copyField is a text to take somewhere else.
type copyField struct {
	ID    string
	Label sentence
	Text  string
}

// confirm is a page that asks before something that cannot be taken back.
type confirm struct {
	Question sentence
	Of       string
	Then     []sentence // what happens
	Hidden   map[string]string
	Do       sentence
	To, Back string
}

// named is a thing by its name, which is data, and its page, if it has one.
type named struct{ To, Text string }

// newNamed makes one of the route of its page, such as users/{id}, and its id.
func newNamed(v *view, route string, id any, text string) named {
	return named{v.visit.console.address(route, url.PathEscape(fmt.Sprint(id))), text}
}
