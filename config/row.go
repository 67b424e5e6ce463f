package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// row is a line of a sheet on its way into a configuration: cells that stand in
// the place of values of the file.
type row struct {
	file  string // the sheet's
	in    string // the folder in which its paths begin
	cells map[string]standIn
	drop  map[string]bool // values of the file that a cell excludes
}

// standIn is a value, or what the cells in it make necessary.
type standIn struct {
	position
	text string
	of   reflect.Type
	keys []string // of a mapping
	size int      // of a list
	made bool     // a mapping or list that the file does not have
}

// set enters a cell at path, and the mappings and lists around it.
func (w *row) set(path, text string, of reflect.Type, at position) {
	w.cells[path] = standIn{position: at, text: text, of: of}
	for path != "" {
		around, key := parent(path), lastKey(path)
		c, known := w.cells[around]
		if !known {
			c = standIn{position: at}
		}
		if i := strings.LastIndexByte(key, '['); i >= 0 {
			n, _ := strconv.Atoi(key[i+1 : len(key)-1])
			c.size = max(c.size, n+1)
		} else {
			c.keys = append(c.keys, key)
		}
		w.cells[around] = c
		if known {
			return
		}
		path = around
	}
}

// exclude drops what the file says instead of a cell.
func (w *row) exclude(path string) {
	for _, group := range alternatives {
		if !slices.Contains(group, lastKey(path)) {
			continue
		}
		for _, other := range group {
			if other != lastKey(path) {
				w.drop[child(parent(path), other)] = true
			}
		}
	}
}

// cell gives what stands at path because of the row; a secret does so if its
// source does.
func (w *row) cell(path string) (standIn, bool) {
	if w == nil || path == "" {
		return standIn{}, false
	}
	c := w.cells[path]
	source := slices.ContainsFunc(c.keys, func(key string) bool { return slices.Contains(alternatives[0], key) })
	return c, c.of != nil || c.made || source
}

// alternatives are keys of which a mapping has one: a secret has one source, and
// a directory is known by a pin or its CA.
var alternatives = [][]string{{"file", "env", "prompt"}, {"pin", "ca"}}

// entries gives the entries of a mapping as the row has them.
func (w *row) entries(d *decoder, path string, entries []entry) []entry {
	if w == nil {
		return entries
	}
	kept := make([]entry, 0, len(entries))
	have := map[string]bool{}
	for _, e := range entries {
		at := child(path, e.key)
		if w.drop[at] {
			if _, given := w.cells[at]; !given {
				delete(d.places, at)
				continue
			}
		}
		if c, ok := w.cells[at]; ok && c.of != nil {
			e.value = c.node()
		}
		have[e.key] = true
		kept = append(kept, e)
	}
	for _, key := range w.cells[path].keys {
		if have[key] {
			continue
		}
		have[key] = true
		at := child(path, key)
		c := w.cells[at]
		c.made = true
		w.cells[at] = c
		d.places[at] = c.position
		kept = append(kept, entry{key, c.position, c.node()})
	}
	return kept
}

// items gives the items of a list likewise. It may become longer.
func (w *row) items(path string, items []ast.Node) []ast.Node {
	if w == nil {
		return items
	}
	all := append([]ast.Node(nil), items...)
	for i := range w.cells[path].size {
		at := fmt.Sprintf("%s[%d]", path, i)
		c, ok := w.cells[at]
		switch {
		case i >= len(all):
			c.made = true
			w.cells[at] = c
			all = append(all, c.node())
		case ok && c.of != nil:
			all[i] = c.node()
		}
	}
	return all
}

// dir is the folder in which a path that stands at path begins.
func (w *row) dir(path, ofFile string) string {
	if c, _ := w.cell(path); c.of != nil {
		return w.in
	}
	return ofFile
}

// node is the cell as YAML would have it. Text that is no number where one
// belongs is left for the decoder to refuse.
func (c standIn) node() ast.Node {
	at := &token.Position{Line: max(c.line, 1), Column: max(c.column, 1)}
	switch {
	case c.size > 0:
		return ast.Sequence(token.SequenceStart("[", at), true)
	case c.of == nil:
		return ast.Mapping(token.MappingStart("{", at), true)
	}
	tk := token.String(c.text, c.text, at)
	switch n, err := strconv.ParseInt(c.text, 10, 64); {
	case c.of.Kind() == reflect.Int && err == nil:
		return &ast.IntegerNode{BaseNode: &ast.BaseNode{}, Token: tk, Value: n}
	case c.of.Kind() == reflect.Bool && (c.text == "true" || c.text == "false"):
		return &ast.BoolNode{BaseNode: &ast.BaseNode{}, Token: tk, Value: c.text == "true"}
	}
	return ast.String(tk)
}
