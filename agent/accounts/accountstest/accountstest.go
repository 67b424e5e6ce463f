// Package accountstest has the tests that every [accounts.Store] passes.
package accountstest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// Subject is a store under test.
type Subject struct {
	Store    accounts.Store
	Platform api.Platform
	// Group is the name of a group that is there, System that of an account of
	// the system's own.
	Group, System string
	// CanSignIn tells, without the store's help, whether the password opens the
	// account now.
	CanSignIn func(t *testing.T, name, password string) bool
	// Home is where this process sees the home of an account, nil if there are
	// none.
	Home func(home string) string
}

// Run runs the tests, each on a store of its own that has no people yet.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, *Subject){
		"a new account is closed until it is enabled":    testCreate,
		"enabling and disabling can be said twice":       testEnableTwice,
		"a name is taken once":                           testTaken,
		"what the system cannot have is refused":         testRefused,
		"an account that is not there is not found":      testNotFound,
		"an unused account goes without a trace":         testRemove,
		"an account that was used stays":                 testRemoveUsed,
		"an account of somebody else stays":              testRemoveForeign,
		"administrators come and go":                     testAdministrator,
		"a new password ends the old one":                testPassword,
		"a new password opens no account":                testPasswordOfDisabled,
		"no password is set that a person uses":          testPasswordOfUsed,
		"a person's password changes by the old one":     testChangePassword,
		"a full name is text for people":                 testFullName,
		"accounts have different ids":                    testIDs,
		"a call whose context has ended changes nothing": testEnded,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			test(t, &s)
		})
	}
}

const (
	password = "correct horse: battery, staple é"
	second   = "another One 2"
)

func jane() accounts.New {
	return accounts.New{Name: "jane.doe", FullName: "Jane Døe", Password: []byte(password), Tag: "A1b2-C3"}
}

