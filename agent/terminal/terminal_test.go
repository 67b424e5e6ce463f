package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// scripted is a service that shows what a test wants.
type scripted struct {
	mu      sync.Mutex
	screen  local.Screen
	changed chan struct{}
	acted   []string
	// acting, if set, comes before each action.
	acting func()
}

func newScripted(s signin.Screen) *scripted {
	d := &scripted{changed: make(chan struct{})}
	d.show(s)
	return d
}

func (d *scripted) show(s signin.Screen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Serial = d.screen.Serial + 1
	d.screen = local.Screen{Screen: s}
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *scripted) Next(ctx context.Context, serial int64) (*local.Screen, error) {
	for {
		d.mu.Lock()
		s, changed := d.screen, d.changed
		d.mu.Unlock()
		if s.Serial != serial {
			return &s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *scripted) Act(_ context.Context, a signin.Action) error {
	if d.acting != nil {
		d.acting()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.Serial != d.screen.Serial {
		return signin.ErrStale
	}
	text := string(a.Name)
	for _, name := range slices.Sorted(maps.Keys(a.Fields)) {
		text += fmt.Sprintf(" %s=%s", name, a.Fields[name])
	}
	d.acted = append(d.acted, text)
	return nil
}

// sitting is somebody at a terminal.
type sitting struct {
	*scripted
	t    *testing.T
	keys chan rune
	out  bytes.Buffer
	end  chan error
}

func sit(t *testing.T, s signin.Screen) *sitting {
	t.Helper()
	p := &sitting{scripted: newScripted(s), t: t, keys: make(chan rune), end: make(chan error, 1)}
	go func() { p.end <- Show(t.Context(), p, p.keys, &p.out, Look{Width: 80}) }()
	synctest.Wait()
	return p
}

func (p *sitting) types(keys string) {
	for _, k := range keys {
		p.keys <- k
	}
	synctest.Wait()
}

func (p *sitting) shows(s signin.Screen) {
	p.show(s)
	synctest.Wait()
}

func (p *sitting) ends(want error) {
	p.t.Helper()
	synctest.Wait()
	select {
	case err := <-p.end:
		if !errors.Is(err, want) {
			p.t.Errorf("%v, want %v", err, want)
		}
	default:
		p.t.Errorf("it goes on, after\n%s", &p.out)
		close(p.keys)
	}
}

// last is the line that the person sees at the bottom.
func (p *sitting) last() string {
	text := p.out.String()
	line := text[strings.LastIndex(text, "\n")+1:]
	screen := []rune{}
	for _, part := range strings.Split(line, "\r") {
		runes := []rune(part)
		screen = append(runes, screen[min(len(runes), len(screen)):]...)
	}
	return string(screen)
}

var (
	next        = signin.ActionButton{Name: signin.Submit, Label: "Next", Primary: true}
	cancel      = signin.ActionButton{Name: signin.Cancel, Label: "Cancel"}
	ready       = signin.Screen{State: signin.Ready, Online: true, Title: "Sign in with Acme", Actions: []signin.ActionButton{{Name: signin.Start, Label: "Sign in with Acme", Primary: true}}}
	askPassword = signin.Screen{
		State: signin.Password, Online: true, Title: "Welcome",
		Fields: []signin.Field{{Name: "password", Label: "Password", Secret: true}, {Name: "again", Label: "Again", Secret: true}}, Actions: []signin.ActionButton{next, cancel},
	}
	askNumber = signin.Screen{State: signin.Number, Online: true, Title: "Almost there", Fields: []signin.Field{{Name: "number", Label: "Number", Digits: true}}, Actions: []signin.ActionButton{next, cancel}}
)

func TestTyping(t *testing.T) {
	for name, c := range map[string]struct {
		screen signin.Screen
		keys   string
		want   string // what arrives; empty: nothing
		last   string // what is shown then
	}{
		"a button by Enter":            {ready, "\r", "start", "One moment …"},
		"by its number":                {ready, "1", "start", "One moment …"},
		"by its letter, in upper case": {ready, "S", "start", "One moment …"},
		"by none of these":             {ready, "2x ", "", "1 or s or Enter: Sign in with Acme "},
		"fields":                       {askPassword, "ab\rcd\r", "submit again=cd password=ab", "One moment …"},
		"hidden":                       {askPassword, "äöü", "", "Password: ***"},
		"the second one":               {askPassword, "abc\rd", "", "Again: *"},
		"an empty field":               {askPassword, "\r\r", "", "Password: "},
		"corrections":                  {askPassword, "abx\x7f\x08\x7f\x7f\x7fü\rx\x15ü\r", "submit again=ü password=ü", "One moment …"},
		"shown":                        {askNumber, "4x2", "", "Number: 42"},
		"a line feed":                  {askNumber, "42\n", "submit number=42", "One moment …"},
		"buttons of a form":            {askNumber, "4\t", "", "1 or n or Enter: Next   2 or c: Cancel "},
		"pressing one":                 {askNumber, "4\tc", "cancel number=4", "One moment …"},
		"and back":                     {askNumber, "4\t\t2\r", "submit number=42", "One moment …"},
		"more than a password's worth": {askPassword, strings.Repeat("ü", 200) + "\r" + strings.Repeat("a", 300) + "\r", "submit again=" + strings.Repeat("a", 256) + " password=" + strings.Repeat("ü", 128), "One moment …"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sit(t, c.screen)
				p.types(c.keys)
				if got := strings.Join(p.acted, "\n"); got != c.want {
					t.Errorf("%q arrives, want %q", got, c.want)
				}
				if got := strings.TrimRight(p.last(), " "); got != strings.TrimRight(c.last, " ") {
					t.Errorf("it shows %q, want %q", got, c.last)
				}
				close(p.keys)
				p.ends(ErrEnded)
			})
		})
	}
}

