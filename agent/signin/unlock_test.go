package signin

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

// fakePINs keeps PINs as the real store does, without a TPM: the real one's tests
// are beside it, and those of both together in agent.
type fakePINs struct {
	mu    sync.Mutex
	kept  map[string]*keptPIN // by account id
	ready error
	fails error // of Unlock
	set   error
	slow  time.Duration
}

type keptPIN struct {
	user             pin.User
	digits, password string
	tries            int
}

func newFakePINs() *fakePINs { return &fakePINs{kept: make(map[string]*keptPIN)} }

func (p *fakePINs) Ready() error {
	time.Sleep(p.slow)
	return p.ready
}

func (p *fakePINs) Set(_ context.Context, u pin.User, password, digits []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set == nil {
		p.kept[u.ID] = &keptPIN{user: u, digits: string(digits), password: string(password)}
	}
	return p.set
}

func (p *fakePINs) Unlock(ctx context.Context, u pin.User, digits []byte) ([]byte, error) {
	p.mu.Lock()
	k := p.kept[u.ID]
	p.mu.Unlock() // nobody but the test waits below
	switch {
	case p.fails != nil:
		return nil, p.fails
	case k == nil:
		return nil, pin.ErrNone
	case k.tries == pin.Tries:
		return nil, pin.ErrSpent
	}
	select {
	case <-time.After(time.Duration(k.tries) * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if k.digits != string(digits) {
		k.tries++
		return nil, &pin.WrongError{Left: pin.Tries - k.tries}
	}
	k.tries = 0
	return []byte(k.password), nil
}

func (p *fakePINs) Forget(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, id)
	return nil
}

func (p *fakePINs) Users() (users []pin.User, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kept {
		users = append(users, k.user)
	}
	slices.SortFunc(users, func(a, b pin.User) int { return strings.Compare(a.Name, b.Name) })
	return users, nil
}

// of gives what is kept of an account, nil if nothing is.
func (p *fakePINs) of(account string) *keptPIN {
	for _, k := range p.kept {
		if k.user.Name == account {
			return k
		}
	}
	return nil
}

const annsPIN = "482915"

// returned is a device on which ann has her account and a PIN, and nobody else may
// have one.
func returned(t *testing.T, d *fakeDirectory) *story {
	t.Helper()
	d.pin = api.PINRequired
	s := begin(t, d)
	s.firstDay(annsPIN)
	s.hears(func(r *api.CheckInResponse) { r.Free = false })
	s.press(Close)
	s.shows(Unlock, "")
	s.logons = nil
	return s
}

// firstDay goes to the end of a first day, with a PIN or without one.
func (s *story) firstDay(digits string) {
	s.t.Helper()
	s.press(Start)
	close(s.d.approved)
	s.shows(Password, "")
	s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
	if digits != "" {
		s.shows(PIN, "")
		s.press(Submit, FieldPIN, digits, FieldPINAgain, digits)
		s.shows(Done, "")
	}
}

// signedInAs tells who was let in, once, and closes the screen.
func (s *story) signedInAs(want string) {
	s.t.Helper()
	synctest.Wait()
	if got := strings.Join(s.logons, ", "); got != want {
		s.t.Fatalf("let in: %q, not %q", got, want)
	}
	s.logons = nil
	if want != "" {
		s.shows(Done, "")
		s.press(Close)
		synctest.Wait()
	}
}

// changePassword is what Windows does on Ctrl+Alt+Del.
func (s *story) changePassword(old, password string) {
	s.t.Helper()
	s.must(s.store.ChangePassword(s.t.Context(), "ann", []byte(old), []byte(password)))
}

func TestPINOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		shown := s.shows(Unlock, "")
		if shown.Title != "Sign in to ann" || len(shown.Fields) != 1 || len(shown.Actions) != 1 || !shown.Ends.IsZero() {
			t.Errorf("%+v", shown)
		}
		s.press(Submit, FieldPIN, annsPIN)
		if done := s.shows(Done, ""); done.Title != "Welcome back" || done.Account != "ann" {
			t.Errorf("%+v", done)
		}
		s.signedInAs("ann " + annsPassword)
		s.shows(Unlock, "")

		// The switch is for those who have no account yet, and a network is not needed.
		s.must(s.Reached(t.Context(), false))
		s.hears(func(r *api.CheckInResponse) { r.Free, r.Settings.SSAP = false, false })
		s.press(Submit, FieldPIN, annsPIN)
		s.signedInAs("ann " + annsPassword)
		s.hears(func(r *api.CheckInResponse) { r.Free, r.Settings.PIN = false, api.PINOff })
		s.shows(Hidden, "")
		s.press(Submit, FieldPIN, annsPIN)
		s.signedInAs("")
		s.hears(func(r *api.CheckInResponse) { r.Free, r.Settings.PIN = false, api.PINOffered })
		s.shows(Unlock, "")
		s.must(s.Withdraw(t.Context(), api.CodeDeviceRemoved))
		s.shows(Hidden, "")
	})
}

