package signin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// Two sessions of a Mac, whose login windows are there at once.
const (
	anns = "100004"
	bobs = "100017"
)

// in gives what a session is shown when the machine has nothing to do.
func (s *story) in(session string, state State) Screen {
	s.t.Helper()
	synctest.Wait()
	screen, err := s.NextIn(s.t.Context(), session, 0)
	s.must(err)
	if screen.State != state {
		s.t.Fatalf("session %q is shown %+v, want %s", session, screen, state)
	}
	return screen
}

func (s *story) pressIn(session string, serial int64, name ActionName, fields map[string]string) error {
	return s.Act(s.t.Context(), Action{Name: name, Serial: serial, Session: session, Fields: fields})
}

// What Ann does from the first click to her account is shown in her session; in
// Bob's nothing changes but what is offered.
func TestSessionsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.number = "47"
		s := begin(t, d)
		defer s.end()
		ready := s.in(bobs, Ready)
		apart := func() {
			t.Helper()
			if diff := cmp.Diff(ready, s.in(bobs, Ready)); diff != "" {
				t.Errorf("Bob is shown something else (-before +now):\n%s", diff)
			}
		}
		s.must(s.pressIn(anns, ready.Serial, Start, nil))
		waiting := s.in(anns, Waiting)
		apart()
		if waiting.UserCode == "" || waiting.Serial == ready.Serial {
			t.Errorf("Ann is shown %+v", waiting)
		}
		close(d.approved)
		number := s.in(anns, Number)
		apart()
		// What Bob's window sends of Ann's screens, or late, does nothing.
		for _, name := range []ActionName{Submit, Cancel, Elsewhere} {
			if err := s.pressIn(bobs, number.Serial, name, map[string]string{FieldNumber: "47"}); !errors.Is(err, ErrStale) {
				t.Errorf("Bob's %s of Ann's screen: %v", name, err)
			}
			s.must(s.pressIn(bobs, 0, name, map[string]string{FieldNumber: "47"}))
		}
		s.must(s.pressIn(anns, number.Serial, Submit, map[string]string{FieldNumber: "47"}))
		s.in(anns, Password)
		apart()
		s.must(s.pressIn(anns, 0, Submit, map[string]string{FieldPassword: annsPassword, FieldAgain: annsPassword}))
		done := s.in(anns, Done)
		if hidden := s.in(bobs, Hidden); hidden.Account != "" || hidden.CanLogon || hidden.Why != api.CodeSlotTaken || hidden.Title != "" || hidden.Message != "" {
			t.Errorf("Bob is shown %+v", hidden)
		}
		s.must(s.pressIn(bobs, 0, Close, nil))
		s.must(s.pressIn(bobs, 0, Start, nil))
		if after := s.in(anns, Done); after.Serial != done.Serial {
			t.Errorf("Bob has closed Ann's screen: %+v", after)
		}
		s.must(s.pressIn(anns, done.Serial, Close, nil))
		s.in(anns, Hidden)
	})
}

// Who begins in another session ends what was left there, here and at the
// directory; a late click there hits nobody.
func TestAnotherSessionTakesOver(t *testing.T) {
	for name, leave := range map[string]func(*story, *fakeDirectory){
		"at the code":     func(*story, *fakeDirectory) {},
		"at the password": func(s *story, d *fakeDirectory) { close(d.approved); s.in(anns, Password) },
		"where it failed": func(s *story, d *fakeDirectory) {
			d.fail(api.Refuse(api.CodeAccessDenied, ""))
			close(d.approved)
			s.in(anns, Failed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				s := begin(t, d)
				defer s.end()
				s.must(s.pressIn(anns, 0, Start, nil))
				s.in(anns, Waiting)
				leave(s, d)
				left := s.in(anns, s.Screen().State)
				d.fail(nil)
				d.approved = make(chan struct{}) // Bob has not signed in yet
				s.must(s.pressIn(bobs, s.in(bobs, Ready).Serial, Start, nil))
				s.in(bobs, Waiting)
				s.in(anns, Ready)
				if err := s.pressIn(anns, left.Serial, Cancel, nil); !errors.Is(err, ErrStale) {
					t.Errorf("Ann's late click: %v", err)
				}
				s.in(bobs, Waiting)
				d.mu.Lock()
				defer d.mu.Unlock()
				if left.State != Failed && !slices.Contains(d.ended, "device code") { // what failed was over
					t.Errorf("the directory was not told, but of %q", d.ended)
				}
			})
		})
	}
}

// Who waits for news in another session is not woken by what is not theirs, and
// is when it becomes theirs.
func TestSessionsWaitForTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		ready := s.in(bobs, Ready)
		ctx, cancel := context.WithCancel(t.Context())
		woken := make(chan Screen, 1)
		go func() {
			if screen, err := s.NextIn(ctx, bobs, ready.Serial); err == nil {
				woken <- screen
			}
			close(woken)
		}()
		s.must(s.pressIn(anns, 0, Start, nil))
		s.in(anns, Waiting)
		select {
		case screen := <-woken:
			t.Errorf("Bob is told %+v", screen)
		default:
		}
		s.must(s.pressIn(bobs, 0, Start, nil))
		if screen := <-woken; screen.State != Starting && screen.State != Waiting {
			t.Errorf("Bob is told %+v", screen)
		}
		cancel()
	})
}

// Surfaces that name no session have one together, and the service's own windows
// see what is shown in any.
func TestSurfacesWithoutASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		s.must(s.pressIn("", 0, Start, nil))
		s.in("", Waiting)
		s.in(AnySession, Waiting)
		s.in(anns, Ready)
		s.must(s.pressIn(AnySession, 0, Cancel, nil))
		s.in("", Ready)
		s.must(s.pressIn(anns, 0, Start, nil))
		s.in("", Ready)
		s.in(AnySession, Waiting)
		s.must(s.pressIn(AnySession, 0, Cancel, nil))
		s.in(anns, Ready)
	})
}

// What a restart interrupted belongs to no session: whoever is there learns that
// the account is made.
func TestInterruptedSignInIsEverybodys(t *testing.T) {
	f := flow{state: Creating}
	f.step(resumed{account: "ann"})
	for _, session := range []string{"", anns, bobs} {
		if s := f.screenFor(session); s.State != Done || s.Account != "ann" {
			t.Errorf("session %q is shown %+v", session, s)
		}
	}
	f.step(pressed{Action{Name: Close, Session: bobs}})
	if s := f.screenFor(anns); s.State != Hidden {
		t.Errorf("closed by one, the other is shown %+v", s)
	}
}
