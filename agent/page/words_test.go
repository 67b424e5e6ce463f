package page

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/signinpage"
)

// place is what is put into a sentence, whatever it is called.
var place = regexp.MustCompile(`\{[a-z]*\}|%[sd]`)

// written gives the texts that are written in Go in a file, with {} for what is put
// in: literals, sums of them, and formats.
func written(t *testing.T, file string) (texts []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if n.Op == token.ADD {
				texts = append(texts, sum(n))
				return false
			}
		case *ast.BasicLit:
			texts = append(texts, sum(n))
		}
		return true
	})
	return texts
}

// sum gives the text of an expression.
func sum(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return sum(e.X) + sum(e.Y)
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return place.ReplaceAllString(text, "{}")
		}
	}
	return "{}"
}

// sentences splits what the service says as the page does: what may follow by
// itself, or stands before, is a sentence of its own.
func sentences(text string) (all []string) {
	for strings.HasPrefix(text, "{} ") {
		text = strings.TrimPrefix(text, "{} ")
		if text != "" && !strings.HasPrefix(text, "{}") && strings.ToLower(text[:1]) == text[:1] {
			text = "{} " + text // it is a part of the sentence
			break
		}
	}
	for _, s := range strings.SplitAfter(text, ". ") {
		if s = strings.TrimSpace(s); strings.Trim(s, "{}") != "" {
			all = append(all, s)
		}
	}
	return all
}

var capital = regexp.MustCompile(`^(\{\} )?[A-Z{]`)

// said gives all that the service may say to a person at the login window, with {}
// for what is put in.
func fromService(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, file := range []string{"../signin/texts.go", "../signin/password.go", "../pin/digits.go"} {
		for _, text := range written(t, file) {
			if capital.MatchString(text) && len(text) > 1 && text != "{}" {
				texts = append(texts, text)
			}
		}
	}
	for _, text := range written(t, "../local/server.go") {
		if capital.MatchString(text) && strings.HasSuffix(text, ".") {
			texts = append(texts, text)
		}
	}
	for _, r := range []accounts.PasswordRules{{Length: 8}, {Length: 8, Kinds: true}} {
		for _, text := range []string{r.String(), r.Refuses("a", "ann", "Ann"), r.Refuses("aaaaaaaa", "ann", "Ann"), r.Refuses("Ann12345", "ann", "Ann")} {
			texts = append(texts, strings.ReplaceAll(text, "8", "{}"))
		}
	}
	for _, p := range api.Problems {
		if !slices.Contains(ofConsole, p.Code) {
			texts = append(texts, p.Employee)
		}
	}
	texts = append(texts, "your organisation")
	var all []string
	for _, text := range texts {
		all = append(all, sentences(text)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var (
	saidInScript = regexp.MustCompile(`\bsay\("((?:[^"\\]|\\.)*)"`)
	saidInPage   = regexp.MustCompile(`data-say>([^<]+)<`)
)

// ofConsole are the codes that are said to administrators, on pages of the console.
var ofConsole = []api.Code{
	api.CodeSignedOut, api.CodeProofRequired, api.CodeInvitation, api.CodeCeremony, api.CodePasskey, api.CodePasskeyCloned,
	api.CodeNotLinked, api.CodeLastOwner, api.CodeLastWay,
}

// fromPage gives what the page says of its own.
func fromPage(t *testing.T) []string {
	t.Helper()
	var all []string
	for name, pattern := range map[string]*regexp.Regexp{"*.js": saidInScript, "*.html": saidInPage} {
		files, err := fs.Glob(signinpage.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(signinpage.Files, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
				all = append(all, found[1])
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("the page says %d things only", len(all))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// dictionary reads a language.
func dictionary(t *testing.T, file string) (tag string, words map[string]string) {
	t.Helper()
	text, err := fs.ReadFile(signinpage.Files, file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "words.add(")
	list, tail, closed := strings.Cut(rest, "\n});")
	if !ok || !closed || strings.TrimSpace(tail) != "" || !strings.HasPrefix(head, "\"use strict\";\n") {
		t.Fatalf("%s is no call of words.add", file)
	}
	tag, list, _ = strings.Cut(list, ", ")
	_, list, _ = strings.Cut(list, "{")
	in := json.NewDecoder(strings.NewReader("{" + list + "\n}"))
	if err := in.Decode(&words); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if count := strings.Count(list, "\n\t\""); count != len(words) {
		t.Errorf("%s has %d lines and %d sentences: one is there twice", file, count, len(words))
	}
	return strings.Trim(tag, `"`), words
}

// sameEverywhere are words that other languages may have as they are.
var sameEverywhere = []string{"PIN", "Wi-Fi", "Wi-Fi: {name}", "Ethernet", "Internet", "Name", "Agent", "System", "Organisation", "Code:"}

func places(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

// Each language has each sentence that the service or the page can say, with the same
// things put in, and no others.
func TestEachLanguageHasEachSentence(t *testing.T) {
	wanted := make(map[string]string) // by what they are without the names of places
	for _, s := range fromService(t) {
		wanted[s] = "the service"
	}
	for _, s := range fromPage(t) {
		wanted[place.ReplaceAllString(s, "{}")] = "the page"
	}
	files, err := fs.Glob(signinpage.Files, "words/*.js")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d languages, %v", len(files), err)
	}
	index, err := fs.ReadFile(signinpage.Files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tag, words := dictionary(t, file)
		if file != "words/"+tag+".js" || !strings.Contains(string(index), `<script src="`+file+`"></script>`) {
			t.Errorf("%s is of the language %s, or not in the page", file, tag)
		}
		missing := maps.Clone(wanted)
		for key, text := range words {
			bare := place.ReplaceAllString(key, "{}")
			if _, ok := missing[bare]; !ok {
				t.Errorf("%s: nobody says %q", tag, key)
			}
			delete(missing, bare)
			if !slices.Equal(places(key), places(text)) {
				t.Errorf("%s: %q has other places than %q", tag, text, key)
			}
			if text == "" || text == key && !slices.Contains(sameEverywhere, key) || strings.TrimSpace(text) != text {
				t.Errorf("%s: %q is %q", tag, key, text)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(missing)) {
			t.Errorf("%s lacks %q of %s", tag, key, missing[key])
		}
	}
}