// Beside what is offered to others there is a second button, and what somebody
// types is not taken from them by what the directory says.
func TestPINBesideTheFirstSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		s.hears(func(*api.CheckInResponse) {})
		if ready := s.shows(Ready, ""); !ready.offers(WithPIN) {
			t.Errorf("%+v", ready)
		}
		s.press(WithPIN)
		if asked := s.shows(Unlock, ""); time.Until(asked.Ends) != unlockLife || !asked.offers(Cancel) {
			t.Errorf("%+v", asked)
		}
		s.hears(func(*api.CheckInResponse) {})
		s.shows(Unlock, "")
		s.press(Submit, FieldPIN, annsPIN)
		s.signedInAs("ann " + annsPassword)
		s.shows(Ready, "")
		s.press(WithPIN)
		s.press(Cancel)
		s.shows(Ready, "")
		s.press(WithPIN)
		time.Sleep(unlockLife)
		s.shows(Ready, "")
	})
}

func TestWrongPINsAndThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		for n := 1; n < pin.Tries; n++ {
			s.press(Submit, FieldPIN, "907348")
			if n > 1 {
				s.shows(Opening, "") // for the wait
				time.Sleep(time.Duration(n-1) * time.Second)
			}
			shown := s.shows(Unlock, api.CodePINWrong)
			if left := pin.Tries - n; left == 1 && !strings.HasSuffix(shown.Message, "One try is left.") || left == 3 && !strings.HasSuffix(shown.Message, "3 tries are left.") {
				t.Errorf("with %d left: %s", left, shown.Message)
			}
		}
		s.press(Submit, FieldPIN, "907348")
		time.Sleep(5 * time.Second)
		if shown := s.shows(Renew, api.CodePINSpent); len(shown.Fields) != 3 {
			t.Errorf("%+v", shown)
		}
		time.Sleep(unlockLife)
		s.shows(Unlock, "")
		s.press(Submit, FieldPIN, annsPIN) // the right one is not tried either
		s.shows(Renew, api.CodePINSpent)
		s.press(Submit, FieldPassword, annsPassword, FieldPIN, "112233", FieldPINAgain, "112233")
		if shown := s.shows(Renew, api.CodePIN); !strings.Contains(shown.Message, string(pin.ErrPattern)) {
			t.Errorf("%+v", shown)
		}
		s.press(Submit, FieldPassword, annsPassword, FieldPIN, "907348", FieldPINAgain, "907349")
		s.shows(Renew, api.CodePINsDiffer)
		s.press(Submit, FieldPassword, "wrong", FieldPIN, "907348", FieldPINAgain, "907348")
		s.shows(Renew, api.CodeCredentials)
		s.signedInAs("")
		s.press(Submit, FieldPassword, annsPassword, FieldPIN, "907348", FieldPINAgain, "907348")
		s.signedInAs("ann " + annsPassword)
		s.press(Submit, FieldPIN, "907348")
		s.signedInAs("ann " + annsPassword)
	})
}

// Who gives up while they wait is not signed in.
func TestCancelWhileAPINIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		s.press(Submit, FieldPIN, "907348")
		s.shows(Unlock, api.CodePINWrong)
		s.press(Submit, FieldPIN, annsPIN)
		s.shows(Opening, "")
		s.press(Cancel)
		time.Sleep(time.Minute)
		s.shows(Unlock, "")
		s.signedInAs("")
	})
}

