package signin

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/api"
)

// finished is a sign-in whose account was made a moment ago.
func finished(t *testing.T) (s *story, done Screen) {
	t.Helper()
	d := newFakeDirectory()
	close(d.approved)
	s = begin(t, d)
	s.press(Start)
	password := s.shows(Password, "")
	if _, err := s.Logon(t.Context(), password.Serial, 0); !errors.Is(err, ErrNoLogon) {
		t.Errorf("before there is an account: %v", err)
	}
	s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
	done = s.shows(Done, "")
	if !done.CanLogon {
		t.Fatal("nobody can log on")
	}
	return s, done
}

func TestLogonIsGivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, done := finished(t)
		defer s.end()
		if _, err := s.Logon(t.Context(), done.Serial-1, 0); !errors.Is(err, ErrNoLogon) {
			t.Errorf("to who sees another screen: %v", err)
		}
		if packed, err := s.Logon(t.Context(), done.Serial, 0); err != nil || string(packed) != "ann "+annsPassword {
			t.Errorf("got %q, %v", packed, err)
		}
		after := s.shows(Done, "")
		if after.CanLogon || after.Serial == done.Serial {
			t.Errorf("after that: %+v", after)
		}
		if packed, err := s.Logon(t.Context(), after.Serial, 0); !errors.Is(err, ErrNoLogon) {
			t.Errorf("once more: %q, %v", packed, err)
		}
	})
}

// Who comes next does not read who was here.
func TestLoggedOnIsNotShownForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, done := finished(t)
		defer s.end()
		s.hears(func(r *api.CheckInResponse) { r.Free = false })
		if _, err := s.Logon(t.Context(), done.Serial, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(loggedOnLife - time.Second)
		s.shows(Done, "")
		time.Sleep(2 * time.Second)
		s.shows(Hidden, "")
	})
}

func TestLogonIsForgotten(t *testing.T) {
	for name, wait := range map[string]func(*story){
		"after a minute": func(*story) { time.Sleep(logonLife) },
		"when the screen is closed": func(s *story) {
			s.press(Close)
		},
		"when the agent ends": func(s *story) { s.end() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				close(d.approved)
				var kept []byte
				s := begin(t, d)
				defer s.end()
				s.press(Start)
				s.shows(Password, "")
				s.Pack = func(string, []byte) ([]byte, error) {
					kept = []byte(annsPassword)
					return kept, nil
				}
				s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
				s.shows(Done, "")
				if string(kept) != annsPassword {
					t.Fatal("nothing was packed")
				}
				wait(s)
				synctest.Wait()
				if string(kept) != string(make([]byte, len(annsPassword))) {
					t.Errorf("%q is still there", kept)
				}
				if s.Screen().CanLogon && name != "when the agent ends" {
					t.Errorf("it is still offered")
				}
			})
		})
	}
}

func TestWhatCannotBePackedIsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		close(d.approved)
		s := begin(t, d)
		defer s.end()
		s.press(Start)
		s.shows(Password, "")
		s.Pack = func(string, []byte) ([]byte, error) { return nil, errors.New("no") }
		s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
		done := s.shows(Done, api.Code(""))
		if done.CanLogon || done.Account != "ann" {
			t.Errorf("%+v", done)
		}
	})
}

// Who typed the password, and all that came after it, gets what to log on with,
// and nobody else, however often they ask or press.
func TestLogonIsForWhoTyped(t *testing.T) {
	const typist, other = 1, 2
	for name, c := range map[string]struct {
		before, after func(*story)
		want          int64
	}{
		"the typist": {want: typist},
		"somebody presses on what is not shown": {want: typist, after: func(s *story) {
			_ = s.Act(s.t.Context(), Action{Name: Submit, Surface: other, Fields: map[string]string{FieldPassword: "x"}})
		}},
		"somebody had typed nothing": {want: typist, before: func(s *story) {
			_ = s.Act(s.t.Context(), Action{Name: Submit, Surface: other, Fields: map[string]string{FieldPassword: ""}})
		}},
		"somebody had typed another": {want: typist, before: func(s *story) {
			_ = s.Act(s.t.Context(), Action{Name: Submit, Surface: other, Fields: map[string]string{FieldPassword: "pass word 2", FieldAgain: "differs"}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				close(d.approved)
				s := begin(t, d)
				defer s.end()
				s.press(Start)
				s.shows(Password, "")
				if c.before != nil {
					c.before(s)
				}
				typed := map[string]string{FieldPassword: annsPassword, FieldAgain: annsPassword}
				if err := s.Act(t.Context(), Action{Name: Submit, Fields: typed, Surface: typist}); err != nil {
					t.Fatal(err)
				}
				if c.after != nil {
					c.after(s)
				}
				done := s.shows(Done, "")
				for _, surface := range []int64{0, other, nobody} {
					if packed, err := s.Logon(t.Context(), done.Serial, surface); !errors.Is(err, ErrNoLogon) {
						t.Errorf("surface %d: %q, %v", surface, packed, err)
					}
				}
				if packed, err := s.Logon(t.Context(), done.Serial, c.want); err != nil || string(packed) != "ann "+annsPassword {
					t.Errorf("the typist: %q, %v", packed, err)
				}
			})
		})
	}
}
