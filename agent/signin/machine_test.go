package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

// story drives a machine as a surface does.
type story struct {
	*Machine
	t     *testing.T
	d     *fakeDirectory
	store *accounts.InMemory
	pins  *fakePINs
	end   func()

	logons []string // account and password
}

// begin runs a machine that the directory offers the sign-in to.
func begin(t *testing.T, d *fakeDirectory) *story {
	t.Helper()
	store := accounts.Memory(api.Windows)
	a := newAccounts(t, store, t.TempDir())
	pins := newFakePINs()
	a.PINs = pins
	s := &story{t: t, d: d, store: store, pins: pins, Machine: &Machine{Directory: d, Accounts: a, Log: slog.New(slog.DiscardHandler)}}
	s.Pack = func(account string, password []byte) ([]byte, error) {
		s.logons = append(s.logons, account+" "+string(password))
		return packPlainly(account, password)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	s.end = func() { cancel(); <-ended }
	s.hears(func(*api.CheckInResponse) {})
	s.must(s.Reached(t.Context(), true))
	return s
}

// packPlainly packs so that a test can read it.
func packPlainly(account string, password []byte) ([]byte, error) {
	return fmt.Appendf(nil, "%s %s", account, password), nil
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) hears(change func(*api.CheckInResponse)) {
	s.t.Helper()
	settings := api.DefaultSettings()
	r := &api.CheckInResponse{State: api.DeviceActive, Organisation: "Acme", Settings: settings.Windows, Free: true}
	change(r)
	s.must(s.Heard(s.t.Context(), r))
}

func (s *story) press(name ActionName, fields ...string) {
	s.t.Helper()
	typed := make(map[string]string)
	for i := 0; i < len(fields); i += 2 {
		typed[fields[i]] = fields[i+1]
	}
	s.must(s.Act(s.t.Context(), Action{Name: name, Fields: typed}))
}

// shows waits until the machine has nothing to do, and looks.
func (s *story) shows(state State, code api.Code) Screen {
	s.t.Helper()
	synctest.Wait()
	screen := s.Screen()
	if screen.State != state || screen.Code != code {
		s.t.Fatalf("it shows %+v, want %s %q", screen, state, code)
	}
	return screen
}

func TestFirstDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.number, d.pin = "47", api.PINRequired
		s := begin(t, d)
		defer s.end()
		ready := s.shows(Ready, "")
		if ready.Title != "Sign in with Acme" || !ready.Online {
			t.Errorf("%+v", ready)
		}
		s.press(Start)
		if waiting := s.shows(Waiting, ""); waiting.UserCode != "BCDF-GHJK" || waiting.QR == "" || waiting.Serial <= ready.Serial {
			t.Errorf("%+v", waiting)
		}
		s.press(Submit) // not offered here
		close(d.approved)
		s.shows(Number, "")
		s.press(Submit, FieldNumber, "11")
		s.shows(Number, api.CodeNumberWrong)
		s.press(Submit, FieldNumber, " 47 ")
		if password := s.shows(Password, ""); password.Title != "Welcome, Ann Example" || len(password.Fields) != 2 {
			t.Errorf("%+v", password)
		}
		s.press(Submit, FieldPassword, "short", FieldAgain, "short")
		s.shows(Password, api.CodeAccountPassword)
		s.press(Submit, FieldPassword, annsPassword, FieldAgain, "other")
		s.shows(Password, api.CodePasswordsDiffer)
		s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
		s.shows(PIN, "")
		s.press(Submit, FieldPIN, "123456", FieldPINAgain, "123456")
		s.shows(PIN, api.CodePIN)
		s.press(Submit, FieldPIN, "482915", FieldPINAgain, "482916")
		s.shows(PIN, api.CodePINsDiffer)
		s.press(Submit, FieldPIN, "482915", FieldPINAgain, "482915")
		if done := s.shows(Done, ""); done.Account != "ann" {
			t.Errorf("%+v", done)
		}
		if len(d.bound) != 1 || !s.store.CheckPassword("ann", annsPassword) {
			t.Error("nothing was made")
		}
		s.hears(func(r *api.CheckInResponse) { r.Free = false })
		s.shows(Done, "") // it stays until somebody has read it
		time.Sleep(doneLife)
		if s.shows(Unlock, ""); s.pins.of("ann") == nil {
			t.Errorf("the PIN was not kept: %+v", s.pins.kept)
		}
	})
}

