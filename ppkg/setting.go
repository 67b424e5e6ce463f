package ppkg

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Setting is something a package sets. The functions and types that make
// settings are [ComputerName], [DomainJoin], [User], [HideOobe], [Policy],
// [WLAN], [RootCertificate], [ClientCertificate], [Command] and so on.
type Setting struct {
	root *element // a branch below Common of a project
	err  error    // why it cannot be one, told when the package is compiled
}

// Type is how a value is written.
type Type int

// The types of values (formats/ppkg.md §2.2). A package of another maker may
// hold values of other types; theirs reads as 0.
const (
	String Type = iota + 1
	Integer
	Boolean
)

var typeNames = []string{"other", "string", "integer", "boolean"}

func (t Type) String() string {
	if t < 0 || t > Boolean {
		return fmt.Sprintf("Type(%d)", int(t))
	}
	return typeNames[t]
}

// ParseType reads the name of a type.
func ParseType(name string) (Type, error) {
	if i := slices.Index(typeNames, name); i > 0 {
		return Type(i), nil
	}
	return 0, fmt.Errorf("type %.40q is not one of string, integer and boolean", name)
}

// check tells whether a value has this type, in the form provxml needs.
func (t Type) check(value string) error {
	switch t {
	case Integer:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < -1<<31 || n > 1<<32-1 {
			return fmt.Errorf("%.60q is not a whole number of 32 bits", value)
		}
	case Boolean:
		if value != "true" && value != "false" {
			return fmt.Errorf("%.60q is neither true nor false", value)
		}
	case String:
		return checkText(value)
	default:
		return fmt.Errorf("%v is not one of string, integer and boolean", t)
	}
	return nil
}

// branch makes a setting from leaves below a path of elements.
func branch(path string, leaves ...*element) Setting {
	names := strings.Split(path, "/")
	e := newElement(names[len(names)-1])
	e.children = leaves
	for i := len(names) - 2; i >= 0; i-- {
		e = newElement(names[i]).add(e)
	}
	return Setting{root: e}
}

func invalid(format string, args ...any) Setting {
	return Setting{err: fmt.Errorf(format, args...)}
}

// label writes a boolean as the Designer does.
func label(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// Value is any setting, even one this package does not know, given by its path
// in the Designer's schema, the path and name of its parm in provxml, and the
// value itself. Nothing but the type is checked.
//
//	Value("SharedPC/DeletionPolicy", "SharedPC/DeletionPolicy", Integer, "1")
func Value(path, csp string, t Type, value string) Setting {
	names := strings.Split(path, "/")
	for _, name := range names {
		if !isName(name) {
			return invalid("path %.100q of a setting is not made of names", path)
		}
	}
	if len(names) < 2 {
		return invalid("path %.100q of a setting has no parts", path)
	}
	if err := t.check(value); err != nil {
		return invalid("%s: %w", path, err)
	}
	leaf := textElement(names[len(names)-1], value)
	leaf.attrs = []attribute{{Namespace, "csp", csp}, {Namespace, "type", t.String()}}
	return branch(strings.Join(names[:len(names)-1], "/"), leaf)
}

// Policy is a policy of the Policy CSP, known to this package or not. The
// value is a decimal number, true or false, or text, according to the type.
func Policy(area, name string, t Type, value string) Setting {
	if !isPolicyName(area) || !isPolicyName(name) {
		return invalid("policy %.60q/%.60q: its area or name is not a name", area, name)
	}
	if err := t.check(value); err != nil {
		return invalid("policy %s/%s: %w", area, name, err)
	}
	leaf := textElement(encodeName(name), value)
	if r, known := settingTable["Policies/"+area+"/"+name]; known && r.Type == t {
		leaf.text = r.text(value) // as the Designer writes it
	} else {
		leaf.attrs = []attribute{{Namespace, "type", t.String()}}
	}
	return branch("Policies/"+encodeName(area), leaf)
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

// isName allows what the names of a schema consist of.
func isName(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsAny(s[:1], "0123456789-.") &&
		strings.Trim(s, nameLetters) == ""
}

// isPolicyName also allows the names of policies from ADMX files, such as
// Chrome~Policy~googlechrome.
func isPolicyName(s string) bool {
	return strings.Trim(s, ".") != "" && len(s) <= 200 && strings.Trim(s, nameLetters+"~") == ""
}

// encodeName writes what an element's name cannot hold as _xHHHH_, the way of
// .NET's XmlConvert.EncodeName; decodeName is its reverse.
func encodeName(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '~',
			i == 0 && strings.ContainsRune("0123456789-.", r),
			r == '_' && encodedRune.MatchString(s[i:]):
			fmt.Fprintf(&b, "_x%04X_", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

var encodedRune = regexp.MustCompile(`^_x00[0-7][0-9A-F]_`)

func decodeName(s string) string {
	var b strings.Builder
	for s != "" {
		if m := encodedRune.FindString(s); m != "" {
			n, _ := strconv.ParseUint(m[2:6], 16, 8) // the digits are of this form
			b.WriteByte(byte(n))
			s = s[len(m):]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// merge makes the Common element of a project of settings.
func merge(settings []Setting) (*element, error) {
	common := newElement("Common")
	for i, s := range settings {
		if s.err != nil {
			return nil, s.err
		}
		if s.root == nil {
			return nil, fmt.Errorf("setting %d is empty", i)
		}
		if err := graft(common, s.root); err != nil {
			return nil, err
		}
	}
	return common, nil
}

var errTwice = errors.New("is given twice")

// graft adds a copy of branch to parent. Where both have an element of the
// same name that is one of a kind, the two become one.
func graft(parent, branch *element) error {
	name := branch.name + "\x00" + strings.ToLower(key(branch))
	twin := parent.index[name]
	if twin == nil {
		twin = &element{
			name: branch.name, attrs: branch.attrs,
			// What a project's XML can say: its reader makes every line end a line feed.
			text: strings.ReplaceAll(branch.text, "\r\n", "\n"),
			line: branch.line, file: branch.file,
		}
		if parent.index == nil {
			parent.index = map[string]*element{}
		}
		parent.index[name] = twin
		parent.children = append(parent.children, twin)
	} else if key(branch) != "" || len(branch.children) == 0 || len(twin.children) == 0 {
		return &SettingError{Path: parent.name + "/" + describe(branch), Line: branch.line, Err: errTwice}
	}
	for _, c := range branch.children {
		if err := graft(twin, c); err != nil {
			return err
		}
	}
	return nil
}

func describe(e *element) string {
	if k := key(e); k != "" {
		return e.name + " " + strconv.Quote(k)
	}
	return e.name
}

// key is the name of an element that can be there more than once: the
// Designer gives it in an attribute of its own, or in Name (formats/ppkg.md
// §2.1a).
func key(e *element) string {
	for _, name := range []string{"UserName", "CertificateName", "SSID"} {
		if k := e.attr(name); k != "" {
			return k
		}
	}
	for _, a := range e.attrs {
		if a.space == "" && a.name != "Name" {
			return a.value
		}
	}
	return e.attr("Name")
}

// SettingError says which setting is wrong.
type SettingError struct {
	Path string // in the Designer's schema
	Line int    // of the project; 0 where there is none
	Err  error
}

func (e *SettingError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s: %v", e.Line, e.Path, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

func (e *SettingError) Unwrap() error { return e.Err }
