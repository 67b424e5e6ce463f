package signin

import (
	"context"
	"errors"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/securetoken"
	"firstday.dev/api"
)

// newMac gives the accounts of a Mac.
func newMac(t *testing.T, store accounts.Store) *Accounts {
	t.Helper()
	a := newAccounts(t, store, t.TempDir())
	a.Platform = api.MacOS
	return a
}

// The first token of a Mac is not spent on an account that the directory refuses.
func TestFirstTokenGoesToWhoIsBound(t *testing.T) {
	store, d := accounts.Memory(api.MacOS), newFakeDirectory()
	a := newMac(t, store)
	refused := d.order()
	refused.ticket = "another"
	if _, err := a.Make(t.Context(), d, refused); !errors.Is(err, api.CodeTicket) {
		t.Fatal(err)
	}
	if _, err := a.Make(t.Context(), d, d.order()); err != nil {
		t.Fatal(err)
	}
	states, err := store.TokenStates(t.Context(), []string{"ann"})
	if err != nil || len(states) != 1 || states[0].State != securetoken.Alone {
		t.Errorf("%v, %v", states, err)
	}
}

// Who cannot have one has an account all the same.
func TestAccountWithoutToken(t *testing.T) {
	store, d := accounts.Memory(api.MacOS), newFakeDirectory()
	store.Fault = failAt("token")
	made, err := newMac(t, store).Make(t.Context(), d, d.order())
	if err != nil || *made != (access{"ann", annsPassword}) || !store.CheckPassword("ann", annsPassword) {
		t.Errorf("%+v, %v", made, err)
	}
}

// opening is the store of a system that looks at passwords of open accounts only,
// and cannot close the account again.
type opening struct {
	*accounts.InMemory
	killed bool
}

func (o opening) PasswordWorks(ctx context.Context, name string, _ []byte) (bool, error) {
	if err := o.Enable(ctx, name); err != nil {
		return false, err
	}
	if o.killed {
		panic("killed")
	}
	o.Fault = failAt("disable")
	return false, errors.New("closing the account again")
}

// A closed account that was open only for a look at its password is closed again,
// whatever happens meanwhile.
func TestClosedAccountStaysClosed(t *testing.T) {
	for name, killed := range map[string]bool{"it was killed": true, "it failed": false} {
		t.Run(name, func(t *testing.T) {
			store, d := accounts.Memory(api.MacOS), newFakeDirectory()
			a := newMac(t, store)
			if _, err := a.Make(t.Context(), d, d.order()); err != nil {
				t.Fatal(err)
			}
			d.bound = nil
			a.Follow(t.Context(), &api.CheckInResponse{Version: 1, Users: []api.Binding{{User: d.person, State: api.Unbound}}})
			a.Store = opening{store, killed}
			func() {
				defer func() { _ = recover() }()
				if _, err := a.Make(t.Context(), d, d.order()); err == nil {
					t.Error("made")
				}
			}()
			if !store.CheckPassword("ann", annsPassword) {
				t.Fatal("it is closed already")
			}
			store.Fault = nil
			a = &Accounts{Store: store, Platform: a.Platform, Folder: a.Folder, Log: a.Log} // the next start
			if !a.Interrupted() {
				t.Error("nothing tells that there is something to be done")
			}
			a.Resume(t.Context(), d)
			if store.CheckPassword("ann", annsPassword) || a.Interrupted() {
				t.Error("the account is open")
			}
			if _, err := a.Make(t.Context(), d, d.order()); err != nil || !store.CheckPassword("ann", annsPassword) {
				t.Error(err)
			}
		})
	}
}
