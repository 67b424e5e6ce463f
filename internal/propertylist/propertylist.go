// Package propertylist reads Apple's property lists that others may have
// touched. It reads them in XML only: the library below it does not survive
// every binary one, nor deep nesting.
package propertylist

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/micromdm/plist"
)

// ErrBinary: the list is in the binary form.
var ErrBinary = errors.New("it is a binary property list; convert it: plutil -convert xml1, or plistutil -f xml")

// maxDepth bounds the nesting of elements. Of Apple's files, those of Xcode
// reach 20.
const maxDepth = 64

// Unmarshal decodes a property list in XML into v, as [plist.Unmarshal] does.
func Unmarshal(data []byte, v any) error {
	if bytes.HasPrefix(data, []byte("bplist")) {
		return ErrBinary
	}
	if err := checkDepth(data); err != nil {
		return err
	}
	return plist.NewXMLDecoder(bytes.NewReader(data)).Decode(v)
}

func checkDepth(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	for depth := 0; ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("more than %d elements, each in the other", maxDepth)
			}
		case xml.EndElement:
			depth--
		}
	}
}
