package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// maxPolicies bounds how many policies one file may set.
const maxPolicies = 1000

// maxPolicyValue bounds a policy's text, in bytes.
const maxPolicyValue = 32 << 10

// PolicyType is how a policy's value is encoded.
type PolicyType string

// The types of policy values.
const (
	PolicyInteger PolicyType = "integer"
	PolicyString  PolicyType = "string"
	PolicyBoolean PolicyType = "boolean"
)

var policyTypes = []PolicyType{PolicyInteger, PolicyString, PolicyBoolean}

// Policy is one setting of the Policy CSP.
type Policy struct {
	Area, Name string
	Type       PolicyType
	// Value is the value as text: a decimal number, true or false, or the
	// string itself.
	Value string
}

// Policies is a list of policies in the order of the file. There it is a
// mapping of Area/Name to the value, or to a mapping of type and value where
// the way the value is written would mislead.
type Policies []Policy

// typedPolicy is the long form of a value.
type typedPolicy struct {
	// How Windows expects the value.
	Type PolicyType `yaml:"type,required"`
	// The value.
	Value ast.Node `yaml:"value,required"`
}

func (p *Policies) decode(d *decoder, path string, n ast.Node) {
	entries, ok := d.mapping(path, n)
	if !ok {
		return
	}
	if len(entries) > maxPolicies {
		d.errorf(path, "", "%d policies are given; at most %d are allowed", len(entries), maxPolicies)
		return
	}
	seen := map[string]string{}
	for _, e := range entries {
		at := child(path, e.key)
		area, name, ok := strings.Cut(e.key, "/")
		if !ok || !isPolicyName(area) || !isPolicyName(name) || seen[foldName(e.key)] != "" {
			d.places[at] = e.at
		}
		if !ok || !isPolicyName(area) || !isPolicyName(name) {
			d.errorf(at, "for example: Experience/AllowCortana", "%q is not a policy's Area/Name", e.key)
			continue
		}
		if other, ok := seen[foldName(e.key)]; ok {
			d.errorf(at, "", "%s is the same policy as %s", e.key, other)
			continue
		}
		seen[foldName(e.key)] = e.key
		policy := Policy{Area: area, Name: name}
		if policy.decode(d, at, e.value) {
			*p = append(*p, policy)
		}
	}
}

func (p *Policy) decode(d *decoder, path string, n ast.Node) bool {
	if _, ok := n.(ast.MapNode); ok {
		var long typedPolicy
		d.value(path, n, &long)
		if !d.has(path+".type") || !d.has(path+".value") {
			return false
		}
		oneOf(d.report, path+".type", long.Type, policyTypes)
		p.Type = long.Type
		return !d.brokenAt(path+".type") && p.setValue(d, path+".value", d.resolve(path+".value", long.Value))
	}
	return p.setValue(d, path, n)
}

// setValue reads the value, in the policy's type if it has one already.
func (p *Policy) setValue(d *decoder, path string, n ast.Node) bool {
	var kind PolicyType
	switch n := n.(type) {
	case *ast.IntegerNode:
		kind = PolicyInteger
		v, ok := integer(n)
		if !ok || v < -1<<31 || v > 1<<32-1 {
			d.errorf(path, "", "%s does not fit into 32 bits", n.GetToken().Value)
			return false
		}
		p.Value = strconv.FormatInt(v, 10)
	case *ast.BoolNode:
		kind = PolicyBoolean
		p.Value = strconv.FormatBool(n.Value)
	case *ast.StringNode, *ast.LiteralNode:
		kind = PolicyString
		p.Value = text(n)
		if len(p.Value) > maxPolicyValue {
			d.errorf(path, "", "the value has %d bytes; at most %d are allowed", len(p.Value), maxPolicyValue)
			return false
		}
		if why := notXML(p.Value); why != "" {
			d.errorf(path, "", "the value %s", why)
			return false
		}
	default:
		d.errorf(path, "text goes in quotes", "the value is %s; it must be a whole number, true or false, or text", describe(n))
		return false
	}
	if p.Type != "" && p.Type != kind {
		d.errorf(path, "text goes in quotes, numbers, true and false without", "the value is %s; type says %s", describe(n), p.Type)
		return false
	}
	p.Type = kind
	return true
}

// isPolicyName allows what areas and names of the CSP consist of, those of
// ADMX files (Chrome~Policy~googlechrome) included.
func isPolicyName(s string) bool {
	return s != "" && len(s) <= 200 &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~") == ""
}

// notXML says why a string cannot stand in a package's XML, or "".
func notXML(s string) string {
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xfffe || c == 0xffff {
			return "holds a control character"
		}
	}
	return ""
}
