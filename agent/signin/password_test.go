package signin

import (
	"strings"
	"testing"
	"testing/synctest"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// The rules of this device stand on the screen before anything is typed, and
// nothing is made with a password that breaks them.
func TestPasswordRulesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		s := begin(t, d)
		defer s.end()
		s.store.Rules = accounts.PasswordRules{Length: 12, Kinds: true}
		s.press(Start)
		close(d.approved)
		if screen := s.shows(Password, ""); !strings.Contains(screen.Message, "At least 12 characters, three of these") {
			t.Errorf("%q", screen.Message)
		}
		s.store.Fault = func(step accounts.Step) error {
			t.Errorf("%+v", step)
			return nil
		}
		for password, want := range map[string]string{
			"Short-1":                  "It needs at least 12 characters.",
			annsPassword:               "three of these",
			"Ann is here, 1":           "a part of your name",
			strings.Repeat("Aa1-", 99): "longer than",
		} {
			s.press(Submit, FieldPassword, password, FieldAgain, password)
			if screen := s.shows(Password, api.CodeAccountPassword); !strings.Contains(screen.Message, want) {
				t.Errorf("%q: %q", password, screen.Message)
			}
		}
		s.store.Fault = nil
		s.press(Submit, FieldPassword, "Horses in 2 rows", FieldAgain, "Horses in 2 rows")
		s.shows(Done, "")
	})
}

// Whose password is the directory's cannot choose another one here: they hear of
// it before an account is made.
func TestDirectoryPasswordBreaksTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.password = api.VerifyPassword
		s := begin(t, d)
		defer s.end()
		s.store.Rules = accounts.PasswordRules{Length: len(annsPassword) + 1}
		s.press(Start)
		close(d.approved)
		s.shows(Password, "")
		s.press(Submit, FieldPassword, annsPassword)
		s.shows(Failed, api.CodeAccountPassword)
		if people, err := s.store.List(t.Context()); err != nil || len(people) > 0 || d.ticket != "" {
			t.Errorf("%+v, %v", people, err)
		}
	})
}
