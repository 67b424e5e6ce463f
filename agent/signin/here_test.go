package signin

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
	"firstday.dev/internal/testpki"
)

var annsOrigins = []string{"https://acme.example", "https://login.example"}

// beginHere starts a sign-in whose pages this device shows.
func beginHere(t *testing.T, d *fakeDirectory) *story {
	t.Helper()
	s := begin(t, d)
	s.must(s.Act(t.Context(), Action{Name: Start, SameDevice: true}))
	return s
}

func (d *fakeDirectory) saw(t *testing.T, asked []bool, ended ...api.Secret) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(asked, d.asked); diff != "" {
		t.Errorf("sign-ins for the same device (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ended, d.ended); diff != "" {
		t.Errorf("sign-ins that were cancelled (-want +got):\n%s", diff)
	}
}

// noCode tells that a screen has nothing that a camera or an eye could carry to
// another device.
func noCode(t *testing.T, s Screen) {
	t.Helper()
	if s.UserCode != "" || s.URI != "" || s.QR != "" || strings.Contains(s.Title+s.Message+s.Text, "ZZZZ") {
		t.Errorf("a code of the same device is shown: %+v", s)
	}
}

func TestPagesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.origins, d.anchors = annsOrigins, [][]byte{testpki.New(t).Root.Certificate().Raw}
		s := beginHere(t, d)
		defer s.end()
		waiting := s.shows(Waiting, "")
		noCode(t, waiting)
		if !waiting.Here || waiting.Page != "https://acme.example/signin?code=ZZZZ-ZZZZ" || cmp.Diff(annsOrigins, waiting.Origins) != "" || cmp.Diff(d.anchors, waiting.Anchors) != "" || !waiting.offers(Elsewhere) {
			t.Errorf("%+v", waiting)
		}
		close(d.approved)
		if password := s.shows(Password, ""); password.Page != "" || password.Origins != nil || password.Anchors != nil || password.offers(Elsewhere) {
			t.Errorf("%+v", password)
		}
		d.saw(t, []bool{true})
	})
}

// However the page is lost, and wherever the sign-in stands: it goes on with a
// code of its own, for which the directory asks for the number.
func TestPagesLost(t *testing.T) {
	lost := map[string]func(*story){
		"told":    func(s *story) { s.must(s.Elsewhere(s.t.Context())) },
		"pressed": func(s *story) { s.press(Elsewhere) },
	}
	for name, lose := range lost {
		for _, at := range []State{Starting, Waiting, Number} {
			t.Run(name+" "+string(at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newFakeDirectory()
					d.origins, d.number = annsOrigins, "47"
					held := make(chan struct{})
					if at == Starting {
						var once bool
						d.point = func(call string) {
							if call == "signin" && !once {
								once = true
								<-held
							}
						}
					}
					if at == Number {
						close(d.approved)
					}
					s := beginHere(t, d)
					defer s.end()
					noCode(t, s.shows(at, ""))
					if at == Number {
						d.approved = make(chan struct{})
					}
					lose(s)
					close(held)
					waiting := s.shows(Waiting, "")
					if waiting.UserCode != "BCDF-GHJK" || waiting.QR == "" || waiting.Here || waiting.Page != "" || waiting.Origins != nil || waiting.offers(Elsewhere) {
						t.Errorf("%+v", waiting)
					}
					if at == Starting { // nobody has the first one's code
						d.saw(t, []bool{true, false})
					} else {
						d.saw(t, []bool{true, false}, "same device code")
					}
					s.must(s.Elsewhere(t.Context())) // told twice
					d.mu.Lock()
					approved := d.approved
					d.mu.Unlock()
					close(approved)
					s.shows(Number, "")
				})
			})
		}
	}
}

// Where no page is shown here, losing one means nothing.
func TestNoPagesToLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		at := func(state State) {
			t.Helper()
			before := s.shows(state, "")
			s.must(s.Elsewhere(t.Context()))
			s.press(Elsewhere)
			if after := s.shows(state, ""); after.Serial != before.Serial {
				t.Errorf("%s: it shows %+v", state, after)
			}
		}
		at(Ready)
		s.press(Start)
		at(Waiting)
		close(d.approved)
		at(Password)
		d.saw(t, []bool{false})
	})
}

// A directory of an earlier version tells no origins; another one may tell what
// is none. The page is not shown, and the sign-in goes on.
func TestPagesThatCannotBeShown(t *testing.T) {
	for name, origins := range map[string][]string{
		"none": nil, "no origin": {"https://acme.example/"}, "of others": {"https://login.example"}, "of everybody": {"https://acme.example", "https://*"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				d.origins = origins
				s := beginHere(t, d)
				defer s.end()
				if waiting := s.shows(Waiting, ""); waiting.UserCode != "BCDF-GHJK" || waiting.Here {
					t.Errorf("%+v", waiting)
				}
				d.saw(t, []bool{true, false}, "same device code")
			})
		})
	}
}

// What fails or is cancelled leaves nothing of the page behind.
func TestPagesHereEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.origins = annsOrigins
		s := beginHere(t, d)
		defer s.end()
		s.shows(Waiting, "")
		s.press(Cancel)
		if ready := s.shows(Ready, ""); ready.Here || ready.Page != "" {
			t.Errorf("%+v", ready)
		}
		s.press(Start)
		if waiting := s.shows(Waiting, ""); waiting.Here {
			t.Errorf("%+v", waiting)
		}
		d.saw(t, []bool{true, false}, "same device code")
	})
}
