package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxSize bounds a configuration file, in bytes.
const MaxSize = 1 << 20

const (
	// maxTokens bounds what is parsed, in YAML tokens (three for a line
	// "key: value"): the parser's time grows with their square.
	maxTokens = 20000
	// maxDepth bounds how deep mappings and lists lie in one another; the
	// deepest value firstday.yaml has a place for is at 6.
	maxDepth = 32
)

// lineBreaks are all that YAML counts as one, and reads as one (YAML 1.2
// §5.4). The library counts some of them twice, so it gets to see one kind.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// document parses data into the root of its one document. It returns nil when
// something was wrong, and has reported it then.
func (r *report) document(data []byte) (root ast.Node) {
	switch {
	case len(data) > MaxSize:
		r.whole("is this the right file?", "the file has more than %d bytes", MaxSize)
		return nil
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		r.whole("save it as UTF-8", "the file is UTF-16 text")
		return nil
	}
	text := lineBreaks.Replace(string(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.lines = strings.Split(text, "\n")
	for i, line := range r.lines {
		if !utf8.ValidString(line) {
			r.here(position{i + 1, 1}, "save it as UTF-8", "the line is not UTF-8 text")
			return nil
		}
	}
	tokens := lexer.Tokenize(text)
	if !r.bounded(tokens) {
		return nil
	}
	// The bounds above keep the parser's work small. That it never panics on
	// what is left is for its authors to promise, and a person with a typo
	// should not be the one to find out.
	defer func() {
		if recover() != nil {
			root = nil
			r.whole("look for unusual YAML in it", "the file is not YAML that can be read")
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		r.whole("`firstday init` writes one to begin with", "the file is empty")
		return nil
	case 1:
		return bodies[0]
	}
	r.here(place(bodies[1]), "keep one of them", "a second document begins here")
	return nil
}

// withoutNames are the parts of YAML that firstday.yaml does without. What the
// file says there is not repeated: it may be a secret that begins like one.
var withoutNames = map[token.Type]string{
	token.TagType:        "a tag (!)",
	token.MappingKeyType: "a key after ?",
	token.MergeKeyType:   "<<",
	token.DirectiveType:  "a directive (%)",
}

// bounded reports a file whose structure goes beyond the bounds, and the parts
// of YAML that firstday.yaml does without.
func (r *report) bounded(tokens token.Tokens) bool {
	flow, count := 0, 0
	var block []int // columns of the mappings and lists around the token
	for i, tk := range tokens {
		at := position{tk.Position.Line, tk.Position.Column}
		indent := 0
		switch tk.Type {
		case token.CommentType:
			continue
		case token.TagType, token.MappingKeyType, token.MergeKeyType, token.DirectiveType:
			r.here(at, "write it out; text that begins so goes in quotes", "%s is YAML that this file does without", withoutNames[tk.Type])
			return false
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType:
			indent = at.column
		case token.MappingValueType:
			if i > 0 && tokens[i-1].Position.Line == at.line {
				indent = tokens[i-1].Position.Column
			}
		}
		if indent > 0 && flow == 0 {
			for len(block) > 0 && block[len(block)-1] >= indent {
				block = block[:len(block)-1]
			}
			block = append(block, indent)
		}
		if flow+len(block) > maxDepth {
			r.here(at, "", "mappings and lists lie more than %d deep here", maxDepth)
			return false
		}
		if count++; count > maxTokens {
			r.here(at, "is this the right file?", "the file goes on for more than %d words and signs", maxTokens)
			return false
		}
	}
	return true
}

// syntax reports what the parser stumbled over.
func (r *report) syntax(err error) {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &at) || at.GetToken() == nil {
		r.whole("", "the file is not YAML: %v", err)
		return
	}
	tk, message := at.GetToken(), strings.TrimSpace(at.GetMessage())
	where := position{tk.Position.Line, tk.Position.Column}
	if strings.Contains(message, "'\t'") || strings.Contains(message, "tab character") {
		r.here(where, "indent with spaces", "a tab indents this line; YAML allows spaces only")
		return
	}
	if !r.harmless(where.line) || strings.ContainsRune(message, '"') {
		message = "" // it may quote the line
	} else {
		message = ": " + message
	}
	r.here(where, "look at the indentation and the quotes here and on the line above", "the YAML breaks off here%s", message)
}

// here reports a mistake at a place rather than in a value.
func (r *report) here(at position, hint, format string, args ...any) {
	if !r.harmless(at.line) {
		r.private[at.line] = true
	}
	r.errs = append(r.errs, &Error{File: r.file, Line: at.line, Column: at.column,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

// whole reports a mistake of the file as a whole.
func (r *report) whole(hint, format string, args ...any) { r.here(position{}, hint, format, args...) }

// place gives where a node begins.
func place(n ast.Node) position {
	for {
		m, ok := n.(ast.MapNode)
		if !ok {
			break
		}
		it := m.MapRange()
		if n.GetToken().Type == token.MappingStartType || !it.Next() {
			break
		}
		n = it.Key()
	}
	p := n.GetToken().Position
	return position{p.Line, max(p.Column, 1)}
}
