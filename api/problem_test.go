package api

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// codes are all constants of type Code in problem.go.
func codes(t *testing.T) map[Code]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[Code]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Code") {
			return true
		}
		text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[Code(text)] = true
		return true
	})
	return found
}

func TestEveryCodeIsExplainedOnce(t *testing.T) {
	missing := codes(t)
	if len(missing) < 20 {
		t.Fatalf("only %d codes were found", len(missing))
	}
	for _, p := range Problems {
		if !missing[p.Code] {
			t.Errorf("%s is explained twice, or is no constant", p.Code)
		}
		delete(missing, p.Code)
		if p.Status < 400 || http.StatusText(p.Status) == "" || p.Employee == "" || p.IT == "" || p.Remedy == "" {
			t.Errorf("%s is not explained in full: %+v", p.Code, p)
		}
	}
	for c := range missing {
		t.Errorf("%s is not explained", c)
	}
	if p := Explain("from_the_future"); p.Code != "from_the_future" || p.Employee == "" {
		t.Errorf("of an unknown code: %+v", p)
	}
}

func TestDocumentsListTheCodes(t *testing.T) {
	const page = "../docs/codes.md"
	want := "# Codes of errors\n\nMade from the table in package `api`.\n\n" + MarkdownOfProblems()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("%s is out of date (%v): go test ./api -update", page, err)
	}
}

func TestErrorsAreFoundByTheirCode(t *testing.T) {
	err := fmt.Errorf("enrolling: %w", Refuse(CodeKeySpent, "%d uses of %d", 10, 10))
	if !errors.Is(err, CodeKeySpent) || errors.Is(err, CodeKeyExpired) || CodeOf(err) != CodeKeySpent {
		t.Error("the code is not found")
	}
	if want := "enrolling: key_spent: 10 uses of 10"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if CodeOf(errors.New("other")) != "" {
		t.Error("a code was found in another error")
	}
}