// What is typed stays while nothing but the last line changes; another question
// begins with empty fields.
func TestScreensChangeWhileSomebodyTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting := askNumber
		waiting.Ends = time.Now().Add(61 * time.Second)
		p := sit(t, waiting)
		p.types("4")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := p.last(); got != "[0:59 left] Number: 4" {
			t.Errorf("%q", got)
		}
		waiting.Online = false
		p.shows(waiting)
		if got := p.last(); got != "[0:59 left, no connection] Number: 4" {
			t.Errorf("%q", got)
		}
		// The answer to the screen before is the answer to this one.
		p.acting = func() { p.acting = nil; waiting.Online = true; p.show(waiting) }
		p.types("2\r")
		if diff := cmp.Diff([]string{"submit number=42"}, p.acted); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wrong := waiting
		wrong.Code, wrong.Message = api.CodeNumberWrong, "That is not the number."
		p.shows(wrong)
		if got := p.last(); got != "[0:59 left] Number: " || !strings.Contains(p.out.String(), "That is not the number.") {
			t.Errorf("%q", got)
		}
		// But it is none to another question.
		p.acting = func() { p.acting = nil; p.show(askPassword) }
		p.types("43\r")
		if len(p.acted) != 1 || !strings.HasPrefix(p.last(), "Password: ") || strings.Contains(p.last(), "*") {
			t.Errorf("%q, %q", p.acted, p.last())
		}
		// Who wants out wants so on any.
		p.acting = func() { p.acting = nil; p.show(askNumber) }
		p.types("\tc")
		if len(p.acted) != 2 || !strings.HasPrefix(p.acted[1], "cancel") {
			t.Errorf("%q", p.acted)
		}
		p.shows(ready)
		p.ends(ErrEnded)
	})
}

func TestEnds(t *testing.T) {
	done := signin.Screen{State: signin.Done, Online: true, Title: "Welcome", Account: "ann", Actions: []signin.ActionButton{{Name: signin.Close, Label: "Close", Primary: true}}}
	hidden := signin.Screen{State: signin.Hidden, Online: true, Why: api.CodeSlotTaken}
	for name, c := range map[string]struct {
		play  func(*sitting)
		want  error
		acted string
	}{
		"an account":         {func(p *sitting) { p.types("\r"); p.shows(done); p.types("\r"); p.shows(hidden) }, nil, "start,close"},
		"and a way for more": {func(p *sitting) { p.types("\r"); p.shows(done); p.types("\r"); p.shows(ready) }, nil, "start,close"},
		"Ctrl-C after it":    {func(p *sitting) { p.types("\r"); p.shows(done); p.types("\x03") }, nil, "start"},
		"Ctrl-C before":      {func(p *sitting) { p.types("\x03") }, ErrEnded, ""},
		"Ctrl-C amid":        {func(p *sitting) { p.types("\r"); p.shows(askNumber); p.types("4\x03") }, ErrEnded, "start,cancel"},
		"of another's":       {func(p *sitting) { p.shows(askNumber); p.types("4\x03") }, ErrEnded, ""},
		"no more keys":       {func(p *sitting) { p.types("\r"); p.shows(askNumber); close(p.keys) }, ErrEnded, "start,cancel"},
		"a late Ctrl-C": {func(p *sitting) {
			p.types("\r")
			p.shows(askNumber)
			p.acting = func() { p.acting = nil; p.show(askPassword) }
			p.types("\x03")
		}, ErrEnded, "start,cancel"},
		"switched off": {func(p *sitting) {
			p.types("\r")
			p.shows(signin.Screen{State: signin.Hidden, Why: api.CodeSwitchedOff})
		}, new(NotOfferedError), "start"},
		"nothing offered": {func(p *sitting) { p.shows(hidden) }, new(NotOfferedError), ""},
		"an agent that just begins": {func(p *sitting) {
			p.shows(signin.Screen{State: signin.Hidden})
			time.Sleep(firstNews)
		}, new(NotOfferedError), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sit(t, ready)
				c.play(p)
				synctest.Wait()
				var err error
				select {
				case err = <-p.end:
				default:
					t.Fatalf("it goes on, after\n%s", &p.out)
				}
				var not *NotOfferedError
				if errors.As(c.want, &not) != errors.As(err, &not) || not == nil && !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				var names []string
				for _, a := range p.acted {
					verb, _, _ := strings.Cut(a, " ")
					names = append(names, verb)
				}
				if got := strings.Join(names, ","); got != c.acted {
					t.Errorf("pressed %q, want %q", got, c.acted)
				}
			})
		})
	}
}