// Whatever is shown, the switch hides it, and on again brings the button back.
func TestSwitchOffAtAnyMoment(t *testing.T) {
	steps := []func(*story){
		func(s *story) { s.shows(Ready, "") },
		func(s *story) { s.press(Start); s.shows(Waiting, "") },
		func(s *story) { s.press(Start); s.shows(Waiting, ""); close(s.d.approved); s.shows(Number, "") },
		func(s *story) {
			s.press(Start)
			close(s.d.approved)
			s.shows(Number, "")
			s.press(Submit, FieldNumber, "47")
			s.shows(Password, "")
		},
		func(s *story) {
			s.press(Start)
			close(s.d.approved)
			s.shows(Number, "")
			s.press(Submit, FieldNumber, "47")
			s.shows(Password, "")
			s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
			s.shows(PIN, "")
		},
	}
	for i, step := range steps {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				d.number, d.pin = "47", api.PINRequired
				s := begin(t, d)
				defer s.end()
				step(s)
				s.hears(func(r *api.CheckInResponse) { r.Settings.SSAP = false })
				s.shows(Hidden, "")
				if d.ticket != "" {
					t.Error("the slot is still claimed")
				}
				s.hears(func(*api.CheckInResponse) {})
				s.shows(Ready, "")
				list, err := s.store.List(t.Context())
				if err != nil || len(list) > 0 {
					t.Errorf("it leaves %+v, %v", list, err)
				}
			})
		})
	}
}

func TestCancelAndFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		s.press(Start)
		s.shows(Waiting, "")
		s.press(Cancel)
		s.shows(Ready, "")
		d.fail(fmt.Errorf("%w: no route", api.ErrUnreachable))
		s.press(Start)
		if failed := s.shows(Failed, api.CodeOffline); failed.Message == "" {
			t.Error("the employee is told nothing")
		}
		d.fail(nil)
		s.press(Retry)
		s.shows(Waiting, "")
		// A connection that breaks while it waits does not end it.
		d.fail(fmt.Errorf("%w: no route", api.ErrUnreachable))
		close(d.approved)
		s.shows(Waiting, "")
		d.fail(nil)
		time.Sleep(time.Minute)
		s.shows(Password, "")
		time.Sleep(10 * time.Minute) // nobody is there any more
		s.shows(Failed, api.CodeTicket)
		s.press(Close)
		s.shows(Ready, "")
		d.approved = make(chan struct{})
		s.press(Start)
		s.shows(Waiting, "")
		time.Sleep(10 * time.Minute)
		s.shows(Failed, api.CodeExpiredToken)
		s.hears(func(r *api.CheckInResponse) { r.Free = false })
		s.shows(Failed, api.CodeExpiredToken)
		s.press(Retry)
		s.shows(Hidden, "")
	})
}

// Whoever is asked for something has as long as the directory waits for it, and
// can see how long that is.
func TestEveryQuestionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.number, d.pin = "47", api.PINRequired
		s := begin(t, d)
		defer s.end()
		left := func(screen Screen) time.Duration { return time.Until(screen.Ends) }
		if ready := s.shows(Ready, ""); !ready.Ends.IsZero() {
			t.Errorf("the button goes in %v", left(ready))
		}
		s.press(Start)
		if got := left(s.shows(Waiting, "")); got != 10*time.Minute {
			t.Errorf("the code ends in %v", got)
		}
		time.Sleep(3 * time.Minute)
		close(d.approved)
		if got := left(s.shows(Number, "")); got != 7*time.Minute {
			t.Errorf("the number ends in %v", got)
		}
		time.Sleep(7 * time.Minute)
		s.shows(Failed, api.CodeExpiredToken)
		toPIN := func(after time.Duration) Screen {
			s.press(Retry)
			s.shows(Number, "")
			s.press(Submit, FieldNumber, "47")
			s.shows(Password, "")
			time.Sleep(after)
			s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
			return s.shows(PIN, "")
		}
		if got := left(toPIN(4 * time.Minute)); got != 6*time.Minute {
			t.Errorf("the PIN ends in %v", got)
		}
		time.Sleep(6 * time.Minute)
		s.shows(Failed, api.CodeTicket)
		toPIN(0)
		s.store.Refuse = func([]byte) string { return "no digits" }
		s.press(Submit, FieldPIN, "482915", FieldPINAgain, "482915")
		s.shows(Password, api.CodeAccountPassword)
		time.Sleep(10 * time.Minute)
		s.shows(Failed, api.CodeTicket)
	})
}

func TestActionsThatComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, newFakeDirectory())
		defer s.end()
		ready := s.shows(Ready, "")
		s.must(s.Act(t.Context(), Action{Name: Start, Serial: ready.Serial}))
		s.shows(Waiting, "")
		if err := s.Act(t.Context(), Action{Name: Cancel, Serial: ready.Serial}); !errors.Is(err, ErrStale) {
			t.Errorf("an action on another screen: %v", err)
		}
		waiting := s.shows(Waiting, "")
		s.must(s.Act(t.Context(), Action{Name: Cancel, Serial: waiting.Serial}))
		s.shows(Ready, "")
	})
}

func TestWhyNothingIsOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, newFakeDirectory())
		defer s.end()
		for want, change := range map[api.Code]func(*api.CheckInResponse){
			api.CodeDevicePending: func(r *api.CheckInResponse) { r.State = api.DevicePending },
			api.CodeDeviceRemoved: func(r *api.CheckInResponse) { r.State = api.DeviceRemoved },
			api.CodeSwitchedOff:   func(r *api.CheckInResponse) { r.Settings.SSAP = false },
			api.CodeSlotTaken:     func(r *api.CheckInResponse) { r.Free = false },
		} {
			s.hears(change)
			if hidden := s.shows(Hidden, ""); hidden.Why != want {
				t.Errorf("nothing is offered because of %q, not of %s", hidden.Why, want)
			}
		}
		s.must(s.Withdraw(t.Context(), api.CodeKeyExpired))
		if hidden := s.shows(Hidden, ""); hidden.Why != api.CodeKeyExpired {
			t.Errorf("nothing is offered because of %q", hidden.Why)
		}
	})
}

func TestTheDirectorysPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.password = api.VerifyPassword
		s := begin(t, d)
		defer s.end()
		s.press(Start)
		close(d.approved)
		if screen := s.shows(Password, ""); len(screen.Fields) != 1 {
			t.Errorf("%+v", screen)
		}
		s.press(Submit, FieldPassword, "wrong")
		s.shows(Password, api.CodeCredentials)
		s.store.Refuse = func([]byte) string { return "no digits" }
		s.press(Submit, FieldPassword, annsPassword)
		s.shows(Failed, api.CodeAccountPassword) // it is the only one that will do
	})
}

func TestThePolicyWantsAnotherPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		s.store.Refuse = func(p []byte) string {
			if string(p) != annsPassword+"1" {
				return "no digits"
			}
			return ""
		}
		s.press(Start)
		close(d.approved)
		s.shows(Password, "")
		s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
		s.shows(Password, api.CodeAccountPassword)
		s.press(Submit, FieldPassword, annsPassword+"1", FieldAgain, annsPassword+"1")
		s.shows(Done, "")
	})
}

func TestTheNameIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		if _, err := s.store.Create(t.Context(), accounts.New{Name: "Ann", Password: []byte("x"), Tag: "other"}); err != nil {
			t.Fatal(err)
		}
		s.press(Start)
		close(d.approved)
		failed := s.shows(Failed, api.CodeAccountExists)
		if failed.Message != "This account already exists on this device; please contact your admin." || d.ticket != "" {
			t.Errorf("%+v, ticket %q", failed, d.ticket.Reveal())
		}
	})
}

