package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// maxNodes bounds how many values are read, those behind aliases counted each
// time: a few lines of aliases to aliases can stand for billions.
const maxNodes = 100_000

// Path is a file's name, absolute or relative to the working directory; in the
// file it is relative to the file's folder.
type Path string

// decoder turns a document into Go values. Unlike a general one it goes on
// after a mistake, and remembers where each value stood.
type decoder struct {
	*report
	dir     string // of the file
	anchors map[string]ast.Node
	guarded map[string]bool // paths where a secret may stand by mistake
	nodes   int
}

// decodable is a type with its own way to be written.
type decodable interface {
	decode(d *decoder, path string, n ast.Node)
}

// value reads n into what ptr points to.
func (d *decoder) value(path string, n ast.Node, ptr any) {
	d.reflect(path, n, reflect.ValueOf(ptr).Elem(), "")
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	nodeType   = reflect.TypeFor[ast.Node]()
	pathType   = reflect.TypeFor[Path]()
	secretType = reflect.TypeFor[SecretSource]()
)

func (d *decoder) reflect(path string, n ast.Node, v reflect.Value, option string) {
	if holdsSecret(v.Type()) {
		d.guarded[path] = true
	}
	n = d.resolve(path, n)
	if n == nil {
		return
	}
	if _, null := n.(*ast.NullNode); null && path == "" {
		d.whole("`firstday init` writes one to begin with", "the file is empty")
		d.broken[""] = true
		return
	} else if null {
		d.errorf(path, "give it a value, or remove it", "%s has no value", lastKey(path))
		return
	}
	if own, ok := v.Addr().Interface().(decodable); ok {
		own.decode(d, path, n)
		return
	}
	switch v.Type() {
	case nodeType:
		v.Set(reflect.ValueOf(n))
		return
	case timeType:
		d.time(path, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if s, ok := n.(*ast.StringNode); ok && option != "" && s.Value == option {
			return // the word that stands for nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.reflect(path, n, v.Elem(), "")
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.String:
		d.text(path, n, v)
	case reflect.Int:
		d.int(path, n, v)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrongType(path, n, "true or false")
			return
		}
		v.SetBool(b.Value)
	default:
		panic("config: no way to read a " + v.Type().String())
	}
}

// exhausted says whether the bound was reached, and makes that the only
// mistake then: the others are as many as the aliases.
func (d *decoder) exhausted() bool {
	if d.nodes == maxNodes+1 {
		d.errs = nil
		d.whole("write it out without aliases", "the aliases stand for more than %d values", maxNodes)
	}
	return d.nodes > maxNodes
}

// resolve follows anchors and aliases to the value itself. It returns nil when
// there is none, and has reported it then.
func (d *decoder) resolve(path string, n ast.Node) ast.Node {
	for {
		if d.nodes++; d.exhausted() {
			return nil
		}
		switch alias := n.(type) {
		case nil:
			return nil
		case *ast.AnchorNode:
			d.anchors[alias.Name.GetToken().Value] = alias.Value
			n = alias.Value
		case *ast.AliasNode:
			name := alias.Value.GetToken().Value
			target, ok := d.anchors[name]
			switch {
			case !ok && d.guarded[path]:
				d.errorf(path, "an alias stands for an anchor (&) above it", "the alias of %s stands for nothing", lastKey(path))
				return nil
			case !ok:
				d.errorf(path, "an alias stands for an &"+name+" above it", "*%s stands for nothing", name)
				return nil
			}
			n = target
		default:
			return n
		}
	}
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    position
	value ast.Node
}

// mapping gives the entries of a mapping and remembers their places.
func (d *decoder) mapping(path string, n ast.Node) ([]entry, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.wrongType(path, n, "a mapping of keys and values")
		return nil, false
	}
	var entries []entry
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		at := place(it.Key())
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.key == key }); i >= 0 {
			what := key
			if d.guarded[path] && !isWord(key) {
				what = "a key"
			}
			d.here(at, "keep one of them", "%s is given twice, first in line %d", what, entries[i].at.line)
			d.hideIf(d.private[at.line], it.Value())
			continue
		}
		entries = append(entries, entry{key, at, it.Value()})
		// A short value is where the eye should go; a mapping or list is found by its key.
		if _, scalar := it.Value().(ast.ScalarNode); scalar {
			at = place(it.Value())
		}
		d.places[child(path, key)] = at
	}
	return d.row.entries(d, path, entries), true
}

func (d *decoder) structure(path string, n ast.Node, v reflect.Value) {
	fields := fieldsOf(v.Type())
	if _, ok := n.(ast.MapNode); !ok && namesSecret(v.Type()) {
		d.hide(n)
		d.secretf(path, "put it into a file of its own and write {file: NAME}, or use {env: VARIABLE} or {prompt: true}",
			"a secret must not stand in this file")
		return
	}
	entries, ok := d.mapping(path, n)
	if !ok {
		return
	}
	meant := map[string]bool{} // fields that unknown keys probably are
	for _, e := range entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.key })
		if i < 0 {
			meant[d.unknown(path, e, v.Type())] = true
			continue
		}
		at := child(path, e.key)
		d.guarded[at] = fields[i].of == secretType
		d.reflect(at, e.value, v.FieldByIndex(fields[i].index), fields[i].option)
	}
	for _, f := range fields {
		at := child(path, f.name)
		if _, given := d.places[at]; f.required && !given && meant[f.name] {
			d.broken[at] = true
		} else if f.required && !given {
			whose := lastKey(path)
			if path == "" {
				whose = "the file"
			}
			d.errorf(at, "add "+f.name, "%s has no %s", whose, f.name)
		}
	}
}