// A screen's texts never steer the terminal.
func TestTextsAreOnlyTexts(t *testing.T) {
	evil := "evil\x1b[2J\r\n\x07\u202e"
	s := &local.Screen{Screen: signin.Screen{
		State: signin.Failed, Title: evil, Message: evil, Text: evil, Help: evil, UserCode: evil, URI: evil, Code: api.Code(evil),
		Fields: []signin.Field{{Name: "a", Label: evil}}, Actions: []signin.ActionButton{{Name: "b", Label: evil}},
	}}
	var f form
	f.ask(s)
	text := draw(s, Look{Width: 80}) + f.line()
	f.press(tab)
	text += f.line()
	if strings.Count(text, "evil") < 8 || strings.ContainsAny(text, "\x1b\r\x07\u202e") {
		t.Errorf("%q", text)
	}
}

// The picture can be read back, from either kind of terminal.
func TestPicture(t *testing.T) {
	modules := []string{"11101", "10001", "01110", "00100", "10101"}
	for _, colour := range []bool{true, false} {
		var got []string
		for line := range strings.Lines(picture(modules, colour)) {
			line = strings.TrimSuffix(line, "\n")
			if colour {
				var ok bool
				line, ok = strings.CutPrefix(line, paper)
				line, end := strings.CutSuffix(line, plain)
				if !ok || !end {
					t.Errorf("%q is not on paper", line)
				}
			}
			line = strings.TrimSuffix(line, plain)
			upper, lower := "", ""
			for _, r := range line {
				inked := map[rune]string{' ': "00", '▀': "10", '▄': "01", '█': "11"}[r]
				if !colour {
					inked = strings.NewReplacer("0", "1", "1", "0").Replace(inked)
				}
				upper, lower = upper+inked[:1], lower+inked[1:]
			}
			got = append(got, upper, lower)
		}
		want := make([]string, 14)
		for i := range want {
			want[i] = strings.Repeat("0", 13)
			if i >= quiet && i < quiet+len(modules) {
				want[i] = "0000" + modules[i-quiet] + "0000"
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("colour %v (-want +got):\n%s", colour, diff)
		}
	}
}

func TestLongLines(t *testing.T) {
	var out bytes.Buffer
	l := &line{w: &out, width: 10}
	l.write("123456789")
	l.write("12345678901")
	l.write("12")
	l.print("over\nand out\n")
	want := "\r123456789\r…45678901\r12       \r12\r  \r\rover\r\nand out\r\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := wrap("one two  three four-and-five", 9); got != "one two\nthree\nfour-and-five" {
		t.Errorf("%q", got)
	}
}

// What was typed is not kept.
func TestFormsAreWiped(t *testing.T) {
	var f form
	f.ask(&local.Screen{Screen: askPassword})
	for _, k := range "secret" {
		f.press(k)
	}
	typed := f.typed[0]
	f.ask(&local.Screen{Screen: askPassword})
	if slices.ContainsFunc(typed[:cap(typed)], func(r rune) bool { return r != 0 }) {
		t.Error("it is still there")
	}
}

func TestKeys(t *testing.T) {
	var got []rune
	for k := range Keys(strings.NewReader("aü\x1b[A\x1b[1;5C\x1bOP\x1bx\xff\xc3\xa4\r\x03€😀\x1b")) {
		got = append(got, k)
	}
	if want := "aüä\r\x03€😀"; string(got) != want {
		t.Errorf("%q, want %q", string(got), want)
	}
}

// Whatever arrives from a terminal: no key but a letter, and no end but the end.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a\x1b[A\xc3\xa4\r"))
	f.Fuzz(func(t *testing.T, data []byte) {
		count := 0
		for k := range Keys(bytes.NewReader(data)) {
			if count++; k == escape || count > len(data) {
				t.Fatalf("%q gives %q", data, k)
			}
		}
	})
}
