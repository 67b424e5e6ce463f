package authdb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettle(t *testing.T) {
	bad := errors.New("absent")
	for name, c := range map[string]struct {
		list []string
		p    error
		want []string
		why  error
		err  error
	}{
		"ours, and in order":           {list: ours, want: ours},
		"Apple's, without a bundle":    {list: withCrypt, p: bad, want: withCrypt},
		"ours without a bundle":        {list: ours, p: bad, want: withCrypt, why: bad},
		"half reset":                   {list: edit(AppleUI, swap(AppleUI, Guard)), want: sonoma, why: ErrDamaged},
		"half reset, without a bundle": {list: edit(AppleUI, swap(UI)), p: bad, want: sonoma, why: ErrDamaged},
		"no window":                    {list: edit(AppleUI, swap()), want: sonoma, why: ErrDamaged},
		"beyond repair, with ours":     {list: edit(AppleUI, swap(UI, Guard), authenticate, swap()), want: edit(authenticate, swap()), why: ErrDamaged},
		"beyond repair":                {list: edit(authenticate, swap()), want: edit(authenticate, swap()), why: ErrDamaged, err: ErrDamaged},
		"another's":                    {list: edit(AppleUI, swap("JamfConnectLogin:LoginUI")), want: edit(AppleUI, swap("JamfConnectLogin:LoginUI"))},
		"another's, and ours left":     {list: edit(AppleUI, swap("JamfConnectLogin:LoginUI", Guard)), want: edit(AppleUI, swap("JamfConnectLogin:LoginUI")), why: ErrForeign},
	} {
		m, d := newMac(t, c.list)
		o, err := d.Settle(t.Context(), loadable{c.p})
		if !errors.Is(err, c.err) || !errors.Is(o.Why, c.why) || o.Changed != !slices.Equal(c.list, c.want) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		if diff := cmp.Diff(c.want, m.list()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	m, d := newMac(t, ours)
	m.text = "<html>" + m.text
	if o, err := d.Settle(t.Context(), loadable{}); err != nil || o.Verdict.State != Apple || !errors.Is(o.Why, ErrFormat) {
		t.Errorf("%+v, %v", o, err)
	}
	m.read = func() error { return statusError(-60008) }
	if _, err := d.Settle(t.Context(), loadable{}); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// bundle is a change of the bundle that fails the test if the database names it
// meanwhile.
func bundle(t *testing.T, m *mac, err error) (change func(context.Context) error, done *bool) {
	t.Helper()
	done = new(bool)
	return func(context.Context) error {
		*done = true
		if slices.ContainsFunc(m.list(), isOurs) {
			t.Errorf("the bundle goes while the list is %q", m.list())
		}
		return err
	}, done
}

func TestReplace(t *testing.T) {
	failed := errors.New("disk full")
	for name, c := range map[string]struct {
		list       []string
		p, replace error
		want       []string
	}{
		"ours comes back":              {list: ours, want: ours},
		"Apple's stays":                {list: withCrypt, want: withCrypt},
		"the new one is bad":           {list: ours, p: failed, want: withCrypt},
		"the new one does not come":    {list: ours, replace: failed, want: withCrypt},
		"half a list does not return":  {list: edit(AppleUI, swap(UI)), want: sonoma},
		"another's stays, ours is out": {list: edit(AppleUI, swap("JamfConnectLogin:LoginUI", Guard)), want: edit(AppleUI, swap("JamfConnectLogin:LoginUI"))},
	} {
		m, d := newMac(t, c.list)
		change, done := bundle(t, m, c.replace)
		_, err := d.Replace(t.Context(), loadable{c.p}, change)
		if want := errors.Join(c.p, c.replace); (want == nil) != (err == nil) || want != nil && !errors.Is(err, failed) || !*done {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, m.list()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, list := range [][]string{ours, withCrypt, edit(AppleUI, swap(UI)), edit(authenticate, swap(UI)), edit(AppleUI, swap("JamfConnectLogin:LoginUI"))} {
		m, d := newMac(t, list)
		change, done := bundle(t, m, nil)
		if o, err := d.Remove(t.Context(), change); err != nil || !*done || o.Verdict.NeedsBundle {
			t.Errorf("%q: %+v, %v", list, o, err)
		}
	}
}

func TestBundleStaysWhileTheDatabaseNamesIt(t *testing.T) {
	for name, set := range map[string]func(*mac, *Database){
		"authd refuses": func(m *mac, _ *Database) {
			m.written = func(string) (string, error) { return m.text, statusError(-60005) }
		},
		"it ignores":     func(m *mac, _ *Database) { m.written = func(string) (string, error) { return m.text, nil } },
		"not root":       func(m *mac, _ *Database) { m.user = true },
		"it is not read": func(m *mac, _ *Database) { m.read = func() error { return statusError(-60008) } },
	} {
		m, d := newMac(t, ours)
		set(m, d)
		change, done := bundle(t, m, nil)
		if _, err := d.Remove(t.Context(), change); err == nil || *done || !strings.Contains(err.Error(), "stays") {
			t.Errorf("%s: Remove: %v", name, err)
		}
		if _, err := d.Replace(t.Context(), loadable{}, change); err == nil || *done {
			t.Errorf("%s: Replace: %v", name, err)
		}
	}
}
