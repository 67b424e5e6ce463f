package beside

import (
	"errors"
	"slices"
	"unicode/utf8"

	"firstday.dev/agent/local"
	"firstday.dev/agent/page"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/visible"
)

// Picture is all that is to be seen, besides Apple's login window.
type Picture struct {
	// Text and Button are what stands in the corner. Without a button nothing does.
	Text, Button string
	// Page counts how often the page was loaded; 0: its window is not there.
	Page int
	// Title is what the page's window says on top.
	Title string
	// Other is the address that a second web view on the page begins with; empty:
	// there is none.
	Other string
}

// state is what is known. It has no clock, no socket and no window: step takes what
// happened, and gives what is to be sent.
type state struct {
	session bool          // the system would show windows to somebody
	screen  *local.Screen // nil: the service is silent
	label   string        // of the button, as a screen had it last
	page    int           // which loading is shown; 0: none
	loads   int           // how often the page was loaded, ever
	lost    int           // how often since it was opened
	other   string
	begun   bool   // somebody signs in at this window: its end is told them
	late    bool   // they have left, on a screen that had just gone
	trouble string // why the page's window is gone
}

// What can happen.
type (
	event interface{ event() }

	session bool     // whether the system would show windows
	sight   struct { // what the service shows; a screen of nil: it is silent
		client *local.Client
		screen *local.Screen
	}
	pressed  struct{}                 // the button in the corner
	closed   struct{}                 // the person closes the page's window
	ended    struct{ why error }      // the page's host; nil: with a name and a password
	visit    struct{ address string } // the page wants the second web view; empty: no more
	answered struct {                 // what was told of that screen: it came too late, or not
		serial int64
		stale  bool
	}
	otherLost struct{} // the second web view has nothing to show
	pageLost  struct{} // the page is gone: the process that draws it has ended
)

func (session) event()   {}
func (sight) event()     {}
func (pressed) event()   {}
func (closed) event()    {}
func (ended) event()     {}
func (visit) event()     {}
func (answered) event()  {}
func (otherLost) event() {}
func (pageLost) event()  {}

// maxLost is how often the page may be lost after it was opened.
const maxLost = 3

// step takes what happened, and gives what is to be told the service; empty:
// nothing.
func (s *state) step(e event) (tell signin.ActionName) {
	switch e := e.(type) {
	case session:
		s.session = bool(e)
	case sight:
		tell = s.see(e.screen)
	case pressed:
		tell = s.press()
	case closed:
		tell = s.leave()
	case ended:
		tell = s.end(e.why)
	case answered:
		if e.stale {
			tell = s.again(e.serial)
		}
	case visit:
		s.visits(e.address)
	case otherLost:
		s.other = ""
	case pageLost:
		tell = s.losePage()
	}
	s.settle()
	return tell
}

// settle lets go of what a screen has no place for.
func (s *state) settle() {
	switch {
	case !s.shown():
		s.page, s.other, s.begun, s.trouble = 0, "", false, ""
		return
	case s.screen.State == signin.Done:
		s.page, s.other = 0, ""
	case s.screen.State == signin.Ready:
		s.begun = false
	case s.page > 0:
		s.begun = true
	}
	for _, a := range s.screen.Actions {
		if a.Name == signin.Start {
			s.label = a.Label
		}
	}
}

// shown tells whether anything is. States in which somebody comes back with a PIN
// are no matter of a Mac.
func (s *state) shown() bool {
	return s.session && s.screen != nil &&
		!slices.Contains([]signin.State{signin.Hidden, signin.Unlock, signin.Renew, signin.Opening}, s.screen.State)
}

// press is the button in the corner: it takes note of what is told there, or opens
// the page.
func (s *state) press() signin.ActionName {
	switch {
	case !s.shown() || s.page > 0:
	case s.trouble != "":
		s.trouble = ""
	case s.screen.State == signin.Done:
		if s.begun {
			return signin.Close
		}
	default:
		s.lost, s.late = 0, false
		s.load()
	}
	return ""
}

func (s *state) load() {
	s.loads++
	s.page, s.other = s.loads, ""
}

// leave closes the page. Who leaves in the middle of a sign-in ends it: somebody
// else may come by, and go on with it.
func (s *state) leave() signin.ActionName {
	if s.page == 0 {
		return ""
	}
	s.page, s.other = 0, ""
	return s.exit()
}

// exit is what ends the sign-in on this screen.
func (s *state) exit() signin.ActionName {
	if s.screen == nil || s.screen.State == signin.Done {
		return ""
	}
	for _, name := range []signin.ActionName{signin.Cancel, signin.Close} {
		if slices.ContainsFunc(s.screen.Actions, func(b signin.ActionButton) bool { return b.Name == name }) {
			return name
		}
	}
	return ""
}

// see takes another screen. Who has left on the one before has left on this one.
func (s *state) see(screen *local.Screen) signin.ActionName {
	s.screen = screen
	if !s.late {
		return ""
	}
	s.late = false
	return s.exit()
}

// again has it told anew what came too late, as soon as there is another screen,
// unless somebody has opened the page meanwhile.
func (s *state) again(serial int64) signin.ActionName {
	switch {
	case s.page > 0 || s.screen == nil:
		return ""
	case s.screen.Serial != serial:
		return s.exit()
	}
	s.late = true
	return ""
}

// end is that of the page's host. A name and a password are of no use here: nobody
// is logged on by this window.
func (s *state) end(why error) signin.ActionName {
	if s.page > 0 && errors.Is(why, page.ErrPage) {
		s.trouble = wordTrouble
	}
	return s.leave()
}

func (s *state) visits(address string) {
	if s.page > 0 && (address == "" || s.other == "") {
		s.other = address
	}
}

func (s *state) losePage() signin.ActionName {
	switch s.lost++; {
	case s.page == 0:
		return ""
	case s.lost < maxLost:
		s.load()
		return ""
	}
	return s.end(page.ErrPage)
}

// maxLabel and maxText are in characters. What the service says is shorter.
const (
	maxLabel = 60
	maxText  = 300
)

// picture is what the state looks like.
func (s *state) picture() Picture {
	switch {
	case !s.shown():
		return Picture{}
	case s.page > 0:
		return Picture{Page: s.page, Title: s.button(), Other: s.other}
	case s.trouble != "":
		return Picture{Text: s.trouble, Button: wordClose}
	case s.screen.State == signin.Done && s.begun:
		return Picture{Text: short(s.screen.Message+" "+wordChoose(s.screen.Account), maxText), Button: wordClose}
	case s.screen.State == signin.Done: // of whoever signed in elsewhere
		return Picture{}
	}
	return Picture{Button: s.button()}
}

func (s *state) button() string {
	label := s.label
	if label == "" {
		label = wordSignIn(s.screen.Device.Organisation)
	}
	return short(label, maxLabel)
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
