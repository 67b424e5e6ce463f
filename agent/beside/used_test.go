package beside

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the code for macOS asks of it is what Check looks for, no more and no less.
func TestUsedIsWhatTheCodeUses(t *testing.T) {
	files, err := filepath.Glob("*_darwin.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	asked := make(map[string][]string) // by what asks
	for _, name := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			called, ok := call.Fun.(*ast.Ident)
			if !ok {
				return true
			}
			for _, a := range call.Args {
				if word, ok := a.(*ast.BasicLit); ok && word.Kind == token.STRING {
					s, err := strconv.Unquote(word.Value)
					if err != nil {
						t.Fatal(err)
					}
					asked[called.Name] = append(asked[called.Name], s)
				}
			}
			return true
		})
	}
	var classes, messages []string
	for _, c := range usedClasses {
		classes = append(classes, c.name)
		messages = append(append(messages, c.messages...), c.objects...)
	}
	messages = append(messages, usedProtocols...)
	for _, c := range []struct {
		what        string
		asked, used []string
	}{
		{"messages", asked["sel"], messages},
		{"functions", asked["bind"], functions},
		{"variables", asked["variable"], variables},
	} {
		if diff := cmp.Diff(sorted(c.used), sorted(c.asked)); diff != "" {
			t.Errorf("%s (-used.go +code):\n%s", c.what, diff)
		}
	}
	for _, name := range asked["class"] {
		if !slices.Contains(classes, name) {
			t.Errorf("class %s is not in used.go", name)
		}
	}
}

func sorted(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// A message has as many colons as the code gives it words, and ours take as many: one
// too few is a crash.
func TestMessagesHaveTheirWords(t *testing.T) {
	files, err := filepath.Glob("*_darwin.go")
	if err != nil {
		t.Fatal(err)
	}
	sent, taken := 0, 0
	for _, name := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if called(call) == "own" {
				if f, ok := call.Args[1].(*ast.FuncLit); ok {
					taken++
					counts(t, call.Args[0], f.Type.Params.NumFields()-2) // without the receiver and the message
				}
			}
			for i, a := range call.Args {
				if inner, ok := a.(*ast.CallExpr); ok && called(inner) == "sel" && called(call) == "Send" {
					sent++
					counts(t, inner.Args[0], len(call.Args)-i-1)
				}
			}
			return true
		})
	}
	if sent < 80 || taken < 12 {
		t.Errorf("%d messages that are sent and %d that are taken were found only", sent, taken)
	}
}

// called is the last name of what a call calls.
func called(call *ast.CallExpr) string {
	f := call.Fun
	if of, ok := f.(*ast.IndexExpr); ok { // objc.Send[T]
		f = of.X
	}
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func counts(t *testing.T, message ast.Expr, words int) {
	t.Helper()
	if m := message.(*ast.BasicLit).Value; strings.Count(m, ":") != words {
		t.Errorf("%s has %d words", m, words)
	}
}
