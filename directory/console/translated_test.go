package console

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// asTheyAre are elements whose text is data, or the same in each language.
var asTheyAre = []string{"bdi", "code", "time", "textarea", "script", "style"}

// names are those of things that have one name everywhere.
var names = regexp.MustCompile(`Windows|macOS|Linux|⟦[^⟧]*⟧`)

var letters = regexp.MustCompile(`\p{L}{2,}`)

// untranslated gives what of a page in the made language stands there as it was
// written: not marked, and no data.
func untranslated(t *testing.T, page string) (found []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) {
		if left := names.ReplaceAllString(text, ""); letters.MatchString(left) {
			found = append(found, strings.TrimSpace(text))
		}
	}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			check(n.Data)
		case html.ElementNode:
			own := false // in a language of its own, or data
			for _, a := range n.Attr {
				switch a.Key {
				case "aria-label", "data-label", "alt", "placeholder", "title", "data-copied":
					check(a.Val)
				case "lang":
					own = own || n.Data != "html"
				case "dir":
					own = own || n.Data == "option"
				}
			}
			if own || n.Data == "title" || slices.Contains(asTheyAre, n.Data) {
				return
			}
		default:
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(root)
	return found
}

// What is not translated is found, and data is not taken for it.
func TestUntranslated(t *testing.T) {
	const page = `<html lang="ar"><title>x Acme</title><p>⟦Ends⟧: <time>2 Jan</time> <bdi>PC</bdi> macOS</p><p aria-label="oops">⟦a⟧ left</p><button lang="de">Deutsch</button>`
	if found := untranslated(t, page); !slices.Equal(found, []string{"oops", "⟦a⟧ left"}) {
		t.Errorf("%q", found)
	}
}

// What comes of forms is translated, too: errors at fields, refusals, and what is
// shown once.
func TestAnswersOfFormsAreTranslated(t *testing.T) {
	d := newDeskAt(t, nil, madeLanguage(t))
	d.header.Set("Accept-Language", "ar")
	for what, a := range map[string]answer{
		"a wrong field": d.post("keys", "uses", "0", "days", "400"),
		"a new key":     d.post("keys", "label", hostile, "uses", "1", "days", "7"),
		"a refusal":     d.post("keys", "uses", "1", "days", "7", "label", strings.Repeat("a", 300)),
		"no page":       d.get("nothing"),
	} {
		for _, text := range untranslated(t, a.text) {
			t.Errorf("%s (%d) says %q in each language", what, a.StatusCode, text)
		}
		if strings.Contains(a.text, "<script>") || strings.Contains(a.text, "%!") {
			t.Errorf("%s:\n%s", what, a.text)
		}
	}
}
