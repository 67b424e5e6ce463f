package employee

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// page is what a person sees of one.
type page struct {
	title string
	alert string // what went wrong
	code  string // of that
	forms []*form
	// texts are those of paragraphs and lists by their class: number, secret,
	// device.
	texts map[string]string
	codes []string // of the list of recovery codes
}

// maxPage bounds a page, in bytes.
const maxPage = 1 << 20

func readPage(at *url.URL, r io.Reader) (*page, error) {
	root, err := html.Parse(io.LimitReader(r, maxPage))
	if err != nil {
		return nil, fmt.Errorf("reading the page %s: %w", at.Path, err)
	}
	p := &page{texts: make(map[string]string)}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			p.take(at, n)
		}
	}
	if p.title == "" {
		return nil, fmt.Errorf("%s is no page of a directory", at.Path)
	}
	return p, nil
}

func (p *page) take(at *url.URL, n *html.Node) {
	switch n.Data {
	case "h1":
		p.title = text(n)
	case "p", "dl":
		if attribute(n, "role") == "alert" {
			p.alert = text(n)
		}
		p.texts[attribute(n, "class")] = text(n)
		if attribute(n, "class") == "request" {
			p.code = firstCode(n)
		}
	case "li":
		p.codes = append(p.codes, text(n))
	case "form":
		if f := readForm(at, n); f != nil {
			p.forms = append(p.forms, f)
		}
	}
}

// form gives the one to fill in: that for name and password, where a page has
// others, too.
func (p *page) form() *form {
	if len(p.forms) == 0 {
		return nil
	}
	return p.forms[len(p.forms)-1]
}

func readForm(at *url.URL, n *html.Node) *form {
	action, err := at.Parse(attribute(n, "action"))
	if err != nil || action.Host != at.Host || attribute(n, "method") != "post" {
		return nil
	}
	f := &form{action: action, values: url.Values{}}
	for input := range n.Descendants() {
		if input.Type == html.ElementNode && input.Data == "input" && attribute(input, "name") != "" {
			f.values.Set(attribute(input, "name"), attribute(input, "value"))
		}
	}
	return f
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// firstCode is what is written in the first element code.
func firstCode(n *html.Node) string {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "code" {
			return text(d)
		}
	}
	return ""
}

// text is what is written in an element, with single spaces.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
