package signin

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// errKill is what a kill panics with.
var errKill = errors.New("killed")

// until runs f until it is killed at the n-th point, and tells whether it was.
func until(n int, d *fakeDirectory, store *accounts.InMemory, f func()) (killed bool) {
	passed := 0
	point := func(string) {
		if passed++; passed == n {
			panic(errKill)
		}
	}
	d.point = point
	store.Fault = func(s accounts.Step) error { point(s.Call); return nil }
	defer func() {
		d.point, store.Fault = func(string) {}, nil
		if p := recover(); p != nil {
			if p != errKill { //nolint:errorlint // this very one
				panic(p)
			}
			killed = true
		}
	}()
	f()
	return false
}

// The agent is killed at each point of making an account, and once more at each
// point of what it does then: nobody gets half an account or two, and the slot
// is never lost.
func TestKilledAtEachPoint(t *testing.T) {
	kills := 0
	for first := 1; ; first++ {
		survived := false
		for second := 1; ; second++ {
			store, d := accounts.Memory(api.Windows), newFakeDirectory()
			a := newAccounts(t, store, t.TempDir())
			survived = !until(first, d, store, func() { _, _ = a.Make(t.Context(), d, d.order()) })
			again := newAccounts(t, store, a.Folder)
			done := !until(second, d, store, func() { again.Resume(t.Context(), d) })
			kills += 2
			last := newAccounts(t, store, a.Folder)
			ready := last.Resume(t.Context(), d)
			if last.Interrupted() {
				t.Fatalf("killed at %d and %d: it never ends", first, second)
			}
			consistent(t, fmt.Sprintf("killed at %d and %d, ready %q", first, second, ready), store, d)
			if len(d.bound) == 0 { // the employee starts again
				if _, err := last.Make(t.Context(), d, d.order()); err != nil {
					t.Fatalf("killed at %d and %d, then again: %v", first, second, err)
				}
			}
			consistent(t, fmt.Sprintf("killed at %d and %d, then again", first, second), store, d)
			found, err := store.Find(t.Context(), "ann")
			if err != nil || found.Disabled || !store.CheckPassword("ann", annsPassword) {
				t.Fatalf("killed at %d and %d: %+v, %v", first, second, found, err)
			}
			if done {
				break
			}
		}
		if survived {
			break
		}
	}
	if kills < 50 {
		t.Errorf("only %d kills", kills)
	}
	t.Logf("%d kills", kills)
}

// consistent makes sure that there is an account exactly if the user is bound.
func consistent(t *testing.T, when string, store *accounts.InMemory, d *fakeDirectory) {
	t.Helper()
	list, err := store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list = slices.DeleteFunc(list, func(a accounts.Account) bool { return a.Tag == "" })
	if len(list) != len(d.bound) {
		t.Fatalf("%s: accounts %+v, bound %v", when, list, d.bound)
	}
	for _, a := range list {
		if a.Disabled || a.Name != d.bound[0] {
			t.Fatalf("%s: %+v is bound as %v", when, a, d.bound)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*accounts.InMemory, *fakeDirectory, *order)
		want    api.Code
	}{
		"the name is taken": {func(s *accounts.InMemory, _ *fakeDirectory, _ *order) {
			if _, err := s.Create(t.Context(), accounts.New{Name: "ann", Password: []byte("x"), Tag: "other"}); err != nil {
				t.Error(err)
			}
		}, api.CodeAccountExists},
		"the policy": {func(s *accounts.InMemory, _ *fakeDirectory, _ *order) {
			s.Refuse = func([]byte) string { return "too short" }
		}, api.CodeAccountPassword},
		"no name":          {func(_ *accounts.InMemory, _ *fakeDirectory, o *order) { o.user.Email = "李@acme.example" }, api.CodeAccountName},
		"no template":      {func(_ *accounts.InMemory, _ *fakeDirectory, o *order) { o.template = "{x}" }, api.CodeAccountName},
		"a reserved name":  {func(_ *accounts.InMemory, _ *fakeDirectory, o *order) { o.user.Email = "administrator@acme.example" }, api.CodeAccountName},
		"another ticket":   {func(_ *accounts.InMemory, d *fakeDirectory, _ *order) { d.ticket = "" }, api.CodeTicket},
		"the system fails": {func(s *accounts.InMemory, _ *fakeDirectory, _ *order) { s.Fault = failAt("furnish") }, api.CodeAccount},
	} {
		t.Run(name, func(t *testing.T) {
			store, d := accounts.Memory(api.Windows), newFakeDirectory()
			o := d.order()
			test.prepare(store, d, &o)
			before, err := store.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a := newAccounts(t, store, t.TempDir())
			if _, err := a.Make(t.Context(), d, o); !errors.Is(err, test.want) {
				t.Errorf("%v", err)
			}
			store.Fault = nil
			after, err := store.List(t.Context())
			if err != nil || len(after) != len(before) || a.Interrupted() || len(d.bound) > 0 {
				t.Errorf("it leaves %+v, %v", after, err)
			}
		})
	}
}

func failAt(call string) func(accounts.Step) error {
	return func(s accounts.Step) error {
		if s.Call == call && !s.Done {
			return errors.New("the disk is full")
		}
		return nil
	}
}

