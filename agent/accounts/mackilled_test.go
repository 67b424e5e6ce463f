package accounts

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killed runs do on nodes that kill it at each of its calls, before and after the
// call's effect, and looks at what is left when the process is there again.
func killed(t *testing.T, prepare, do func(*testing.T, macStore, *localNode) error, look func(*testing.T, string, macStore, *localNode)) {
	t.Helper()
	points := 0
	for at := 1; ; at++ {
		for _, after := range []bool{false, true} {
			s, l := openMac(t)
			if err := prepare(t, s, l); err != nil {
				t.Fatal(err)
			}
			l.calls, l.dieAt, l.after = 0, at, after
			err := do(t, s, l)
			if !l.dead {
				if err != nil || points < 4 {
					t.Errorf("%d points, %v", points, err)
				}
				return
			}
			if !errors.Is(err, ErrKilled) {
				t.Fatalf("killed at %d: %v", at, err)
			}
			points++
			l.dead, l.dieAt = false, 0
			when := "before call"
			if after {
				when = "after call"
			}
			look(t, when+" "+string(rune('0'+at/10))+string(rune('0'+at%10)), s, l)
		}
	}
}

func nothing(*testing.T, macStore, *localNode) error { return nil }

func made(t *testing.T, s macStore, _ *localNode) error {
	n := jane()
	n.Administrator = true
	_, err := s.Create(t.Context(), n)
	return err
}

func used(t *testing.T, s macStore, l *localNode) error {
	return errors.Join(made(t, s, l), s.Enable(t.Context(), "jane"), s.Disable(t.Context(), "jane"))
}

// clean wants a Mac that was never touched.
func clean(t *testing.T, when string, s macStore, l *localNode) {
	t.Helper()
	if diff := cmp.Diff(newLocalNode().users, l.users); diff != "" {
		t.Errorf("%s left:\n%s", when, diff)
	}
	if entries, err := os.ReadDir(s.homes); err != nil || len(entries) > 0 {
		t.Errorf("%s left %v, %v", when, entries, err)
	}
	if g := l.groups[0]; !slices.Equal(g[attrMembers], []string{"root"}) || len(g[attrMembersGUIDs]) > 0 {
		t.Errorf("%s left %v", when, g)
	}
	if len(l.tokens) > 0 {
		t.Errorf("%s took the first token away: %v", when, l.tokens)
	}
}

// What is left of a Create bears the tag, and goes.
func TestMacCreateIsKilledAtEachCall(t *testing.T) {
	killed(t, nothing, made, func(t *testing.T, when string, s macStore, l *localNode) {
		a, err := s.Find(t.Context(), "jane")
		if errors.Is(err, ErrNotFound) {
			clean(t, when, s, l)
			return
		}
		if err != nil || a.Tag != "T-1" || !a.Unused {
			t.Errorf("%s: %+v, %v", when, a, err)
		}
		if err := s.Remove(t.Context(), "jane"); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		clean(t, when, s, l)
		if err := made(t, s, l); err != nil {
			t.Errorf("%s, again: %v", when, err)
		}
	})
}

func TestMacRemoveIsKilledAtEachCall(t *testing.T) {
	remove := func(t *testing.T, s macStore, _ *localNode) error { return s.Remove(t.Context(), "jane") }
	killed(t, made, remove, func(t *testing.T, when string, s macStore, l *localNode) {
		if err := remove(t, s, l); err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", when, err)
		}
		clean(t, when, s, l)
	})
}

// An account that is open does not bear the mark of one that Remove may take.
func TestMacEnableIsKilledAtEachCall(t *testing.T) {
	enable := func(t *testing.T, s macStore, _ *localNode) error { return s.Enable(t.Context(), "jane") }
	killed(t, made, enable, func(t *testing.T, when string, s macStore, l *localNode) {
		a, err := s.Find(t.Context(), "jane")
		if err != nil || a.Unused && l.canSignIn("jane", "correct horse") {
			t.Errorf("%s: %+v, %v", when, a, err)
		}
		if err := enable(t, s, l); err != nil || !l.canSignIn("jane", "correct horse") || slices.Contains(l.find("jane")[attrAuthority], noTokenAuthority) {
			t.Errorf("%s: %v, %v", when, err, l.find("jane"))
		}
	})
}

// Of a closed account OpenDirectory may not say whether a password is right.
func TestMacPasswordOfClosedAccount(t *testing.T) {
	ask := func(t *testing.T, s macStore, l *localNode) error {
		for _, password := range []string{"wrong", "correct horse"} {
			works, err := s.PasswordWorks(t.Context(), "jane", []byte(password))
			if err != nil {
				return err
			}
			if works != (password == "correct horse") {
				t.Errorf("%s: %v", password, works)
			}
			if l.canSignIn("jane", "correct horse") {
				t.Error("the account stays open")
			}
		}
		return nil
	}
	killed(t, used, ask, func(t *testing.T, when string, s macStore, l *localNode) {
		// See signin.Accounts.Resume.
		if err := s.Disable(t.Context(), "jane"); err != nil || l.canSignIn("jane", "correct horse") {
			t.Errorf("%s: %v", when, err)
		}
		if err := ask(t, s, l); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	})

	s, l := openMac(t)
	if err := used(t, s, l); err != nil {
		t.Fatal(err)
	}
	l.looksFirst = true
	if err := ask(t, s, l); err != nil {
		t.Error(err)
	}
	l.looksFirst, l.broken = false, "check" // the account is closed again all the same
	if works, err := s.PasswordWorks(t.Context(), "jane", []byte("wrong")); works || !errors.Is(err, errBroken) || !l.find("jane").isDisabled() {
		t.Errorf("%v, %v, %v", works, err, l.find("jane"))
	}
	l.broken = ""
	delete(l.find("jane"), attrMark) // an administrator's own account, which they closed
	l.checked = 0
	if works, err := s.PasswordWorks(t.Context(), "jane", []byte("correct horse")); works || !errors.Is(err, errShut) || l.checked != 1 {
		t.Errorf("%v, %v, looked %d times", works, err, l.checked)
	}
}