// The password was changed in Windows: the right PIN asks for it once.
func TestPINAfterThePasswordWasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		s.changePassword(annsPassword, "changed in Windows")
		s.press(Submit, FieldPIN, "907348")
		s.shows(Unlock, api.CodePINWrong) // no word of the password
		s.press(Submit, FieldPIN, annsPIN)
		time.Sleep(time.Second)
		if shown := s.shows(Renew, api.CodePINStale); len(shown.Fields) != 1 || shown.Fields[0].Name != FieldPassword {
			t.Errorf("%+v", shown)
		}
		s.press(Submit, FieldPassword, annsPassword)
		if shown := s.shows(Renew, api.CodeCredentials); len(shown.Fields) != 1 {
			t.Errorf("%+v", shown)
		}
		s.press(Submit, FieldPassword, "changed in Windows")
		s.signedInAs("ann changed in Windows")
		s.press(Submit, FieldPIN, annsPIN)
		s.signedInAs("ann changed in Windows")

		// Somebody who leaves it there leaves no right PIN behind.
		s.changePassword("changed in Windows", "changed again")
		s.press(Submit, FieldPIN, annsPIN)
		s.shows(Renew, api.CodePINStale)
		time.Sleep(unlockLife)
		s.shows(Unlock, "")
		s.pins.of("ann").tries = pin.Tries
		s.press(Submit, FieldPIN, annsPIN)
		if shown := s.shows(Renew, api.CodePINSpent); len(shown.Fields) != 3 {
			t.Errorf("%+v", shown)
		}
	})
}

func TestPINThatCannotBeTried(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		state State
		code  api.Code
	}{
		"locked by others": {devicekey.ErrLockedOut, Unlock, api.CodePINLocked},
		"no TPM":           {devicekey.ErrNoTPM, Unlock, api.CodePINUnavailable},
		"not counted":      {pin.ErrUncounted, Unlock, api.CodePINUnavailable},
		"lost":             {pin.ErrLost, Renew, api.CodePINLost},
		"gone":             {pin.ErrNone, Renew, api.CodePINLost},
		"no answer":        {devicekey.ErrUnanswered, Unlock, api.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := returned(t, newFakeDirectory())
				defer s.end()
				s.pins.fails = test.err
				s.press(Submit, FieldPIN, annsPIN)
				s.shows(test.state, test.code)
				s.signedInAs("")
				if test.state == Renew { // signs in even where no PIN can be kept
					s.pins.set = errors.New("the TPM is broken")
					s.press(Submit, FieldPassword, annsPassword, FieldPIN, annsPIN, FieldPINAgain, annsPIN)
					s.signedInAs("ann " + annsPassword)
				}
			})
		})
	}
}

func TestPINOfAnAccountThatIsNotTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		s.must(s.store.Disable(t.Context(), "ann"))
		s.press(Submit, FieldPIN, annsPIN)
		s.shows(Failed, api.CodeUserDisabled)
		s.press(Close)
		s.shows(Unlock, "")
		s.must(s.store.Enable(t.Context(), "ann"))
		other := s.pins.of("ann")
		s.must(s.pins.Forget(t.Context(), other.user.ID))
		other.user.ID = "of another ann"
		s.pins.kept[other.user.ID] = other
		s.press(Submit, FieldPIN, annsPIN)
		s.shows(Failed, api.CodePINLost)
		s.press(Close)
		s.shows(Hidden, "")
		s.signedInAs("")
	})
}

// Whose account is closed has no PIN any more; the PINs of others stay.
func TestClosedAccountLosesItsPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		s.must(s.store.Add(accounts.Account{Name: "ben"}, "of ben"))
		ben, err := s.store.Find(t.Context(), "ben")
		s.must(err)
		s.must(s.pins.Set(t.Context(), pin.User{Name: "ben", ID: ben.ID}, []byte("of ben"), []byte("907348")))
		s.press(Submit, FieldPIN, "") // nothing was typed, but who is here is looked at
		if shown := s.shows(Unlock, ""); len(shown.Fields) != 2 || shown.Fields[0].Name != FieldAccount {
			t.Errorf("%+v", shown)
		}
		s.press(Submit, FieldAccount, "cem", FieldPIN, annsPIN)
		s.shows(Unlock, api.CodePINWrong)
		s.press(Submit, FieldAccount, " Ben", FieldPIN, "907348")
		s.signedInAs("ben of ben")
		if problems := s.Accounts.Follow(t.Context(), &api.CheckInResponse{Version: 9, Users: []api.Binding{{User: s.d.person, State: api.Unbound}}}); len(problems) > 0 {
			t.Error(problems)
		}
		s.hears(func(r *api.CheckInResponse) { r.Free = false })
		if shown := s.shows(Unlock, ""); shown.Title != "Sign in to ben" {
			t.Errorf("%+v", shown)
		}
	})
}

