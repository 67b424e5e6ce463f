package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// Somebody who had an account here comes back, with another password. It is
// changed by the old one, or stays: whatever happens, it is never set.
func TestComesBackToTheirAccount(t *testing.T) {
	const anothers = "a new battery"
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		s.hasBeen()
		s.store.Fault = func(step accounts.Step) error {
			if step.Call == "password" || step.Call == "reset" {
				t.Errorf("the password is set: %+v", step)
			}
			return nil
		}
		d.pin = api.PINRequired
		s.press(Start)
		close(d.approved)
		s.shows(Password, "")
		s.press(Submit, FieldPassword, anothers, FieldAgain, anothers)
		s.shows(PIN, "")
		s.press(Submit, FieldPIN, "482915", FieldPINAgain, "482915")
		if asked := s.shows(Password, api.CodePasswordOld); len(asked.Fields) != 1 || asked.Fields[0].Name != FieldOld {
			t.Errorf("%+v", asked)
		}
		if found, err := s.store.Find(t.Context(), "ann"); err != nil || !found.Disabled || s.Accounts.Interrupted() {
			t.Errorf("%+v, %v", found, err)
		}
		s.press(Submit)
		s.shows(Password, api.CodePasswordOld)
		s.press(Submit, FieldOld, "a wrong one")
		s.shows(Password, api.CodePasswordOld)
		s.press(Submit, FieldOld, annsPassword)
		if done := s.shows(Done, ""); done.Account != "ann" || !done.CanLogon {
			t.Errorf("%+v", done)
		}
		if !s.store.CheckPassword("ann", anothers) || len(d.bound) != 1 {
			t.Error("the new password does not work")
		}
		if kept := s.pins.of("ann"); kept == nil || kept.password != anothers {
			t.Errorf("the PIN that was chosen before keeps %+v", kept)
		}
	})
}

// hasBeen leaves an account that ann used and that was closed.
func (s *story) hasBeen() {
	s.t.Helper()
	if _, err := s.Accounts.Make(s.t.Context(), s.d, s.d.order()); err != nil {
		s.t.Fatal(err)
	}
	s.d.bound = nil
	s.Accounts.Follow(s.t.Context(), &api.CheckInResponse{Version: 1, Users: []api.Binding{{User: s.d.person, State: api.Unbound}}})
}

// unchanging is the store of a system that cannot tell whose password is right.
type unchanging struct{ accounts.Store }

func TestAccountKeepsItsPassword(t *testing.T) {
	refuses := func(call string) func(accounts.Step) error {
		return func(s accounts.Step) error {
			if s.Call == call && !s.Done {
				return errors.Join(accounts.ErrPassword)
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		store func(*accounts.InMemory) accounts.Store
		old   string
		want  string // the password that works, as far as it is known
	}{
		"the system refuses the new one": {func(m *accounts.InMemory) accounts.Store { m.Fault = refuses("change"); return m }, annsPassword, annsPassword},
		"the system cannot tell":         {func(m *accounts.InMemory) accounts.Store { return unchanging{m} }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			store, d := accounts.Memory(api.Windows), newFakeDirectory()
			a := newAccounts(t, store, t.TempDir())
			if _, err := a.Make(t.Context(), d, d.order()); err != nil {
				t.Fatal(err)
			}
			d.bound = nil
			a.Store = test.store(store)
			again := d.order()
			again.password, again.old = "a new battery", test.old
			made, err := a.Make(t.Context(), d, again)
			if err != nil || *made != (access{"ann", test.want}) || !store.CheckPassword("ann", annsPassword) {
				t.Errorf("%+v, %v", made, err)
			}
			f := flow{state: Creating, password: again.password}
			f.step(created{access: *made, typed: true})
			if f.state != Done || !f.keeps || f.password != test.want {
				t.Errorf("%+v", f)
			}
		})
	}
}

// An account that is locked says nothing of its password.
func TestLockedAccountIsLeftAlone(t *testing.T) {
	store, d := accounts.Memory(api.Windows), newFakeDirectory()
	a := newAccounts(t, store, t.TempDir())
	if _, err := a.Make(t.Context(), d, d.order()); err != nil {
		t.Fatal(err)
	}
	d.bound = nil
	a.Store = lockedStore{store}
	if _, err := a.Make(t.Context(), d, d.order()); !errors.Is(err, api.CodeAccountLocked) || a.Interrupted() || len(d.bound) > 0 {
		t.Errorf("%v", err)
	}
}

type lockedStore struct{ *accounts.InMemory }

func (lockedStore) PasswordWorks(context.Context, string, []byte) (bool, error) {
	return false, accounts.ErrLocked
}

// What a system refuses has a code of its own, which tells people what to do.
func TestRefusalsHaveCodes(t *testing.T) {
	for _, r := range refusals {
		err := refusal(fmt.Errorf("making account ann: %w: because (NERR_Something, 2)", r.is))
		p := api.Explain(r.code)
		if !errors.Is(err, r.code) || !strings.Contains(err.Error(), "NERR_Something") || p.IT == "" || p.Remedy == "" || p.IT == api.Explain(api.CodeInternal).IT {
			t.Errorf("%v: %v, %+v", r.is, err, p)
		}
	}
	if err := refusal(errors.New("another")); !errors.Is(err, api.CodeAccount) {
		t.Error(err)
	}
}
