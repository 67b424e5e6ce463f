package ppkg

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds on XML that is read.
const (
	maxXML      = 16 << 20 // bytes
	maxDepth    = 64       // elements within elements
	maxElements = 1 << 17
)

// element is an XML element with the line on which it starts. It has either
// text or children: all XML of provisioning packages is of this kind.
type element struct {
	space, name string // namespace (URI) and local name
	attrs       []attribute
	text        string
	children    []*element
	line        int // 0 where the element was not read from a file

	file  *File               // what the text names, where it is the path of a file
	index map[string]*element // children by name and key, where settings are merged
}

type attribute struct{ space, name, value string }

// attr returns the value of an attribute without a namespace, or "".
func (e *element) attr(name string) string { return e.attrIn("", name) }

func (e *element) attrIn(space, name string) string {
	for _, a := range e.attrs {
		if a.space == space && a.name == name {
			return a.value
		}
	}
	return ""
}

// child returns the first child of that name, or nil.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// syntaxError says where XML is not what it should be.
func syntaxError(line int, format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %w", ErrSyntax, line, fmt.Errorf(format, args...))
}

// readXML reads a document in UTF-8 or UTF-16.
func readXML(r io.Reader) (*element, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxXML+1))
	if err != nil {
		return nil, fmt.Errorf("reading XML: %w", err)
	}
	if len(data) > maxXML {
		return nil, fmt.Errorf("%w: XML of more than %d bytes", ErrSyntax, maxXML)
	}
	return parseXML(data)
}

func parseXML(data []byte) (*element, error) {
	text, err := decodeText(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	d := xml.NewDecoder(strings.NewReader(text))
	// The bytes are decoded already, whatever the declaration calls them.
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		if l := strings.ToLower(label); l == "utf-16" || l == "us-ascii" {
			return r, nil
		}
		return nil, fmt.Errorf("encoding %.40q is not supported", label)
	}
	var root *element
	for {
		token, line, err := nextToken(d)
		switch {
		case errors.Is(err, io.EOF) && root != nil:
			return root, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: no element in it", ErrSyntax)
		case err != nil:
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, syntaxError(line, "a second root element <%.60s>", t.Name.Local)
			}
			if root, err = readElement(d, t, line, 1, new(int)); err != nil {
				return nil, err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, syntaxError(line, "text outside the root element")
			}
		}
	}
}

// nextToken also refuses DTDs, which nothing here needs and which can blow up.
func nextToken(d *xml.Decoder) (xml.Token, int, error) {
	line, _ := d.InputPos()
	token, err := d.Token()
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return nil, line, io.EOF
	case errors.As(err, &syntax):
		return nil, line, syntaxError(syntax.Line, "%s", syntax.Msg)
	case err != nil:
		return nil, line, syntaxError(line, "%w", err)
	}
	if _, ok := token.(xml.Directive); ok {
		return nil, line, syntaxError(line, "document type declarations are not allowed")
	}
	return token, line, nil
}

func readElement(d *xml.Decoder, start xml.StartElement, line, depth int, count *int) (*element, error) {
	if depth > maxDepth {
		return nil, syntaxError(line, "more than %d elements within each other", maxDepth)
	}
	if *count++; *count > maxElements {
		return nil, syntaxError(line, "more than %d elements", maxElements)
	}
	e := &element{space: start.Name.Space, name: start.Name.Local, line: line}
	seen := map[xml.Name]bool{}
	for _, a := range start.Attr {
		if seen[a.Name] {
			return nil, syntaxError(line, "attribute %s is given twice", a.Name.Local)
		}
		seen[a.Name] = true
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue // resolved in the names already
		}
		e.attrs = append(e.attrs, attribute{a.Name.Space, a.Name.Local, a.Value})
	}
	var text strings.Builder
	for {
		token, line, err := nextToken(d)
		if errors.Is(err, io.EOF) {
			return nil, syntaxError(line, "<%.60s> is not closed", e.name)
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			child, err := readElement(d, t, line, depth+1, count)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			e.text = text.String()
			if len(e.children) > 0 {
				if strings.TrimSpace(e.text) != "" {
					return nil, syntaxError(e.line, "<%.60s> holds both text and elements", e.name)
				}
				e.text = ""
			}
			return e, nil
		}
	}
}

// decodeText turns UTF-8, with a byte order mark or not, and UTF-16 into UTF-8.
func decodeText(data []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		order, data = binary.LittleEndian, data[2:]
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		order, data = binary.BigEndian, data[2:]
	case bytes.HasPrefix(data, []byte{'<', 0}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0, '<'}):
		order = binary.BigEndian
	default:
		data = bytes.TrimPrefix(data, []byte(bom))
		if !utf8.Valid(data) {
			return "", errors.New("neither UTF-8 nor UTF-16")
		}
		return string(data), nil
	}
	if len(data)%2 != 0 {
		return "", errors.New("UTF-16 with an odd number of bytes")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	var b strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i+1 == len(units) {
				return "", errors.New("UTF-16 ends within a character")
			}
			i++
			if r = utf16.DecodeRune(r, rune(units[i])); r == utf8.RuneError {
				return "", errors.New("UTF-16 with half a character")
			}
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}