func (s *Subject) create(t *testing.T, n accounts.New) *accounts.Account {
	t.Helper()
	a, err := s.Store.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// find checks that the account is the one that is wanted, wherever one asks,
// and that the password opens it if it is enabled.
func (s *Subject) want(t *testing.T, want accounts.Account, password string) {
	t.Helper()
	got, err := s.Store.Find(t.Context(), want.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	people, err := s.Store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(people, func(a accounts.Account) bool { return a.Name == want.Name })
	if i < 0 {
		t.Fatalf("%s is not listed among %v", want.Name, people)
	}
	if diff := cmp.Diff(want, people[i]); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if can := s.CanSignIn(t, want.Name, password); can == want.Disabled {
		t.Errorf("can sign in: %v, disabled: %v", can, want.Disabled)
	}
	if s.CanSignIn(t, want.Name, password+"x") {
		t.Error("a wrong password opens the account")
	}
}

// is wants an error that wraps another.
func is(t *testing.T, err, want error, what string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func testCreate(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	want := accounts.Account{
		ID: a.ID, Name: "jane.doe", FullName: "Jane Døe", Disabled: true, Tag: "A1b2-C3", Unused: true,
		Home: a.Home,
	}
	if a.ID == "" || s.Home != nil && a.Home == "" {
		t.Errorf("made %+v", a)
	}
	s.want(t, want, password)
	ok(t, s.Store.Enable(t.Context(), a.Name))
	want.Disabled, want.Unused = false, false
	s.want(t, want, password)
	ok(t, s.Store.Disable(t.Context(), a.Name))
	want.Disabled = true
	s.want(t, want, password)
}

func testEnableTwice(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	a.Unused = false
	for range 2 {
		ok(t, s.Store.Enable(t.Context(), a.Name), s.Store.Enable(t.Context(), a.Name))
		a.Disabled = false
		s.want(t, *a, password)
		ok(t, s.Store.Disable(t.Context(), a.Name), s.Store.Disable(t.Context(), a.Name))
		a.Disabled = true
		s.want(t, *a, password)
	}
}

func testTaken(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	again := jane()
	again.Tag, again.Password, again.FullName, again.Administrator = "other", []byte(second), "Somebody Else", true
	names := []string{a.Name, strings.ToLower(s.Group)}
	if s.Platform == api.Windows {
		names = append(names, "Jane.DOE")
	}
	for _, name := range names {
		again.Name = name
		_, err := s.Store.Create(t.Context(), again)
		is(t, err, accounts.ErrExists, name)
		is(t, s.Store.CheckFree(t.Context(), name), accounts.ErrExists, name)
	}
	ok(t, s.Store.CheckFree(t.Context(), "somebody"))
	is(t, s.Store.CheckFree(t.Context(), "../somebody"), accounts.ErrName, "a path")
	s.want(t, *a, password)
	ok(t, s.Store.Enable(t.Context(), a.Name))
	if s.CanSignIn(t, a.Name, second) || !s.CanSignIn(t, a.Name, password) {
		t.Error("the other one's password came through")
	}
}

func testRefused(t *testing.T, s *Subject) {
	for what, c := range map[string]struct {
		change func(*accounts.New)
		want   error
	}{
		"no name":                      {func(n *accounts.New) { n.Name = "" }, accounts.ErrName},
		"an option for a name":         {func(n *accounts.New) { n.Name = "--root=/:" }, accounts.ErrName},
		"a path for a name":            {func(n *accounts.New) { n.Name = "../jane" }, accounts.ErrName},
		"two lines for a name":         {func(n *accounts.New) { n.Name = "jane\nroot" }, accounts.ErrName},
		"a name that is too long":      {func(n *accounts.New) { n.Name = strings.Repeat("a", 33) }, accounts.ErrName},
		"no password":                  {func(n *accounts.New) { n.Password = nil }, accounts.ErrPassword},
		"two lines for a password":     {func(n *accounts.New) { n.Password = []byte("a\nroot:b") }, accounts.ErrPassword},
		"a password that is too long":  {func(n *accounts.New) { n.Password = make([]byte, 5000) }, accounts.ErrPassword},
		"no tag":                       {func(n *accounts.New) { n.Tag = "" }, nil},
		"a tag that is two fields":     {func(n *accounts.New) { n.Tag = "a,b:c" }, nil},
		"a tag that is too long":       {func(n *accounts.New) { n.Tag = strings.Repeat("a", 65) }, nil},
		"a tag that looks like a mark": {func(n *accounts.New) { n.Tag = "a/unused" }, nil},
	} {
		n := jane()
		c.change(&n)
		_, err := s.Store.Create(t.Context(), n)
		if err == nil {
			t.Errorf("%s: taken", what)
		}
		if c.want != nil {
			is(t, err, c.want, what)
		}
	}
	if people, err := s.Store.List(t.Context()); err != nil || len(people) > 0 {
		t.Errorf("there are %v, %v", people, err)
	}
	n := jane()
	n.Tag = strings.Repeat("z", 64)
	if a := s.create(t, n); a.Tag != n.Tag {
		t.Errorf("tag %q", a.Tag)
	}
	is(t, s.Store.SetPassword(t.Context(), n.Name, nil), accounts.ErrPassword, "no new password")
}

func testNotFound(t *testing.T, s *Subject) {
	ctx, st := t.Context(), s.Store
	for _, name := range []string{"jane.doe", "", "--help", "jane\nroot", strings.Repeat("a", 5000)} {
		_, err := st.Find(ctx, name)
		is(t, err, accounts.ErrNotFound, "find")
		is(t, st.Enable(ctx, name), accounts.ErrNotFound, "enable")
		is(t, st.Disable(ctx, name), accounts.ErrNotFound, "disable")
		is(t, st.Remove(ctx, name), accounts.ErrNotFound, "remove")
		is(t, st.SetAdministrator(ctx, name, true), accounts.ErrNotFound, "administrator")
		is(t, st.SetPassword(ctx, name, []byte(password)), accounts.ErrNotFound, "password")
		is(t, st.ResetPassword(ctx, name, "id", []byte(password)), accounts.ErrNotFound, "reset")
		is(t, st.SetFullName(ctx, name, "Jane"), accounts.ErrNotFound, "full name")
	}
	if people, err := st.List(ctx); err != nil || len(people) > 0 {
		t.Errorf("there are %v, %v", people, err)
	}
}

func testRemove(t *testing.T, s *Subject) {
	n := jane()
	n.Administrator = true
	for range 2 { // the name is free again
		a := s.create(t, n)
		if s.Home != nil {
			if info, err := os.Lstat(s.Home(a.Home)); err != nil || !info.IsDir() {
				t.Errorf("its home: %v", err)
			}
		}
		ok(t, s.Store.Remove(t.Context(), n.Name))
		_, err := s.Store.Find(t.Context(), n.Name)
		is(t, err, accounts.ErrNotFound, "afterwards")
		if s.Home != nil {
			if _, err := os.Lstat(s.Home(a.Home)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("its home is left: %v", err)
			}
		}
	}
	n.Administrator = false
	if a := s.create(t, n); a.Administrator {
		t.Error("the next of that name is an administrator")
	}
}

func testRemoveUsed(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ok(t, s.Store.Enable(t.Context(), a.Name))
	is(t, s.Store.Remove(t.Context(), a.Name), accounts.ErrNotOurs, "enabled")
	ok(t, s.Store.Disable(t.Context(), a.Name))
	is(t, s.Store.Remove(t.Context(), a.Name), accounts.ErrNotOurs, "disabled again")
	ok(t, s.Store.SetFullName(t.Context(), a.Name, "x,,,,firstday/A1b2-C3/unused"))
	is(t, s.Store.Remove(t.Context(), a.Name), accounts.ErrNotOurs, "with a full name like a mark")
	if _, err := s.Store.Find(t.Context(), a.Name); err != nil {
		t.Error(err)
	}
}

func testRemoveForeign(t *testing.T, s *Subject) {
	a, err := s.Store.Find(t.Context(), s.System)
	if err != nil || a.Tag != "" || a.Unused {
		t.Fatalf("%+v, %v", a, err)
	}
	is(t, s.Store.Remove(t.Context(), s.System), accounts.ErrNotOurs, s.System)
	if _, err := s.Store.Find(t.Context(), s.System); err != nil {
		t.Error(err)
	}
}

func testAdministrator(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	for _, administrator := range []bool{true, true, false, false, true} {
		ok(t, s.Store.SetAdministrator(t.Context(), a.Name, administrator))
		a.Administrator = administrator
		s.want(t, *a, password)
	}
	n := jane()
	n.Name, n.Administrator = "joe", true
	joe := s.create(t, n)
	if !joe.Administrator {
		t.Error("was not made an administrator")
	}
	ok(t, s.Store.SetAdministrator(t.Context(), n.Name, false))
	s.want(t, *a, password)
}

func testPassword(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ok(t, s.Store.SetPassword(t.Context(), a.Name, []byte(second)), s.Store.Enable(t.Context(), a.Name))
	a.Disabled, a.Unused = false, false
	s.want(t, *a, second)
	if s.CanSignIn(t, a.Name, password) {
		t.Error("the old password still opens the account")
	}
}

// A person would lose what the old password protects.
func testPasswordOfUsed(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ok(t, s.Store.Enable(t.Context(), a.Name), s.Store.SetAdministrator(t.Context(), a.Name, true))
	a.Disabled, a.Unused, a.Administrator = false, false, true
	for range 2 {
		is(t, s.Store.SetPassword(t.Context(), a.Name, []byte(second)), accounts.ErrNotOurs, "set")
		is(t, s.Store.ResetPassword(t.Context(), a.Name, a.ID, []byte(second)), accounts.ErrNotBreakGlass, "reset")
		s.want(t, *a, password)
		ok(t, s.Store.Disable(t.Context(), a.Name)) // closed, it is still theirs
		a.Disabled = true
	}
	is(t, s.Store.SetPassword(t.Context(), s.System, []byte(second)), accounts.ErrNotOurs, s.System)
	is(t, s.Store.ResetPassword(t.Context(), s.System, "another", []byte(second)), accounts.ErrNotBreakGlass, s.System)
}

func testChangePassword(t *testing.T, s *Subject) {
	c, can := s.Store.(accounts.Changer)
	if !can {
		return // there people do so by themselves
	}
	a := s.create(t, jane())
	ok(t, s.Store.Enable(t.Context(), a.Name))
	a.Disabled, a.Unused = false, false
	is(t, c.ChangePassword(t.Context(), a.Name, []byte(second), []byte(second)), accounts.ErrPassword, "by a wrong one")
	is(t, c.ChangePassword(t.Context(), "nobody-here", []byte(password), []byte(second)), accounts.ErrNotFound, "of nobody")
	s.want(t, *a, password)
	ok(t, c.ChangePassword(t.Context(), a.Name, []byte(password), []byte(second)))
	s.want(t, *a, second)
	if works, err := c.PasswordWorks(t.Context(), a.Name, []byte(password)); works || err != nil {
		t.Errorf("the old one works: %v, %v", works, err)
	}
}

func testPasswordOfDisabled(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ok(t, s.Store.SetPassword(t.Context(), a.Name, []byte(second)))
	s.want(t, *a, second)
	ok(t, s.Store.Enable(t.Context(), a.Name))
	a.Disabled, a.Unused = false, false
	s.want(t, *a, second)
}

func testFullName(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ok(t, s.Store.SetFullName(t.Context(), a.Name, "Jane Smith\n山田\x00"))
	a.FullName = "Jane Smith 山田"
	s.want(t, *a, password)
	ok(t, s.Store.SetFullName(t.Context(), a.Name, "Doe, Jane: CEO"))
	a.FullName = "Doe, Jane: CEO"
	if s.Platform == api.Linux {
		a.FullName = "Doe Jane CEO"
	}
	s.want(t, *a, password)
	n := jane()
	n.Name, n.FullName = "joe", ""
	if joe := s.create(t, n); joe.FullName != "" {
		t.Errorf("joe is called %q", joe.FullName)
	}
}

func testIDs(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	n := jane()
	n.Name, n.FullName = "joe", "Joe"
	b := s.create(t, n)
	if a.ID == b.ID || a.Home == b.Home && a.Home != "" {
		t.Errorf("%+v and %+v", a, b)
	}
	if people, err := s.Store.List(t.Context()); err != nil || len(people) != 2 {
		t.Errorf("there are %v, %v", people, err)
	}
}

func testEnded(t *testing.T, s *Subject) {
	a := s.create(t, jane())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := jane()
	n.Name = "joe"
	_, err := s.Store.Create(ctx, n)
	is(t, err, context.Canceled, "create")
	is(t, s.Store.CheckFree(ctx, n.Name), context.Canceled, "check")
	is(t, s.Store.Enable(ctx, a.Name), context.Canceled, "enable")
	is(t, s.Store.SetPassword(ctx, a.Name, []byte(second)), context.Canceled, "password")
	is(t, s.Store.Remove(ctx, a.Name), context.Canceled, "remove")
	s.want(t, *a, password)
	if people, err := s.Store.List(t.Context()); err != nil || len(people) != 1 {
		t.Errorf("there are %v, %v", people, err)
	}
}