// A PIN is no condition for an account: whatever is wrong with the TPM, the person
// gets in, and reads why there is none.
func TestDeviceThatCannotKeepPINs(t *testing.T) {
	for name, prepare := range map[string]func(*story){
		"no TPM":   func(s *story) { s.pins.ready = devicekey.ErrNoTPM },
		"slow TPM": func(s *story) { s.pins.slow = time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				d.pin = api.PINRequired
				s := begin(t, d)
				defer synctest.Wait()
				defer s.end()
				prepare(s)
				s.press(Start)
				close(d.approved)
				time.Sleep(readyWait)
				s.shows(Password, "")
				s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
				if done := s.shows(Done, api.CodePINUnavailable); !strings.Contains(done.Message, "ann is ready. This device cannot keep a PIN.") {
					t.Errorf("%+v", done)
				}
				s.press(Close)
				s.shows(Hidden, "")
				time.Sleep(time.Hour)
			})
		})
	}
	t.Run("breaks meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newFakeDirectory()
			d.pin = api.PINRequired
			s := begin(t, d)
			defer s.end()
			s.pins.set = devicekey.ErrNoTPM
			s.press(Start)
			close(d.approved)
			s.shows(Password, "")
			s.press(Submit, FieldPassword, annsPassword, FieldAgain, annsPassword)
			s.press(Submit, FieldPIN, annsPIN, FieldPINAgain, annsPIN)
			s.shows(Done, api.CodePINUnavailable)
		})
	})
}

func TestPINPolicy(t *testing.T) {
	for policy, test := range map[api.PINPolicy]struct{ asked, skip bool }{
		api.PINOff: {false, false}, api.PINOffered: {true, true}, api.PINRequired: {true, false}, "of a later build": {false, false},
	} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newFakeDirectory()
				d.pin = policy
				s := begin(t, d)
				defer s.end()
				s.firstDay("")
				if !test.asked {
					s.shows(Done, "")
					return
				}
				shown := s.shows(PIN, "")
				if shown.offers(Skip) != test.skip || !strings.Contains(shown.Message, pin.Rules) {
					t.Errorf("%+v", shown)
				}
				s.press(Skip)
				if !test.skip {
					s.shows(PIN, "")
					return
				}
				s.shows(Done, "")
				s.press(Close)
				s.shows(Hidden, "")
			})
		})
	}
}

// Where no surface signs people in, nobody is asked for a PIN that would be of no
// use.
func TestNoPINsWhereNobodyIsAdmitted(t *testing.T) {
	for name, change := range map[string]func(*Machine){
		"surface": func(m *Machine) { m.Pack = nil },
		"PINs":    func(m *Machine) { m.Accounts.PINs = nil },
		"check":   func(m *Machine) { m.Accounts.Store = struct{ accounts.Store }{m.Accounts.Store} },
	} {
		m := &Machine{Accounts: newAccounts(t, accounts.Memory(api.Windows), t.TempDir()), Pack: packPlainly}
		m.Accounts.PINs = newFakePINs()
		if f := m.begun(); !f.pins {
			t.Fatal("there are no PINs")
		}
		change(m)
		if f := m.begun(); f.pins {
			t.Errorf("there are PINs without %s", name)
		}
	}
}

// What is handed over is wiped when it was.
func TestPasswordIsWipedWhenItWasHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := returned(t, newFakeDirectory())
		defer s.end()
		var kept []byte
		s.Pack = func(_ string, password []byte) ([]byte, error) { kept = password; return nil, nil }
		s.press(Submit, FieldPIN, annsPIN)
		s.shows(Done, "")
		if len(kept) != len(annsPassword) || !bytes.Equal(kept, make([]byte, len(kept))) {
			t.Errorf("%q is left", kept)
		}
	})
}
