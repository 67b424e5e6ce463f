package ppkg

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const bom = "\ufeff"

// The declarations that ICD writes (formats/ppkg.md §2). XmlLite on Windows
// needs the byte order mark in what it applies.
const (
	declaration           = bom + `<?xml version="1.0" encoding="utf-8"?>`
	declarationStandalone = bom + `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`
	declarationPlain      = `<?xml version="1.0" encoding="UTF-8"?>`
)

// newElement makes an element; attributes come as pairs of name and value.
func newElement(name string, attrs ...string) *element {
	e := &element{name: name}
	for i := 0; i < len(attrs); i += 2 {
		e.attrs = append(e.attrs, attribute{name: attrs[i], value: attrs[i+1]})
	}
	return e
}

// add appends children and returns e.
func (e *element) add(children ...*element) *element {
	e.children = append(e.children, children...)
	return e
}

// textElement makes an element that holds text.
func textElement(name, text string) *element { return &element{name: name, text: text} }

// document renders the tree as .NET's XmlWriter does, with which ICD writes:
// lines end in CR LF, two spaces of indent, " />", nothing after the end.
func document(declaration string, root *element) []byte {
	var b strings.Builder
	b.WriteString(declaration)
	w := xmlWriter{&b}
	w.element(root, "", "\r\n", usesOwn(root))
	return []byte(b.String())
}

type xmlWriter struct{ b *strings.Builder }

// element writes e on a new line. prefix says whether to declare the prefix of
// our own attributes here.
func (w xmlWriter) element(e *element, space, newline string, prefix bool) {
	w.b.WriteString(newline + "<" + e.name)
	if e.space != space {
		w.attribute("xmlns", e.space)
	}
	if prefix {
		w.attribute("xmlns:fd", Namespace)
	}
	for _, a := range e.attrs {
		switch a.space {
		case "":
			w.attribute(a.name, a.value)
		case Namespace:
			w.attribute("fd:"+a.name, a.value)
		}
	}
	switch {
	case len(e.children) > 0:
		w.b.WriteString(">")
		for _, c := range e.children {
			w.element(c, e.space, newline+"  ", false)
		}
		w.b.WriteString(newline + "</" + e.name + ">")
	case e.text != "":
		w.b.WriteString(">")
		_, _ = escapeText.WriteString(w.b, e.text)
		w.b.WriteString("</" + e.name + ">")
	case e.name == "Element":
		// ICD does not abbreviate it.
		w.b.WriteString(">" + newline + "</Element>")
	case e.name == "Notes":
		// As projects of the Designer have it.
		w.b.WriteString("></Notes>")
	default:
		w.b.WriteString(" />")
	}
}

func (w xmlWriter) attribute(name, value string) {
	w.b.WriteString(" " + name + `="`)
	_, _ = escapeAttribute.WriteString(w.b, value)
	w.b.WriteString(`"`)
}

var (
	escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;",
		"\r\n", "\r\n", "\n", "\r\n", "\r", "&#xD;")
	escapeAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;",
		"\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

// usesOwn tells whether the tree has attributes of our own namespace.
func usesOwn(e *element) bool {
	for _, a := range e.attrs {
		if a.space == Namespace {
			return true
		}
	}
	for _, c := range e.children {
		if usesOwn(c) {
			return true
		}
	}
	return false
}

var errNotXML = errors.New("holds a character that XML has no place for")

// checkText refuses what XML cannot hold.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errNotXML
	}
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return fmt.Errorf("%w: %U", errNotXML, r)
		}
	}
	return nil
}

// check refuses a tree that XML cannot hold.
func (e *element) check() error {
	for _, a := range e.attrs {
		if err := checkText(a.value); err != nil {
			return fmt.Errorf("attribute %s of <%s> %w", a.name, e.name, err)
		}
	}
	if err := checkText(e.text); err != nil {
		return fmt.Errorf("<%s> %w", e.name, err)
	}
	for _, c := range e.children {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}
