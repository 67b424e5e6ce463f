package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"

	"firstday.dev/ppkg"
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
// mapping of Area/Name to the value, for the policies that [ppkg.KnownPolicy]
// knows the type of, or to a mapping of type and value, for any policy: a type
// that is only guessed from the way a value is written turns a policy off
// unnoticed.
type Policies []Policy

// typedPolicy is the long form of a value.
type typedPolicy struct {
	// How Windows expects the value.
	Type PolicyType `yaml:"type,required"`
	// The value.
	Value ast.Node `yaml:"value,required"`
}

// lockOut are policies with which people have locked themselves out, by their
// folded names.
var lockOut = map[string]string{
	foldName("UserRights/DenyLocalLogOn"):                                              "decides who may not sign in at the device",
	foldName("UserRights/AllowLocalLogOn"):                                             "decides who may sign in at the device; all others may not",
	foldName("DeviceLock/MaxDevicePasswordFailedAttempts"):                             "lets Windows lock or reset the device after wrong passwords",
	foldName("LocalPoliciesSecurityOptions/Accounts_EnableAdministratorAccountStatus"): "turns the built-in administrator on or off",
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
		value := d.places[at]
		d.places[at] = e.at // mistakes of the name
		area, name, _ := strings.Cut(e.key, "/")
		if !isPolicyName(area) || !isPolicyName(name) {
			hint := "for example: Experience/AllowCortana"
			if near := nearestPolicy(e.key); near != "" {
				hint = "did you mean " + near + "?"
			}
			d.errorf(at, hint, "%q is not a policy's Area/Name", e.key)
			continue
		}
		if other, ok := seen[foldName(e.key)]; ok {
			d.errorf(at, "keep one of them", "%s is the same policy as %s", e.key, other)
			continue
		}
		seen[foldName(e.key)] = e.key
		if why := lockOut[foldName(e.key)]; why != "" {
			d.warnf(at, "try it on one device first, and keep the break-glass account", "%s %s", e.key, why)
		}
		policy := Policy{Area: area, Name: name}
		if policy.decode(d, at, value, d.resolve(at, e.value)) {
			*p = append(*p, policy)
		}
	}
}

// decode reads either form. The place of the policy is that of its name until
// the name is known to be right.
func (p *Policy) decode(d *decoder, path string, value position, n ast.Node) bool {
	if n == nil {
		return false
	}
	kind, labels, known := ppkg.KnownPolicy(p.Area, p.Name)
	if known {
		d.places[path] = value
	}
	_, long := n.(ast.MapNode)
	switch {
	case long:
		return p.decodeLong(d, path, n, kind)
	case !known:
		hint := "write the type that Windows expects with it: " + explicit(n)
		if near := nearestPolicy(p.Area + "/" + p.Name); near != "" {
			hint = "did you mean " + near + "? If not, " + hint
		}
		d.errorf(path, hint, "%s/%s is not a policy known here, so its type must be given", p.Area, p.Name)
		return false
	case labels != nil:
		return p.setLabel(d, path, n, labels)
	}
	return p.set(d, path, n, PolicyType(kind.String()), "")
}

// decodeLong reads the form with a type. Nothing can be told of an unknown
// policy's type; one that is known and given another is probably a mistake.
func (p *Policy) decodeLong(d *decoder, path string, n ast.Node, known ppkg.Type) bool {
	var long typedPolicy
	d.value(path, n, &long)
	if !d.has(path+".type") || !d.has(path+".value") {
		return false
	}
	oneOf(d.report, path+".type", long.Type, policyTypes)
	if d.brokenAt(path+".type") || !p.set(d, path+".value", long.Value, long.Type, ", as its type says") {
		return false
	}
	name := p.Area + "/" + p.Name
	if near := nearestPolicy(name); known == 0 && near != "" {
		d.warnf(path, "did you mean "+near+"?", "%s is not a policy known here", name)
	} else if known != 0 && known.String() != string(long.Type) {
		d.warnf(path+".type", "Windows ignores a policy of the wrong type", "%s is of type %v in Microsoft's reference, not %s", name, known, long.Type)
	}
	return true
}

