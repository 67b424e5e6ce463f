package window

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// webIn is a screen of a sign-in that has its pages here.
func webIn(language string, state signin.State) *local.Screen {
	s := screenIn(language, state)
	s.UserCode, s.URI, s.QR, s.Modules = "", "", "", nil
	s.Here, s.Actions = true, append(s.Actions, signin.ActionButton{Name: signin.Elsewhere, Label: "Use your phone instead"})
	if state == signin.Waiting {
		s.Page, s.Origins = "https://signin.acme.example/signin?code=ABCD", []string{"https://signin.acme.example", "https://login.example"}
	}
	return s
}

func saidOnWeb(s *local.Screen, b browsed) (all []string) {
	for _, b := range arrangeWeb(newWebPage(s, b, noon), 1920, 1080, 96, wordy).boxes {
		all = append(all, b.id+"="+b.text)
	}
	return all
}

// Whose page it is stands beside it, and the ways out; a code never does.
func TestWebPages(t *testing.T) {
	device := "device=This device: ACME-LAPTOP-0042 · Latitude 7450 · Serial number 5CG1234XYZ"
	foot := []string{"text=Questions? Call IT: 4711.", "help=Help: https://help.acme.example/first-day"}
	out := []string{"button.cancel=Cancel", "button.elsewhere=Use your phone instead"}
	for name, c := range map[string]struct {
		state signin.State
		browsed
		change func(*local.Screen)
		want   []string
	}{
		"opening": {signin.Starting, browsed{}, nil, slices.Concat([]string{"title=Sign in with Acme", "message=" + wordOpening, device, "address.label=Page of", "address=none yet", "page=Page"}, foot, out)},
		"shown":   {signin.Waiting, browsed{where: "https://login.example", shown: true}, nil, slices.Concat([]string{"title=Sign in with Acme", device, "address.label=Page of", "address=https://login.example", "page=Page"}, foot, out)},
		"refused": {signin.Waiting, browsed{where: "https://login.example", shown: true, refused: "https://evil.example"}, nil, slices.Concat([]string{"title=Sign in with Acme", "message=The page wanted to lead to https://evil.example, which is not one of those to sign in with.", device, "address.label=Page of", "address=https://login.example", "page=Page"}, foot, out)},
		"offline": {signin.Waiting, browsed{shown: true}, func(s *local.Screen) { s.Online = false }, slices.Concat([]string{"title=Sign in with Acme", "message=" + wordOffline, device, "address.label=Page of", "address=none yet", "page=Page"}, foot, out)},
		"number": {signin.Number, browsed{where: "https://login.example", shown: true}, nil, slices.Concat(
			[]string{"title=Sign in with Acme", "message=" + languages["English"].message, device, "field.label=Number", "field=", "address.label=Page of", "address=https://login.example", "page=Page"}, foot, []string{"button.submit=Next"}, out)},
	} {
		s := webIn("English", c.state)
		if c.change != nil {
			c.change(s)
		}
		if diff := cmp.Diff(c.want, saidOnWeb(s, c.browsed)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The page has room on any screen, and nothing lies on it.
func TestWebLayouts(t *testing.T) {
	long := strings.Repeat("Wörter ", 150)
	for language := range languages {
		for _, state := range []signin.State{signin.Starting, signin.Waiting, signin.Number} {
			for _, b := range []browsed{{}, {where: "https://login.example", shown: true}, {where: "https://" + strings.Repeat("x", 150), refused: long}} {
				for dpi := 96; dpi <= 288; dpi += 24 {
					for _, on := range append(screens, struct{ w, h int }{800, 600}) {
						s := webIn(language, state)
						if b.refused != "" {
							s.Text, s.Device.Model = long, long
						}
						l := arrangeWeb(newWebPage(s, b, noon), on.w, on.h, dpi, wordy)
						name := fmt.Sprintf("%s, %s, %d %% on %d×%d", language, state, dpi*100/96, on.w, on.h)
						for _, flaw := range flaws(l) {
							t.Errorf("%s: %s", name, flaw)
						}
						for _, b := range l.boxes {
							if b.rect.bottom() > l.browser.y && b.rect.y < l.browser.bottom() {
								t.Errorf("%s: %s lies on the page: %v, %v", name, b.id, b.rect, l.browser)
							}
						}
						if l.w > on.w-2*around || l.h > on.h-2*around || l.browser.h < l.px(leastPage) || l.browser.right() != l.w {
							t.Errorf("%s: the window is %d×%d, the page %v", name, l.w, l.h, l.browser)
						}
					}
				}
			}
		}
	}
}

// Each window is for its own screens.
func TestScreensOfEachWindow(t *testing.T) {
	for _, state := range []signin.State{signin.Hidden, signin.Ready, signin.Starting, signin.Waiting, signin.Number, signin.Password, signin.PIN, signin.Creating, signin.Done, signin.Failed} {
		now := slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, state)
		code, pages := screenIn("English", state), webIn("English", state)
		if got := showsCode(code); got != (now || state == signin.Failed) {
			t.Errorf("%s: a code: %v", state, got)
		}
		if showsPages(code) || showsPages(pages) != now {
			t.Errorf("%s: pages: %v, %v", state, showsPages(code), showsPages(pages))
		}
	}
}
