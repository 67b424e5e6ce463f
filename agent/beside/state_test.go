package beside

import (
	"errors"
	"strings"
	"testing"

	"firstday.dev/agent/local"
	"firstday.dev/agent/page"
	"firstday.dev/agent/signin"
)

func screenOf(state signin.State, actions ...signin.ActionName) *local.Screen {
	s := &local.Screen{Screen: signin.Screen{Serial: 7, State: state, Device: signin.Device{Organisation: "Acme"}}}
	for _, name := range actions {
		label := string(name)
		if name == signin.Start {
			label = "Sign in with Acme"
		}
		s.Actions = append(s.Actions, signin.ActionButton{Name: name, Label: label})
	}
	return s
}

var (
	hidden   = sight{screen: screenOf(signin.Hidden)}
	ready    = sight{screen: screenOf(signin.Ready, signin.Start)}
	waiting  = sight{screen: screenOf(signin.Waiting, signin.Cancel)}
	password = sight{screen: screenOf(signin.Password, signin.Submit, signin.Cancel)}
	creating = sight{screen: screenOf(signin.Creating)}
	failed   = sight{screen: screenOf(signin.Failed, signin.Retry, signin.Close)}
	done     = sight{screen: func() *local.Screen {
		s := screenOf(signin.Done, signin.Close)
		s.Message, s.Account = "Your account ann is ready. Sign in with your password.", "ann"
		return s
	}()}
	silent = sight{}
	seen   = session(true)
)

const (
	signInWithAcme = "Sign in with Acme"
	annIsReady     = "Your account ann is ready. Sign in with your password. Choose ann in the login window of this Mac, or type that name there."
)

func TestPictures(t *testing.T) {
	button, nothing := Picture{Button: signInWithAcme}, Picture{}
	nth := func(n int) Picture { return Picture{Page: n, Title: signInWithAcme} }
	with := func(other string) Picture { return Picture{Page: 1, Title: signInWithAcme, Other: other} }
	trouble := Picture{Text: wordTrouble, Button: wordClose}
	for name, c := range map[string]struct {
		events []event
		want   Picture
		tell   signin.ActionName // of the last event
	}{
		"nothing yet":                           {nil, nothing, ""},
		"no session":                            {[]event{ready}, nothing, ""},
		"no service":                            {[]event{seen}, nothing, ""},
		"hidden":                                {[]event{seen, hidden}, nothing, ""},
		"ready":                                 {[]event{seen, ready}, button, ""},
		"ready before there is a session":       {[]event{ready, seen}, button, ""},
		"who comes back with a PIN":             {[]event{seen, sight{screen: screenOf(signin.Unlock)}}, nothing, ""},
		"a later state":                         {[]event{seen, sight{screen: screenOf("later")}}, button, ""},
		"somebody signs in elsewhere":           {[]event{seen, waiting}, button, ""},
		"pressed":                               {[]event{seen, ready, pressed{}}, nth(1), ""},
		"pressed twice":                         {[]event{seen, ready, pressed{}, pressed{}}, nth(1), ""},
		"pressed as it was hidden":              {[]event{seen, hidden, pressed{}}, nothing, ""},
		"pressed as it was silent":              {[]event{seen, ready, silent, pressed{}, ready}, button, ""},
		"on the page":                           {[]event{seen, ready, pressed{}, waiting, password}, nth(1), ""},
		"closed":                                {[]event{seen, ready, pressed{}, closed{}}, button, ""},
		"closed, and opened":                    {[]event{seen, ready, pressed{}, closed{}, pressed{}}, nth(2), ""},
		"closed without a page":                 {[]event{seen, waiting, closed{}}, button, ""},
		"closed in the middle":                  {[]event{seen, ready, pressed{}, waiting, closed{}}, button, signin.Cancel},
		"closed at the password":                {[]event{seen, ready, pressed{}, password, closed{}}, button, signin.Cancel},
		"closed while the account is made":      {[]event{seen, ready, pressed{}, creating, closed{}}, button, ""},
		"closed, and the account is there":      {[]event{seen, ready, pressed{}, creating, closed{}, done}, Picture{Text: annIsReady, Button: wordClose}, ""},
		"closed after a failure":                {[]event{seen, ready, pressed{}, waiting, failed, closed{}}, button, signin.Close},
		"Apple's window is wanted":              {[]event{seen, ready, pressed{}, ended{page.ErrApple}}, button, ""},
		"Apple's window is wanted in between":   {[]event{seen, ready, pressed{}, waiting, ended{page.ErrApple}}, button, signin.Cancel},
		"a name and a password":                 {[]event{seen, ready, pressed{}, ended{}}, button, ""},
		"the page's service is lost":            {[]event{seen, ready, pressed{}, ended{page.ErrLost}}, button, ""},
		"the page does not listen":              {[]event{seen, ready, pressed{}, ended{page.ErrPage}}, trouble, ""},
		"the page does not listen, read":        {[]event{seen, ready, pressed{}, ended{page.ErrPage}, pressed{}}, button, ""},
		"the page does not listen, and again":   {[]event{seen, ready, pressed{}, ended{page.ErrPage}, pressed{}, pressed{}}, nth(2), ""},
		"the page does not listen, hidden":      {[]event{seen, ready, pressed{}, ended{page.ErrPage}, hidden, ready}, button, ""},
		"ends late":                             {[]event{seen, ready, pressed{}, closed{}, ended{page.ErrPage}}, button, ""},
		"the page is lost":                      {[]event{seen, ready, pressed{}, pageLost{}}, nth(2), ""},
		"the page is lost twice":                {[]event{seen, ready, pressed{}, pageLost{}, pageLost{}}, nth(3), ""},
		"the page is lost three times":          {[]event{seen, ready, pressed{}, pageLost{}, waiting, pageLost{}, pageLost{}}, trouble, signin.Cancel},
		"the page is lost, and is opened later": {[]event{seen, ready, pressed{}, pageLost{}, pageLost{}, closed{}, pressed{}, pageLost{}}, nth(5), ""},
		"a page that is gone is lost":           {[]event{seen, ready, pageLost{}}, button, ""},
		"the other page":                        {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}}, with("https://a"), ""},
		"the other page stays":                  {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, visit{"https://b"}}, with("https://a"), ""},
		"the other page is shut":                {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, visit{}}, with(""), ""},
		"the other page is lost":                {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, otherLost{}}, with(""), ""},
		"the other page, and the page is lost":  {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, pageLost{}}, nth(2), ""},
		"the other page without a page":         {[]event{seen, waiting, visit{"https://a"}}, button, ""},
		"done":                                  {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, done}, Picture{Text: annIsReady, Button: wordClose}, ""},
		"done, read":                            {[]event{seen, ready, pressed{}, waiting, done, pressed{}}, Picture{Text: annIsReady, Button: wordClose}, signin.Close},
		"done, and nothing more is offered":     {[]event{seen, ready, pressed{}, waiting, done, hidden}, nothing, ""},
		"done, and another may sign in":         {[]event{seen, ready, pressed{}, waiting, done, ready}, button, ""},
		"done elsewhere":                        {[]event{seen, ready, waiting, done}, nothing, ""},
		"done elsewhere, after somebody here":   {[]event{seen, ready, pressed{}, waiting, done, ready, waiting, done}, nothing, ""},
		"done elsewhere, pressed late":          {[]event{seen, ready, done, pressed{}}, nothing, ""},
		"silent":                                {[]event{seen, ready, silent}, nothing, ""},
		"silent on the page":                    {[]event{seen, ready, pressed{}, waiting, visit{"https://a"}, silent}, nothing, ""},
		"silent on the page, and back":          {[]event{seen, ready, pressed{}, waiting, silent, waiting}, button, ""},
		"silent when done":                      {[]event{seen, ready, pressed{}, waiting, done, silent}, nothing, ""},
		"silent when done, and back":            {[]event{seen, ready, pressed{}, waiting, done, silent, done}, nothing, ""},
		"switched off on the page":              {[]event{seen, ready, pressed{}, waiting, hidden}, nothing, ""},
		"the session goes":                      {[]event{seen, ready, pressed{}, session(false)}, nothing, ""},
		"the session goes and comes":            {[]event{seen, ready, pressed{}, session(false), seen}, button, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var s state
			var tell signin.ActionName
			for _, e := range c.events {
				tell = s.step(e)
			}
			if got := s.picture(); got != c.want {
				t.Errorf("shows %+v, not %+v", got, c.want)
			}
			if tell != c.tell {
				t.Errorf("tells %q, not %q", tell, c.tell)
			}
		})
	}
}

