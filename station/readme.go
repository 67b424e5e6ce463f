package station

import (
	"bytes"
	"fmt"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"firstday.dev/kit"
	"firstday.dev/templates/usb"
)

// toHTML leaves out HTML in Markdown, and links that would run something: whoever
// wrote the kit, the page only shows.
var toHTML = goldmark.New(goldmark.WithExtensions(extension.Table))

// readme makes the page for the person with the stick, of the kit's instructions.
func (s *Stick) readme() ([]byte, error) {
	page := usb.Readme{Organisation: s.Manifest.Organisation, Label: s.Label}
	var err error
	if s.packageFor(kit.Windows) != nil {
		if page.Windows, err = s.instructions(kit.InstructionsFile); err != nil {
			return nil, err
		}
	}
	if p := s.packageFor(kit.MacOS); p != nil {
		page.Package, page.Untrusted = p.File, p.Signer != nil && p.Signer.Throwaway
		if page.Mac, err = s.instructions(kit.MacInstructionsFile); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	err = page.Write(&b)
	return b.Bytes(), err
}

func (s *Stick) instructions(name string) (template.HTML, error) {
	text, err := s.readKit(name)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := toHTML.Convert(text, &b); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // goldmark has made it safe
}
