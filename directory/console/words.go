package console

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/feature/plural"
	xlanguage "golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/unicode/bidi"
)

//go:embed pages words
var files embed.FS

// sentence is English, and the key of what it is in other languages. In a template
// it stands as text or comes from Go as this type; a test finds all of them. What
// is put into it is %s or %d.
type sentence string

// language is how the console speaks: a file of words/.
type language struct {
	Tag   string          `json:"tag"`
	Name  string          `json:"name"` // in the language itself
	Dir   string          `json:"dir"`  // ltr or rtl
	Date  string          `json:"date"` // as [time.Time.Format] takes it
	Clock string          `json:"clock"`
	Words map[string]word `json:"words"`

	tag     xlanguage.Tag
	printer *message.Printer
	pages   map[string]*template.Template
}

// word is a sentence in a language: one text or, where it depends on a number, one
// for each of the plural's categories in CLDR's words.
type word map[string]string

// UnmarshalJSON reads either.
func (w *word) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*w = word{"other": text}
		return nil
	}
	return json.Unmarshal(b, (*map[string]string)(w))
}

var english = language{Tag: "en", Name: "English", Dir: "ltr", Date: "2 Jan 2006", Clock: "15:04"}

// readLanguages gives English, then the languages of words/.
func readLanguages() ([]*language, error) {
	first := english
	list := []*language{&first}
	names, err := fs.Glob(files, "words/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		l := new(language)
		if err := json.Unmarshal(text, l); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// parse reads all pages, in the language.
func (l *language) parse() (err error) {
	if l.tag, err = xlanguage.Parse(l.Tag); err != nil {
		return err
	}
	l.printer = message.NewPrinter(l.tag)
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return err
	}
	frame := template.New("").Funcs(l.functions())
	if frame, err = frame.ParseFS(files, "pages/frame/*.html"); err != nil {
		return err
	}
	l.pages = make(map[string]*template.Template)
	for _, name := range names {
		p, err := template.Must(frame.Clone()).ParseFS(files, name)
		if err != nil {
			return err
		}
		l.pages[strings.TrimSuffix(path.Base(name), ".html")] = p
	}
	return nil
}

// write makes a page.
func (l *language) write(out *bytes.Buffer, v *view) error {
	p := l.pages[v.Template]
	if p == nil {
		return fmt.Errorf("there is no page %q", v.Template)
	}
	return p.ExecuteTemplate(out, "layout", v)
}

// languageCookie holds the tag of the language that somebody has chosen.
const languageCookie = "__Host-firstday-language"

// choose gives the language that was chosen, else the first one that the browser
// asks for, else English.
func (c *Console) choose(r *http.Request) *language {
	if cookie, err := r.Cookie(languageCookie); err == nil {
		if l := c.languageOf(cookie.Value); l != nil {
			return l
		}
	}
	wanted, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return c.languages[0]
	}
	for _, tag := range wanted {
		base, _ := tag.Base()
		if l := c.languageOf(base.String()); l != nil {
			return l
		}
	}
	return c.languages[0]
}

func (c *Console) languageOf(tag string) *language {
	for _, l := range c.languages {
		if l.Tag == tag {
			return l
		}
	}
	return nil
}

// say gives a sentence in the language, with what is put in.
func (l *language) say(s sentence, args ...any) string {
	text := string(s)
	if w, found := l.Words[text]; found {
		text = w["other"]
	}
	return l.put(text, args)
}

// count gives the one of two sentences that is right for a number, which is put in
// first.
func (l *language) count(one, many sentence, n int, args ...any) string {
	text := string(many)
	if w, found := l.Words[text]; found {
		text = cmp.Or(w[l.category(n)], w["other"])
	} else if n == 1 {
		text = string(one)
	}
	return l.put(text, append([]any{n}, args...))
}

var categories = map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other"}

func (l *language) category(n int) string {
	return categories[plural.Cardinal.MatchPlural(l.tag, n%10_000_000, 0, 0, 0, 0)]
}

func (l *language) put(text string, args []any) string {
	if len(args) == 0 {
		return text
	}
	values := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			values[i] = l.isolate(arg)
		case sentence:
			values[i] = l.say(arg)
		default:
			values[i] = arg
		}
	}
	return l.printer.Sprintf(text, values...)
}

// isolate keeps a text that comes from elsewhere from turning the sentence around
// it. Where all runs from left to right there is nothing to do.
func (l *language) isolate(text string) string {
	const firstStrong, pop = "\u2068", "\u2069"
	turns := l.Dir == "rtl" && text != ""
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		p, _ := bidi.LookupRune(r)
		turns = turns || p.Class() == bidi.R || p.Class() == bidi.AL
		return r
	}, text)
	if !turns {
		return text
	}
	return firstStrong + text + pop
}

// functions are those of templates. A parameter of type sentence takes text of the
// template.
func (l *language) functions() template.FuncMap {
	return template.FuncMap{
		"t":    l.say,
		"text": text, "role": roleWord, "way": wayWord, "browser": browserName, "sessions": newSessionTable, "platform": platformName, "explain": explain,
		"n":       l.count,
		"said":    func(s *said) string { return l.say(s.Sentence, s.Args...) },
		"time":    l.time,
		"day":     l.day,
		"number":  func(n int) string { return l.printer.Sprint(n) },
		"badge":   func(kind string, text sentence) badge { return badge{kind, text} },
		"field":   newField,
		"setting": newSettingField,
		"choice":  func(value string, text sentence) choice { return choice{value, text} },
		"named":   newNamed,
		"bound":   bindingBadge, "holds": holdsDevice,
		"choices": func(list ...choice) []choice { return list },
		"asset":   assetAddress,
		"column":  newColumn,
		"pager":   newPager,
		"meter":   func(label sentence, value, most int) meter { return meter{label, value, most} },
		"empty":   func(what, remedy sentence, to string, do sentence) empty { return empty{what, remedy, link{to, do}} },
		"copy":    func(id string, label sentence, text string) copyField { return copyField{id, label, text} },
	}
}

// time shows a moment, to the minute. A script puts it into the reader's own zone.
func (l *language) time(at time.Time) template.HTML {
	return l.moment(at, l.Date+", "+l.Clock+" UTC", "minute")
}

// day shows the day of a moment.
func (l *language) day(at time.Time) template.HTML { return l.moment(at, l.Date, "day") }

func (l *language) moment(at time.Time, layout, precision string) template.HTML {
	if at.IsZero() {
		return "–"
	}
	at = at.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-show="%s">%s</time>`, at.Format(time.RFC3339), precision, template.HTMLEscapeString(at.Format(layout)))) //nolint:gosec // a time, and a layout of ours
}

// tags are those of all languages.
func (c *Console) tags() (tags []string) {
	for _, l := range c.languages {
		tags = append(tags, l.Tag)
	}
	slices.Sort(tags)
	return tags
}