// setLabel reads the value of a policy that is on or off: a label, or the
// number it stands for.
func (p *Policy) setLabel(d *decoder, path string, n ast.Node, labels map[string]string) bool {
	var words []string
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		number := labels[label]
		if s := scalar(n); s == number && n.Type() == ast.IntegerType || strings.EqualFold(s, label) && n.Type() == ast.StringType {
			p.Type, p.Value = PolicyInteger, number
			return true
		}
		words = append(words, label+" ("+number+")")
	}
	hint := ""
	if n.Type() == ast.IntegerType {
		hint = "if another number is meant, write " + explicit(n)
	}
	d.errorf(path, hint, "%s/%s is %s; it must be %s", p.Area, p.Name, describe(n), orList(words))
	return false
}

// set reads a value of the given type; whence says where the type is from, if
// that is the file.
func (p *Policy) set(d *decoder, path string, n ast.Node, kind PolicyType, whence string) bool {
	p.Type, p.Value = kind, scalar(n)
	wrong, hint := "", ""
	switch kind {
	case PolicyInteger:
		number, ok := n.(*ast.IntegerNode)
		if !ok {
			wrong, hint = "a whole number", "numbers go without quotes"
			break
		}
		if v, ok := integer(number); !ok || v < -1<<31 || v > 1<<32-1 {
			d.errorf(path, "", "%s does not fit into 32 bits", n.GetToken().Value)
			return false
		}
	case PolicyBoolean:
		if n.Type() != ast.BoolType {
			wrong, hint = "true or false", "true and false go without quotes"
		}
	case PolicyString:
		if n.Type() != ast.StringType && n.Type() != ast.LiteralType {
			wrong, hint = "text", fmt.Sprintf("text goes in quotes: %q", p.Value)
		}
		if p.Value == "" {
			hint = "text goes in quotes"
		}
	}
	if wrong != "" {
		d.errorf(path, hint, "%s/%s is %s; it must be %s%s", p.Area, p.Name, describe(n), wrong, whence)
		return false
	}
	if len(p.Value) > maxPolicyValue {
		d.errorf(path, "", "the value has %d bytes; at most %d are allowed", len(p.Value), maxPolicyValue)
		return false
	}
	if why := notXML(p.Value); why != "" {
		d.errorf(path, "", "the value %s", why)
		return false
	}
	return true
}

// scalar gives the value of a node as a package writes it, "" for a list or
// nothing.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode:
		v, ok := integer(n)
		if !ok {
			return n.GetToken().Value
		}
		return strconv.FormatInt(v, 10)
	case *ast.BoolNode:
		return strconv.FormatBool(n.Value)
	case *ast.FloatNode:
		return n.GetToken().Value
	case *ast.StringNode, *ast.LiteralNode:
		return text(n)
	}
	return ""
}

// explicit writes a value in the long form, for a hint.
func explicit(n ast.Node) string {
	switch s := scalar(n); n.Type() {
	case ast.IntegerType:
		return "{type: integer, value: " + s + "}"
	case ast.BoolType:
		return "{type: boolean, value: " + s + "}"
	case ast.StringType, ast.LiteralType:
		if len(s) <= 40 {
			return fmt.Sprintf("{type: string, value: %q}", s)
		}
		return `{type: string, value: "…"}`
	}
	return "for example {type: integer, value: 1}"
}

// knownPolicies are the policies with a known type, as Area/Name.
var knownPolicies = sync.OnceValue(func() []string {
	var policies []string
	for _, path := range ppkg.Known() {
		if policy, ok := strings.CutPrefix(path, "Policies/"); ok {
			policies = append(policies, policy)
		}
	}
	return policies
})

// nearestPolicy gives the known policy most likely meant by a name: one spelled
// alike, or the only one of that name in another area. It may be "".
func nearestPolicy(name string) string {
	if near := nearest(name, knownPolicies()); near != "" {
		return near
	}
	var same []string
	name = plain(name[strings.LastIndexByte(name, '/')+1:])
	for _, policy := range knownPolicies() {
		if _, known, _ := strings.Cut(policy, "/"); plain(known) == name {
			same = append(same, policy)
		}
	}
	if len(same) != 1 {
		return ""
	}
	return same[0]
}

// isPolicyName allows what areas and names of the CSP consist of, those of
// ADMX files (Chrome~Policy~googlechrome) included. Both become parts of the
// path of a node, where dots alone would lead elsewhere.
func isPolicyName(s string) bool {
	return len(s) <= 200 && strings.Trim(s, ".") != "" &&
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
