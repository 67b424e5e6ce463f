package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/visible"
)

// page is what the window shows of a screen: texts, each of which is a control
// of its own, in the order in which they are read.
type page struct {
	rtl            bool // read from right to left
	title, message string
	picture        string   // what it says; empty: there is none
	modules        []string // of the picture
	field          string   // the label of the field; empty: there is none
	facts          []fact
	device         string // in one line, where that is no fact
	text, help     string
	buttons        []button
}

// fact is a text with a label.
type fact struct {
	id           string
	label, value string
	detail       string // below the value, smaller
	look         look
	narrow       bool // may stand beside another one
}

// look is how the value of a fact is set.
type look int

const (
	lookPlain look = iota
	lookCode
	lookOnline
	lookOffline
)

type button struct {
	name    signin.ActionName
	label   string
	primary bool
}

// The facts.
const (
	factAddress = "address"
	factCode    = "code"
	factLeft    = "left"
	factNetwork = "network"
	factDevice  = "device"
	factReason  = "reason"
)

// What there is room for, in characters. The agent's texts are shorter.
const (
	maxTitle   = 100
	maxMessage = 280
	maxText    = 200
	maxAddress = 160
	maxName    = 64
	maxCode    = 16
	maxButton  = 32
)

func newPage(s *local.Screen, now time.Time) *page {
	p := &page{
		title:   short(s.Title, maxTitle),
		message: short(s.Message, maxMessage),
		text:    short(s.Text, maxText),
		help:    whole(s.Help, maxAddress),
	}
	p.rtl = rightToLeft(p.title + " " + p.message)
	if p.help != "" {
		p.help = wordHelp + " " + p.help
	}
	address, code := whole(s.URI, maxAddress), whole(s.UserCode, maxCode)
	if s.State == signin.Waiting && len(s.Modules) > 0 {
		p.modules, p.picture = s.Modules, fmt.Sprintf(wordPicture, address, code)
	}
	if address != "" {
		p.facts = append(p.facts, fact{id: factAddress, label: wordAddress, value: address})
	}
	if code != "" {
		p.facts = append(p.facts, fact{id: factCode, label: wordCode, value: code, look: lookCode})
	}
	if s.State == signin.Failed && s.Code != "" {
		p.facts = append(p.facts, fact{id: factReason, label: wordReference, value: short(string(s.Code), maxName)})
	}
	if !s.Ends.IsZero() {
		p.facts = append(p.facts, fact{id: factLeft, label: wordTimeLeft, value: timeLeft(s.Ends, now), narrow: true})
	}
	p.facts = append(p.facts, network(s.Online))
	if d := &s.Device; d.Name+d.Serial+d.Model != "" {
		p.facts = append(p.facts, device(d))
	}
	p.addInputs(s)
	return p
}

func network(online bool) fact {
	f := fact{id: factNetwork, label: wordNetwork, value: wordOnline, look: lookOnline, narrow: true}
	if !online {
		f.value, f.look = wordOffline, lookOffline
	}
	return f
}

// device puts the first that is known of name, model and serial number on top.
func device(d *signin.Device) fact {
	serial := short(d.Serial, maxName)
	if serial != "" {
		serial = wordSerial + " " + serial
	}
	lines := slices.DeleteFunc([]string{short(d.Name, maxName), short(d.Model, maxName), serial}, func(s string) bool { return s == "" })
	return fact{id: factDevice, label: wordDevice, value: lines[0], detail: strings.Join(lines[1:], " · ")}
}

// addInputs adds the number's field and the buttons. Where the screen has nothing
// that the window may press, it closes itself.
func (p *page) addInputs(s *local.Screen) {
	if s.State == signin.Number && len(s.Fields) > 0 {
		p.field = short(s.Fields[0].Label, maxName)
	}
	for _, a := range s.Actions {
		if a.Name == signin.Cancel || a.Name == signin.Elsewhere || a.Name == signin.Submit && p.field != "" {
			p.buttons = append(p.buttons, button{a.Name, short(a.Label, maxButton), a.Primary})
		}
	}
	if len(p.buttons) == 0 {
		p.buttons = []button{{signin.Close, wordClose, true}}
	}
}

// fact gives the fact of that id, nil if there is none.
func (p *page) fact(id string) *fact {
	i := slices.IndexFunc(p.facts, func(f fact) bool { return f.id == id })
	if i < 0 {
		return nil
	}
	return &p.facts[i]
}

// short cuts a text that is longer than anybody reads, and shows what does not
// print.
func short(s string, most int) string {
	s = visible.Line(s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// whole is short for what is of no use in part.
func whole(s string, most int) string {
	if s = visible.Line(s); utf8.RuneCountInString(s) > most {
		return ""
	}
	return s
}

// rightToLeft tells texts by their first letter that has a direction.
func rightToLeft(s string) bool {
	for _, r := range s {
		p, _ := bidi.LookupString(string(r))
		switch p.Class() {
		case bidi.R, bidi.AL:
			return true
		case bidi.L:
			return false
		}
	}
	return false
}
