package authdb

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// reader walks through a property list and knows where in the text it is.
type reader struct {
	d          *xml.Decoder
	begin, end int // of the token that was read last
}

func newReader(text []byte) *reader { return &reader{d: xml.NewDecoder(bytes.NewReader(text))} }

// next gives the next token that is neither a comment nor space between
// elements.
func (r *reader) next() (xml.Token, error) {
	for {
		r.begin = int(r.d.InputOffset())
		token, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		r.end = int(r.d.InputOffset())
		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
			continue
		case xml.Directive:
			if bytes.ContainsAny(t, "[<") {
				return nil, errors.New("a document type of its own")
			}
			continue
		case xml.CharData:
			if len(bytes.TrimSpace(t)) == 0 {
				continue
			}
			return nil, errors.New("text between elements")
		}
		return token, nil
	}
}

// start reads the beginning of an element.
func (r *reader) start(name string) error {
	switch more, err := r.startOrEnd(name); {
	case err != nil:
		return err
	case !more:
		return fmt.Errorf("no %s where one is due", name)
	}
	return nil
}

// startOrEnd reads the beginning of an element, or the end of the one around it.
func (r *reader) startOrEnd(name string) (more bool, err error) {
	token, err := r.next()
	if err != nil {
		return false, err
	}
	switch t := token.(type) {
	case xml.EndElement:
		return false, nil
	case xml.StartElement:
		if t.Name.Local == name && t.Name.Space == "" {
			return true, nil
		}
	}
	return false, fmt.Errorf("something else than %s", name)
}

// chars reads the text of an element up to its end.
func (r *reader) chars() (string, error) {
	var text []byte
	for {
		token, err := r.d.Token()
		if err != nil {
			return "", err
		}
		r.end = int(r.d.InputOffset())
		switch t := token.(type) {
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			return string(text), nil
		default:
			return "", errors.New("an element within a text")
		}
	}
}

// skipValue reads past the next element.
func (r *reader) skipValue() error {
	token, err := r.next()
	if err != nil {
		return err
	}
	if _, ok := token.(xml.StartElement); !ok {
		return errors.New("a key without a value")
	}
	begin := r.begin
	if err := r.d.Skip(); err != nil {
		return err
	}
	r.begin, r.end = begin, int(r.d.InputOffset())
	return nil
}

// dict reads a dictionary whose beginning was read. visit must read the value of
// its key.
func (r *reader) dict(visit func(key string) error) error {
	for {
		more, err := r.startOrEnd("key")
		if err != nil || !more {
			return err
		}
		key, err := r.chars()
		if err != nil {
			return err
		}
		if err := visit(key); err != nil {
			return err
		}
	}
}

// document reads a property list that is one dictionary.
func (r *reader) document(visit func(key string) error) error {
	for _, name := range []string{"plist", "dict"} {
		if err := r.start(name); err != nil {
			return err
		}
	}
	if err := r.dict(visit); err != nil {
		return err
	}
	token, err := r.next()
	if err != nil {
		return err
	}
	if _, ok := token.(xml.EndElement); !ok {
		return errors.New("more than one dictionary")
	}
	if _, err := r.next(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something after the end"), err)
	}
	return nil
}
