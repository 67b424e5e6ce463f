package wim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// counts is what [Write] counts of an image for its XML data.
type counts struct {
	dirs, files int64 // without the root
	bytes       int64 // of all files
}

// countedElements are those Write makes itself, in the order of Windows
// Configuration Designer, which puts them after the image's properties
// (formats/ppkg.md §1.2).
var countedElements = []string{
	"DIRCOUNT", "FILECOUNT", "TOTALBYTES", "HARDLINKBYTES",
	"CREATIONTIME", "LASTMODIFICATIONTIME", "WIMBOOT",
}

// encodeXML makes the XML data of a WIM with one image. total counts the bytes
// of the WIM up to here.
func encodeXML(image *Image, c counts, total int64) ([]byte, error) {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	elements := slices.Clone(image.Properties)
	for _, p := range elements {
		if slices.Contains(countedElements, p.Name) {
			return nil, fmt.Errorf("property %s is counted, not given", p.Name)
		}
	}
	elements = append(elements,
		Property{Name: "DIRCOUNT", Value: number(c.dirs)},
		Property{Name: "FILECOUNT", Value: number(c.files)},
		Property{Name: "TOTALBYTES", Value: number(c.bytes)},
		Property{Name: "HARDLINKBYTES", Value: "0"},
		timeProperty("CREATIONTIME", image.Created),
		timeProperty("LASTMODIFICATIONTIME", image.Modified),
		Property{Name: "WIMBOOT", Value: "0"})

	var b strings.Builder
	fmt.Fprintf(&b, `<WIM><TOTALBYTES>%d</TOTALBYTES><IMAGE INDEX="1">`, total)
	for _, p := range elements {
		if err := p.write(&b, 0); err != nil {
			return nil, err
		}
	}
	b.WriteString("</IMAGE></WIM>")
	// WIMGAPI needs the byte order mark.
	data := appendUTF16([]byte{0xFF, 0xFE}, b.String())
	if len(data) > maxXML {
		return nil, fmt.Errorf("%w: %d bytes of XML data", ErrUnsupported, len(data))
	}
	return data, nil
}

func timeProperty(name string, t time.Time) Property {
	ft := filetime(t)
	return Property{Name: name, Children: []Property{
		{Name: "HIGHPART", Value: fmt.Sprintf("0x%08X", ft>>32)},
		{Name: "LOWPART", Value: fmt.Sprintf("0x%08X", uint32(ft))},
	}}
}

const maxXMLDepth = 32

func (p Property) write(b *strings.Builder, depth int) error {
	switch {
	case depth > maxXMLDepth:
		return fmt.Errorf("%w: property %s nested too deep", ErrUnsupported, p.Name)
	case !isElementName(p.Name):
		return fmt.Errorf("property name %.100q is not an XML name", p.Name)
	case p.Value != "" && len(p.Children) > 0:
		return fmt.Errorf("property %s has both text and elements", p.Name)
	}
	if i := strings.IndexFunc(p.Value, notXML); i >= 0 || !utf8.ValidString(p.Value) {
		return fmt.Errorf("property %s holds a character XML has no place for: %.100q", p.Name, p.Value)
	}
	b.WriteString("<" + p.Name + ">")
	_, _ = xmlText.WriteString(b, p.Value)
	for _, c := range p.Children {
		if err := c.write(b, depth+1); err != nil {
			return err
		}
	}
	b.WriteString("</" + p.Name + ">")
	return nil
}

// xmlText escapes a text node; a bare carriage return would become a line feed.
var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

func isElementName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// decodeXML reads the XML data of a WIM with the given number of images.
// An image it does not mention has no properties.
func decodeXML(data []byte, images int) ([]Image, error) {
	text, ok := decodeUTF16(bytes.TrimPrefix(data, []byte{0xFF, 0xFE}))
	if !ok {
		return nil, fmt.Errorf("%w: not UTF-16", ErrFormat)
	}
	d := xml.NewDecoder(strings.NewReader(text))
	// An encoding named in the text is that of the bytes already decoded.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }

	root, err := readElement(d, nil, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case root.Name != "WIM":
		return nil, fmt.Errorf("%w: root element is %.100q", ErrFormat, root.Name)
	}
	list := make([]Image, images)
	for _, e := range root.Children {
		if e.Name != "IMAGE" {
			continue
		}
		if e.index < 1 || e.index > images || list[e.index-1].Properties != nil {
			return nil, fmt.Errorf("%w: IMAGE INDEX %d of %d", ErrFormat, e.index, images)
		}
		list[e.index-1] = e.image()
	}
	return list, nil
}

type element struct {
	Name     string
	Value    string
	Children []*element
	index    int // the INDEX attribute
}

// readElement reads the element that start opens, or the document's root.
func readElement(d *xml.Decoder, start *xml.StartElement, depth int) (*element, error) {
	if depth > maxXMLDepth {
		return nil, errors.New("elements nested too deep")
	}
	e := &element{}
	if start != nil {
		e.Name = start.Name.Local
		for _, a := range start.Attr {
			if a.Name.Local == "INDEX" {
				e.index, _ = strconv.Atoi(strings.TrimSpace(a.Value))
			}
		}
	}
	var text []byte
	for {
		token, err := d.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("XML ends early")
			}
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			child, err := readElement(d, &t, depth+1)
			if err != nil || start == nil {
				return child, err
			}
			e.Children = append(e.Children, child)
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			if len(e.Children) == 0 {
				e.Value = string(text)
			}
			return e, nil
		}
	}
}

// image sorts an IMAGE element into properties and what Write counts.
func (e *element) image() Image {
	image := Image{Properties: []Property{}}
	for _, c := range e.Children {
		switch {
		case c.Name == "CREATIONTIME":
			image.Created = c.time()
		case c.Name == "LASTMODIFICATIONTIME":
			image.Modified = c.time()
		case !slices.Contains(countedElements, c.Name):
			image.Properties = append(image.Properties, c.property())
		}
	}
	return image
}

func (e *element) property() Property {
	p := Property{Name: e.Name, Value: e.Value}
	for _, c := range e.Children {
		p.Children = append(p.Children, c.property())
	}
	return p
}

// time reads HIGHPART and LOWPART, hexadecimal with 0x. What cannot be read
// is 0: nothing depends on these times.
func (e *element) time() time.Time {
	var ft uint64
	for _, c := range e.Children {
		part, _ := strconv.ParseUint(strings.TrimSpace(c.Value), 0, 32)
		switch c.Name {
		case "HIGHPART":
			ft |= part << 32
		case "LOWPART":
			ft |= part
		}
	}
	return fromFiletime(ft)
}
