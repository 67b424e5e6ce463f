package ppkg

import (
	"fmt"
	"slices"
	"strings"
)

const runTimeFolder = "Multivariant/0/Prov/RunTime/"

// Entry is one provxml file: what Windows hands to its configuration service
// providers for one setting.
type Entry struct {
	File  string // name in the RunTime folder
	Group string // SettingsGroup in RunTime.xml
	Path  string // in the Designer's schema; "" if the package does not say
	Parms []Parm
}

// Parm is one value for a configuration service provider.
type Parm struct {
	Path  string   // SettingsPath, in the Designer's schema; "" if the package does not say
	Node  []string // types of the characteristics around it
	Name  string
	Type  Type
	Value string
}

// deviceScope are the providers that need to be told to act for the device
// (formats/ppkg.md §2.2).
var deviceScope = []string{"ClientCertificateInstall", "RootCATrustedCertificates"}

// provxml renders the entry. Neighbouring parms share the characteristics that
// they have in common.
func (e *Entry) provxml() []byte {
	root := newElement("wap-provisioningdoc")
	for _, p := range e.Parms {
		at := root
		for i, name := range p.Node {
			if n := len(at.children); n > 0 && at.children[n-1].name == "characteristic" && at.children[n-1].attr("type") == name {
				at = at.children[n-1]
				continue
			}
			c := newElement("characteristic", "type", name)
			if i == 0 && slices.Contains(deviceScope, name) {
				c.attrs = append(c.attrs, attribute{name: "scope", value: "Device"})
			}
			at.add(c)
			at = c
		}
		at.add(newElement("parm", "SettingsPath", p.Path, "name", p.Name, "value", p.Value, "datatype", p.Type.String()))
	}
	return document(declarationStandalone, root)
}

// check makes sure that what the entry says can be said: names and values come
// from files and certificates too.
func (e *Entry) check() error {
	for _, p := range e.Parms {
		for _, s := range append(slices.Clone(p.Node), p.Name, p.Value) {
			if err := checkText(s); err != nil {
				return err
			}
		}
		if err := p.Type.check(p.Value); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// parseProvxml reads a provxml file.
func parseProvxml(data []byte) ([]Parm, error) {
	root, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	if root.name != "wap-provisioningdoc" {
		return nil, syntaxError(root.line, "root element is <%.60s>, not wap-provisioningdoc", root.name)
	}
	return readParms(nil, root, nil)
}

// readParms appends the parms below e, whose characteristics are node.
func readParms(parms []Parm, e *element, node []string) ([]Parm, error) {
	for _, c := range e.children {
		switch c.name {
		case "characteristic":
			var err error
			if parms, err = readParms(parms, c, append(slices.Clip(node), c.attr("type"))); err != nil {
				return nil, err
			}
		case "parm":
			t := String // what is meant if nothing is said
			if name := c.attr("datatype"); name != "" {
				t, _ = ParseType(strings.ToLower(name)) // 0 for others
			}
			parms = append(parms, Parm{
				Path: c.attr("SettingsPath"), Node: node,
				Name: c.attr("name"), Type: t, Value: c.attr("value"),
			})
		default:
			return nil, syntaxError(c.line, "<%.60s> is neither characteristic nor parm", c.name)
		}
	}
	return parms, nil
}