// The directory is away just when the account is there: it waits, closed.
func TestMakeWaitsForTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d := accounts.Memory(api.MacOS), newFakeDirectory()
		a := newAccounts(t, store, t.TempDir())
		o := d.order()
		d.fail(fmt.Errorf("%w: no route", api.ErrUnreachable))
		made := make(chan error, 1)
		go func() {
			_, err := a.Make(t.Context(), d, o)
			made <- err
		}()
		time.Sleep(time.Hour)
		if found, err := store.Find(t.Context(), "ann"); err != nil || !found.Disabled {
			t.Errorf("%+v, %v", found, err)
		}
		if problems := a.Follow(t.Context(), &api.CheckInResponse{Version: 1, Users: []api.Binding{{User: d.person, State: api.Awaiting}}}); problems != nil {
			t.Error("what is being made was disturbed")
		}
		d.fail(nil)
		if err := <-made; err != nil {
			t.Error(err)
		}
		consistent(t, "at the end", store, d)
	})
}

// What the directory says while an account is being made is done as soon as that
// is: somebody else is unbound.
func TestNewsWaitsForAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, d := accounts.Memory(api.Linux), newFakeDirectory()
		a := newAccounts(t, store, t.TempDir())
		a.Platform = api.Linux
		former := d.order()
		former.user = api.Person{ID: uuid.New(), Name: "bob", Email: "bob@acme.example"}
		if _, err := a.Make(t.Context(), d, former); err != nil {
			t.Fatal(err)
		}
		d.bound = nil
		o := d.order()
		d.fail(fmt.Errorf("%w: no route", api.ErrUnreachable))
		made := make(chan error, 1)
		go func() {
			_, err := a.Make(t.Context(), d, o)
			made <- err
		}()
		synctest.Wait()
		a.Follow(t.Context(), &api.CheckInResponse{Version: 1, Users: []api.Binding{{User: former.user, State: api.Unbound}}})
		if found, err := store.Find(t.Context(), "bob"); err != nil || found.Disabled {
			t.Errorf("in between: %+v, %v", found, err)
		}
		d.fail(nil)
		if err := <-made; err != nil {
			t.Error(err)
		}
		if found, err := store.Find(t.Context(), "bob"); err != nil || !found.Disabled {
			t.Errorf("then: %+v, %v", found, err)
		}
	})
}

func TestFollow(t *testing.T) {
	store, d := accounts.Memory(api.Linux), newFakeDirectory()
	a := newAccounts(t, store, t.TempDir())
	a.Platform = api.Linux
	news := &api.CheckInResponse{Settings: api.PlatformSettings{Permission: api.Administrator}}
	follow := func(state api.BindingState, problems int) {
		t.Helper()
		news.Version++
		news.Users = []api.Binding{{User: d.person, State: state}}
		if p := a.Follow(t.Context(), news); len(p) != problems {
			t.Errorf("%s: problems %q", state, p)
		}
	}
	expect := func(disabled bool) {
		t.Helper()
		if found, err := store.Find(t.Context(), "ann"); err != nil || found.Disabled != disabled {
			t.Errorf("%+v, %v", found, err)
		}
	}
	follow(api.Unbound, 0) // of whom nothing is here
	if _, err := store.Create(t.Context(), accounts.New{Name: "ann", Password: []byte("password"), Tag: "other"}); err != nil {
		t.Fatal(err)
	}
	follow(api.Awaiting, 1) // never a takeover
	if err := store.Remove(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		follow(api.Awaiting, 0)
		expect(true)
	}
	if err := a.Check(t.Context(), d.person, ""); err != nil {
		t.Errorf("who is awaited is told: %v", err)
	}
	if made, err := a.Make(t.Context(), d, d.order()); err != nil || *made != (access{"ann", annsPassword}) {
		t.Errorf("%+v, %v", made, err)
	}
	expect(false)
	follow(api.Bound, 0)
	for range 2 {
		follow(api.Unbound, 0)
		expect(true)
	}
	d.bound = nil
	if _, err := a.Make(t.Context(), d, d.order()); err != nil { // the same person again
		t.Error(err)
	}
	expect(false)

	// A device that is offline hears again what was before she came back.
	for range 2 {
		if p := a.Follow(t.Context(), news); len(p) > 0 {
			t.Errorf("old news: %q", p)
		}
		expect(false)
	}
	again := newAccounts(t, store, a.Folder) // also after a restart
	again.Follow(t.Context(), news)
	expect(false)
	follow(api.Unbound, 0)
	expect(true)
	a.Follow(t.Context(), &api.CheckInResponse{Version: news.Version - 1, Users: []api.Binding{{User: d.person, State: api.Bound}}})
	expect(true) // as old news opens nothing
	follow(api.Bound, 0)
	expect(false)
	if names, err := a.Managed(); err != nil || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
}

func TestDamagedFiles(t *testing.T) {
	store, d := accounts.Memory(api.Windows), newFakeDirectory()
	a := newAccounts(t, store, t.TempDir())
	for _, content := range []string{"{", `{"schema":2}`, `{"schema":1,"stage":"other","name":"ann"}`, strings.Repeat(" ", 2<<20)} {
		if err := os.WriteFile(a.journalFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if a.Resume(t.Context(), d); a.Interrupted() {
			t.Errorf("%.20q stays in the way", content)
		}
	}
	if err := os.WriteFile(a.ledgerFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Make(t.Context(), d, d.order()); !errors.Is(err, api.CodeAccount) {
		t.Errorf("a damaged ledger: %v", err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"schema":1,"stage":"made","name":"ann","tag":"x"}`))
	f.Add([]byte(`{"schema":1,"stage":"making","name":"Administrator"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		store, d := accounts.Memory(api.Windows), newFakeDirectory()
		a := newAccounts(t, store, t.TempDir())
		if err := os.WriteFile(a.journalFile(), content, 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := store.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.Resume(t.Context(), d)
		if after, err := store.List(t.Context()); err != nil || len(after) != len(before) {
			t.Errorf("%+v, %v", after, err)
		}
	})
}