// unknown reports a key that is no field of t, and gives the field most likely
// meant.
func (d *decoder) unknown(path string, e entry, t reflect.Type) (meant string) {
	fields := fieldsOf(t)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	meant = nearest(e.key, names)
	hint := "known here: " + strings.Join(names, ", ")
	if meant != "" {
		hint = "did you mean " + meant + "?"
	} else if home := homeOf(e.key); home != "" {
		hint = "it belongs " + home
	}
	at := child(path, e.key)
	if !d.mayBeSecret(e, t, meant) {
		d.places[at] = e.at
		d.errorf(at, hint, "%q is not known here", e.key)
		return meant
	}
	d.hide(e.value)
	what := "a key"
	hasValue := e.value != nil && e.value.Type() != ast.NullType
	if meant != "" || !namesSecret(t) && isWord(e.key) && hasValue {
		what = strconv.Quote(e.key)
	} else {
		at = path + ".?" // {hunter2} is a mapping too, and its key the secret
	}
	d.places[at] = e.at
	d.secretf(at, hint, "%s is not known here", what)
	return meant
}

func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrongType(path, n, "a list")
		return
	}
	values := d.row.items(path, seq.Values)
	list := reflect.MakeSlice(v.Type(), len(values), len(values))
	for i, item := range values {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			continue
		}
		d.places[at] = place(item)
		d.reflect(at, item, list.Index(i), "")
	}
	v.Set(list)
}

func (d *decoder) text(path string, n ast.Node, v reflect.Value) {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		hint := "put it in quotes"
		if !d.guarded[path] {
			hint += fmt.Sprintf(": %q", n.GetToken().Value)
		}
		d.errorf(path, hint, "%s is %s; it must be text", lastKey(path), d.describe(path, n))
		return
	default:
		d.wrongType(path, n, "text")
		return
	}
	s := text(n)
	if why := notXML(s); why != "" {
		d.errorf(path, "", "%s %s", lastKey(path), why)
		return
	}
	if v.Type() == pathType {
		switch {
		case s == "":
			d.errorf(path, "", "%s is empty; it must be a file's name", lastKey(path))
			return
		case strings.ContainsFunc(s, unicode.IsControl):
			// Such as a key itself instead of the file it is in.
			d.hide(n)
			d.secretf(path, "put it into a file and give the file's name", "%s has more than one line; it must be a file's name", lastKey(path))
			return
		}
		s = string(resolve(d.row.dir(path, d.dir), s))
	}
	v.SetString(s)
}

func (d *decoder) int(path string, n ast.Node, v reflect.Value) {
	number, ok := n.(*ast.IntegerNode)
	if !ok {
		d.wrongType(path, n, "a whole number")
		return
	}
	i, ok := integer(number)
	if !ok || i < math.MinInt || i > math.MaxInt {
		d.errorf(path, "", "%s is too large a number", lastKey(path))
		return
	}
	v.SetInt(i)
}

func (d *decoder) time(path string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		d.wrongType(path, n, "a day or time")
		return
	}
	t, err := time.Parse(time.RFC3339, s.Value)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s.Value)
		t = t.AddDate(0, 0, 1).Add(-time.Second)
	}
	if err != nil {
		d.errorf(path, "for example: 2027-03-31 or 2027-03-31T18:00:00Z", "%s is neither a day nor a time", lastKey(path))
		return
	}
	v.Set(reflect.ValueOf(t.UTC()))
}

func (d *decoder) wrongType(path string, n ast.Node, want string) {
	d.hideIf(d.guarded[path], n)
	name := lastKey(path)
	if path == "" {
		name, d.places[""] = "the file", place(n)
	}
	d.errorf(path, "", "%s is %s; it must be %s", name, d.describe(path, n), want)
}

// text gives the string a scalar stands for.
func text(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// integer gives the number a scalar stands for, if 63 bits and a sign hold it.
func integer(n *ast.IntegerNode) (int64, bool) {
	switch v := n.Value.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64 //nolint:gosec // the caller looks at the second result
	}
	return 0, false
}

// describe says in words what a node is, and shows nothing of it where a
// secret may stand.
func (d *decoder) describe(path string, n ast.Node) string {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if d.guarded[path] {
			return "a number or word"
		}
	}
	return describe(n)
}

// describe says in words what a node is, without showing text: it may be a
// secret in the wrong place.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + n.GetToken().Value
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	}
	return "something else"
}

// field is a key a mapping may have.
type field struct {
	name     string
	index    []int // for reflect.Value.FieldByIndex
	of       reflect.Type
	required bool
	option   string // the word that stands for nil
}

// fieldsOf gives the keys of a struct in the order of its declaration.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				inner.of = f.Type
				fields = append(fields, inner)
			}
		case name != "" && name != "-":
			required := option == "required"
			if required {
				option = ""
			}
			fields = append(fields, field{name: name, index: []int{i}, of: t, required: required, option: option})
		}
	}
	return fields
}
