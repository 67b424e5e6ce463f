package pkgbuild

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// maxElements bounds how deep the elements of a description are nested.
const maxElements = 100

// parseXML parses a description. Entities of its own it may not declare: no
// tool makes them, and they are how small documents become large ones.
func parseXML(data []byte, roots ...string) (*etree.Element, error) {
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, MaxDepth: maxElements}
	if err := doc.ReadFromBytes(bytes.TrimRight(data, " \t\r\n\x00")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	for _, token := range doc.Child {
		if d, ok := token.(*etree.Directive); ok && strings.ContainsAny(d.Data, "[<") {
			return nil, fmt.Errorf("%w: it declares entities", ErrFormat)
		}
	}
	root := doc.Root()
	if root == nil {
		return nil, fmt.Errorf("%w: no XML", ErrFormat)
	}
	for _, name := range roots {
		if root.Tag == name {
			return root, nil
		}
	}
	return nil, fmt.Errorf("%w: it begins with <%.60s>, not <%s>", ErrFormat, root.Tag, roots[0])
}

// attribute gives an attribute without space around it, "" if it is missing.
func attribute(e *etree.Element, name string) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.SelectAttrValue(name, ""))
}

// isTrue reads an attribute as Installer does.
func isTrue(e *etree.Element, name string) bool {
	v := attribute(e, name)
	return strings.EqualFold(v, "true") || strings.EqualFold(v, "yes") || v == "1"
}
