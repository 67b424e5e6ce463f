package wim

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"
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

// encodeXML makes the XML data of a WIM with one image, filled with line ends to
// a multiple of unit. total counts the bytes of the WIM up to here.
func encodeXML(image *Image, c counts, total, unit int64) ([]byte, error) {
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

	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalEndTags: true}
	root := doc.CreateElement("WIM")
	root.CreateElement("TOTALBYTES").SetText(number(total))
	e := root.CreateElement("IMAGE")
	e.CreateAttr("INDEX", "1")
	for _, p := range elements {
		if err := p.addTo(e, 0); err != nil {
			return nil, err
		}
	}
	text, err := doc.WriteToString()
	if err != nil {
		return nil, err
	}
	// WIMGAPI needs the byte order mark.
	data := appendUTF16([]byte{0xFF, 0xFE}, text)
	for int64(len(data))%unit != 0 {
		data = append(data, '\n', 0)
	}
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

// addTo makes the property's element in parent.
func (p Property) addTo(parent *etree.Element, depth int) error {
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
	e := parent.CreateElement(p.Name)
	e.SetText(p.Value)
	for _, c := range p.Children {
		if err := c.addTo(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

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
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{
		// An encoding named in the text is that of the bytes already decoded.
		CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil },
		ValidateInput: true,
		MaxDepth:      maxXMLDepth,
	}
	// What wimlib writes after the end, etree's validation would not take.
	if err := doc.ReadFromString(strings.TrimRight(text, "\r\n\x00")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if root := doc.Root(); root == nil || root.Tag != "WIM" {
		return nil, fmt.Errorf("%w: the root element is not WIM", ErrFormat)
	}
	list := make([]Image, images)
	for _, e := range doc.Root().SelectElements("IMAGE") {
		index, err := strconv.Atoi(strings.TrimSpace(e.SelectAttrValue("INDEX", "")))
		if err != nil || index < 1 || index > images || list[index-1].Properties != nil {
			return nil, fmt.Errorf("%w: IMAGE INDEX %d of %d", ErrFormat, index, images)
		}
		list[index-1] = imageOf(e)
	}
	return list, nil
}

// imageOf sorts an IMAGE element into properties and what Write counts.
func imageOf(e *etree.Element) Image {
	image := Image{Properties: []Property{}}
	for _, c := range e.ChildElements() {
		switch {
		case c.Tag == "CREATIONTIME":
			image.Created = timeOf(c)
		case c.Tag == "LASTMODIFICATIONTIME":
			image.Modified = timeOf(c)
		case !slices.Contains(countedElements, c.Tag):
			image.Properties = append(image.Properties, propertyOf(c))
		}
	}
	return image
}

func propertyOf(e *etree.Element) Property {
	p := Property{Name: e.Tag}
	for _, c := range e.ChildElements() {
		p.Children = append(p.Children, propertyOf(c))
	}
	if len(p.Children) == 0 {
		p.Value = e.Text()
	}
	return p
}

// timeOf reads HIGHPART and LOWPART, hexadecimal with 0x. What cannot be read
// is 0: nothing depends on these times.
func timeOf(e *etree.Element) time.Time {
	part := func(name string) uint64 {
		c := e.SelectElement(name)
		if c == nil {
			return 0
		}
		n, _ := strconv.ParseUint(strings.TrimSpace(c.Text()), 0, 32)
		return n
	}
	return fromFiletime(part("HIGHPART")<<32 | part("LOWPART"))
}
