package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"firstday.dev/api"
)

// sentences are all that the console may say: texts of templates that stand where a
// function takes a sentence, and those of Go.
func sentences(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	l := english
	if err := l.parse(); err != nil {
		t.Fatal(err)
	}
	functions := l.functions()
	for _, p := range l.pages {
		for _, each := range p.Templates() {
			if each.Tree != nil {
				ofTemplate(each.Tree.Root, functions, all)
			}
		}
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ofGo(file, all)
	}
	for _, p := range api.Problems {
		all[p.IT] = true
	}
	delete(all, "")
	return all
}

// ofTemplate finds the texts that functions take as sentences.
func ofTemplate(node parse.Node, functions map[string]any, all map[string]bool) {
	value := reflect.ValueOf(node)
	if node == nil || value.Kind() == reflect.Pointer && value.IsNil() {
		return
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, each := range n.Nodes {
			ofTemplate(each, functions, all)
		}
	case *parse.ActionNode:
		ofTemplate(n.Pipe, functions, all)
	case *parse.TemplateNode:
		ofTemplate(n.Pipe, functions, all)
	case *parse.IfNode:
		ofBranch(&n.BranchNode, functions, all)
	case *parse.WithNode:
		ofBranch(&n.BranchNode, functions, all)
	case *parse.RangeNode:
		ofBranch(&n.BranchNode, functions, all)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			ofTemplate(command, functions, all)
		}
	case *parse.CommandNode:
		var kind reflect.Type
		if name, ok := n.Args[0].(*parse.IdentifierNode); ok && functions[name.Ident] != nil {
			kind = reflect.TypeOf(functions[name.Ident])
		}
		for i, arg := range n.Args {
			if i == 1 && n.Args[0].String() == "n" {
				continue // of one, which the second sentence stands for
			}
			if text, ok := arg.(*parse.StringNode); ok && kind != nil && i > 0 && i <= kind.NumIn() && kind.In(i-1) == reflect.TypeFor[sentence]() {
				all[text.Text] = true
			}
			ofTemplate(arg, functions, all)
		}
	}
}

func ofBranch(n *parse.BranchNode, functions map[string]any, all map[string]bool) {
	ofTemplate(n.Pipe, functions, all)
	ofTemplate(n.List, functions, all)
	ofTemplate(n.ElseList, functions, all)
}

// ofGo finds sentence("…"), titles of pages, links, and what done and wrong say.
func ofGo(file *ast.File, all map[string]bool) {
	add := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if s, err := strconv.Unquote(text.Value); err == nil {
				all[s] = true
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch f := n.Fun.(type) {
			case *ast.Ident:
				if f.Name == "sentence" {
					add(n.Args[0])
				}
			case *ast.SelectorExpr:
				if f.Sel.Name == "done" || f.Sel.Name == "wrong" {
					add(n.Args[1])
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Title" || key.Name == "Sentence") {
				add(n.Value)
			}
		case *ast.CompositeLit:
			if kind, ok := n.Type.(*ast.Ident); (ok && kind.Name == "link") && len(n.Elts) == 2 {
				add(n.Elts[1])
			}
			return true
		}
		return true
	})
}

// Each language has all sentences, and none that nobody says.
func TestLanguagesAreComplete(t *testing.T) {
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	all := sentences(t)
	for _, l := range languages[1:] {
		for _, s := range slices.Sorted(maps.Keys(all)) {
			if _, found := l.Words[s]; !found {
				t.Errorf("%s lacks %q", l.Tag, s)
			}
		}
		for s, w := range l.Words {
			if !all[s] {
				t.Errorf("%s has %q, which nobody says", l.Tag, s)
			}
			for category, text := range w {
				if got, want := places(text), places(s); !slices.Equal(got, want) {
					t.Errorf("%s (%s) has the places %q, the sentence %q", text, category, got, want)
				}
			}
		}
	}
}

var verb = regexp.MustCompile(`%(\[\d\])?[sd]`)

// places are what is put into a sentence.
func places(s string) []string {
	found := verb.FindAllString(s, -1)
	for i := range found {
		found[i] = "%" + found[i][len(found[i])-1:]
	}
	slices.Sort(found)
	return found
}

// madeLanguage runs from right to left, and marks each sentence: what is not marked
// was not translated.
func madeLanguage(t *testing.T) *language {
	t.Helper()
	l := &language{Tag: "ar", Name: "Made", Dir: "rtl", Date: "2006/1/2", Clock: "15:04", Words: make(map[string]word)}
	for s := range sentences(t) {
		l.Words[s] = word{"other": "⟦" + s + "⟧"}
	}
	return l
}

// No text of a page stands in a template by itself: people read it in their own
// language.
func TestTemplatesHoldNoText(t *testing.T) {
	tag := regexp.MustCompile(`(?s)<[^>]*>|[a-z-]+="[^"]*"`)
	word := regexp.MustCompile(`\p{L}{2,}`)
	err := fs.WalkDir(files, "pages", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		bare := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(string(text), "")
		for _, found := range word.FindAllString(tag.ReplaceAllString(bare, ""), -1) {
			t.Errorf("%s holds %q", name, found)
		}
		if regexp.MustCompile(`\s(on\w+|style)=|<style|javascript:`).Match(text) {
			t.Errorf("%s holds a style or a script", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A number decides which sentence is right, in each language's own way.
func TestPlurals(t *testing.T) {
	polish := &language{Tag: "pl", Dir: "ltr", Words: map[string]word{"%d devices": {"one": "%d urządzenie", "few": "%d urządzenia", "many": "%d urządzeń", "other": "%d urządzenia"}}}
	en := english
	for _, l := range []*language{polish, &en} {
		if err := l.parse(); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int][2]string{1: {"1 urządzenie", "1 device"}, 3: {"3 urządzenia", "3 devices"}, 5: {"5 urządzeń", "5 devices"}, 22: {"22 urządzenia", "22 devices"}, 0: {"0 urządzeń", "0 devices"}} {
		if got := polish.count("%d device", "%d devices", n); got != want[0] {
			t.Errorf("%d: %q", n, got)
		}
		if got := en.count("%d device", "%d devices", n); got != want[1] {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// A text of a device does not turn the sentence around it.
func TestIsolation(t *testing.T) {
	left, right := english, language{Tag: "ar", Dir: "rtl"}
	for _, l := range []*language{&left, &right} {
		if err := l.parse(); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{"PC-1": "PC-1", "حاسوب": "\u2068حاسوب\u2069", "a\u202eb\u2069c": "abc"} {
		if got := left.say("%s", text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := right.say("%s", "PC-1"); got != "\u2068PC-1\u2069" {
		t.Errorf("from right to left: %q", got)
	}
}