// A restart in the middle ends well without anybody pressing anything.
func TestMachineResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		s.press(Start)
		close(d.approved)
		s.shows(Password, "")
		d.fail(fmt.Errorf("%w: no route", api.ErrUnreachable))
		s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
		s.shows(Creating, "")
		s.end()
		if !s.Accounts.Interrupted() {
			t.Fatal("nothing was interrupted")
		}
		next := &Machine{Directory: d, Accounts: s.Accounts, Log: s.Log}
		ctx, cancel := context.WithCancel(t.Context())
		go next.Run(ctx)
		defer synctest.Wait()
		defer cancel()
		synctest.Wait()
		if shown := next.Screen(); shown.State != Creating {
			t.Errorf("%+v", shown)
		}
		d.fail(nil)
		time.Sleep(time.Minute)
		if shown := next.Screen(); shown.State != Done || shown.Account != "ann" {
			t.Errorf("%+v", shown)
		}
		consistent(t, "resumed", s.store, d)
	})
}

// Whatever a surface sends, in whatever state: nothing but what the screen
// offers has an effect, and no secret is shown.
func FuzzFlow(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte{0, 6, 7, 1, 8, 2, 9, 2, 10, 3, 11})
	f.Add([]byte("X00aY9a0")) // PINs are switched off while one is tried
	f.Fuzz(func(t *testing.T, script []byte) {
		fl := flow{state: Hidden, pins: true}
		fl.users = []pin.User{{Name: "ann", ID: "1"}}
		settings := api.DefaultSettings()
		open := offer{organisation: "Acme", settings: settings.Windows, open: true}
		refused := api.Refuse(api.CodeNumberRequired, "")
		token := &api.TokenResponse{Ticket: "secret ticket", Password: api.ChoosePassword, PIN: api.PINOffered}
		events := []event{
			heard{open}, heard{offer{settings: settings.Windows}}, heard{}, connection{true}, timeUp{},
			pressed{Action{Name: Start}},
			startedAs{&api.SignInResponse{DeviceCode: "secret code"}, nil}, signedIn{err: refused}, signedIn{answer: token}, signedIn{answer: token, noPIN: errNotReady},
			pressed{Action{Name: Submit, Fields: map[string]string{FieldNumber: "1", FieldPassword: "secret word", FieldAgain: "secret word", FieldPIN: "482915", FieldPINAgain: "482915"}}},
			confirmed{nil}, created{access{"ann", annsPassword}, true, nil, nil}, created{access{"ann", ""}, true, nil, pin.ErrLost}, created{err: errors.New("secret")}, created{err: api.CodePasswordOld}, pressed{Action{Name: Cancel}}, pressed{Action{Name: Retry}}, pressed{Action{Name: Close}}, resumed{""}, resumed{"ann"},
			pressed{Action{Name: WithPIN}}, pressed{Action{Name: Skip}}, opened{"secret word", nil}, opened{"", &pin.WrongError{Left: 3}}, opened{"", pin.ErrSpent}, opened{"", staleError{"482915"}}, opened{"", errNotThePassword}, opened{"", api.CodePINLost}, opened{"", errors.New("secret")},
		}
		for _, b := range script {
			e := events[int(b)%len(events)]
			if _, ok := e.(resumed); ok && fl.state != Hidden {
				continue // only at the start
			}
			before := fl.state
			offered := true
			if p, ok := e.(pressed); ok {
				offered = fl.screen().offers(p.Name)
			}
			effects := fl.step(e)
			if !offered && (fl.state != before || effects != nil) {
				t.Fatalf("%v was not offered in %s, and led to %s", e, before, fl.state)
			}
			for _, effect := range effects {
				switch effect.(type) {
				case makeIt:
					if fl.state != Creating {
						t.Fatalf("an account is made in %s", fl.state)
					}
				case tryPIN, renewPIN:
					if fl.state != Opening || !fl.allowed() {
						t.Fatalf("a PIN is tried in %s after %s", fl.state, before)
					}
				}
			}
			if text := fmt.Sprintf("%+v", fl.screen()); strings.Contains(text, "secret") || strings.Contains(text, "482915") {
				t.Fatal("a secret is shown: " + text)
			}
		}
	})
}