// What the service says is shown whole if anybody could read it, and as what it is.
func TestTextsFit(t *testing.T) {
	long := screenOf(signin.Ready, signin.Start)
	long.Actions[0].Label = "Sign in with \u202e" + strings.Repeat("ü", 100)
	for _, c := range []struct {
		screen *local.Screen
		want   string
	}{
		{long, `Sign in with \u202e` + strings.Repeat("ü", 40) + "…"},
		{screenOf(signin.Waiting), signInWithAcme},
		{&local.Screen{Screen: signin.Screen{State: signin.Waiting}}, "Sign in"},
	} {
		var s state
		s.step(seen)
		s.step(sight{screen: c.screen})
		if got := s.picture().Button; got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

// Whatever happens in whatever order: there is a window only with a service that
// offers something, never both the button and the page, and no second web view
// without the page.
func FuzzState(f *testing.F) {
	events := []event{
		seen, session(false), hidden, ready, waiting, password, creating, failed, done, silent, pressed{}, closed{}, visit{"https://a"}, visit{},
		otherLost{}, pageLost{}, ended{}, ended{page.ErrApple}, ended{page.ErrPage}, ended{errors.New("lost")},
	}
	f.Add([]byte{0, 3, 10, 4, 12, 5, 6, 8, 10, 2})
	f.Add([]byte{0, 3, 10, 15, 15, 15, 10, 10, 18, 9, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		var s state
		for _, b := range script {
			e := events[int(b)%len(events)]
			before := s.picture()
			tell := s.step(e)
			p := s.picture()
			switch {
			case (!s.session || s.screen == nil || s.screen.State == signin.Hidden) && p != (Picture{}):
				t.Fatalf("%+v after %#v: nothing is to be shown", p, e)
			case p.Page > 0 && (p.Button != "" || p.Text != ""), p.Text != "" && p.Button == "":
				t.Fatalf("%+v after %#v", p, e)
			case p.Other != "" && p.Page == 0:
				t.Fatalf("%+v: a second web view on nothing", p)
			case tell != "" && before == (Picture{}):
				t.Fatalf("%q is told after %#v, though nobody saw anything", tell, e)
			}
		}
	})
}
