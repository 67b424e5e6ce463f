package accounts

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"firstday.dev/agent/securetoken"
)

// The first token of a Mac goes to who stays, not to an account that waits or is
// taken back.
func TestMacFirstTokenGoesToWhoStays(t *testing.T) {
	s, l := openMac(t)
	if _, err := s.Create(t.Context(), jane()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(t.Context(), "jane", []byte("another horse")); err != nil || len(l.tokens) > 0 {
		t.Fatalf("%v, %v", err, l.tokens)
	}
	if state, err := s.GiveToken(t.Context(), "jane", []byte("another horse")); err != nil || state != securetoken.Missing || len(l.tokens) > 0 {
		t.Errorf("while it is closed: %s, %v, %v", state, err, l.tokens)
	}
	if err := s.Enable(t.Context(), "jane"); err != nil {
		t.Fatal(err)
	}
	if state, err := s.GiveToken(t.Context(), "jane", []byte("wrong")); !errors.Is(err, ErrPassword) || state != securetoken.Missing {
		t.Errorf("with a wrong password: %s, %v", state, err)
	}
	if !l.canSignIn("jane", "another horse") {
		t.Error("a wrong password was set")
	}
	for range 2 {
		// It is the only one, and no administrator's.
		if state, err := s.GiveToken(t.Context(), "jane", []byte("another horse")); err != nil || state != securetoken.Alone {
			t.Errorf("%s, %v", state, err)
		}
	}
	for name, change := range map[string]func(){
		"an administrator has one":  func() { l.groups[0][attrMembersGUIDs] = []string{l.find("jane").first(attrGUID)} },
		"the MDM can give them all": func() { l.escrowed, l.groups[0][attrMembersGUIDs] = true, nil },
	} {
		change()
		if state, err := s.GiveToken(t.Context(), "jane", []byte("another horse")); err != nil || state != securetoken.Held {
			t.Errorf("%s: %s, %v", name, state, err)
		}
	}
	if !l.canSignIn("jane", "another horse") {
		t.Error("the password is another one")
	}
}

func TestMacTokenOfTheSecond(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*localNode)
		want    securetoken.State
		fails   bool
	}{
		"somebody has one":         {func(l *localNode) { l.tokens["11111111-0000-4000-8000-000000000000"] = true }, securetoken.Missing, false},
		"the MDM will give it":     {func(l *localNode) { l.escrowed = true }, securetoken.Coming, false},
		"diskutil says nothing":    {func(l *localNode) { l.silent = "diskutil" }, securetoken.Unknown, true},
		"sysadminctl says nothing": {func(l *localNode) { l.silent = "sysadminctl" }, securetoken.Unknown, true},
		"profiles says nothing":    {func(l *localNode) { l.silent = "profiles" }, securetoken.Held, true},
		"the policy refuses":       {func(l *localNode) { l.broken = "password" }, securetoken.Missing, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := openMac(t)
			if err := errors.Join(made(t, s, l), s.Enable(t.Context(), "jane")); err != nil {
				t.Fatal(err)
			}
			test.prepare(l)
			before := len(l.tokens)
			state, err := s.GiveToken(t.Context(), "jane", []byte("correct horse"))
			if state != test.want || (err != nil) != test.fails || (len(l.tokens) > before) != (test.want == securetoken.Held) || !l.canSignIn("jane", "correct horse") {
				t.Errorf("%s, %v, %v", state, err, l.tokens)
			}
		})
	}
}

// Who has a token would lose it, or macOS would refuse.
func TestMacBreakGlassWithToken(t *testing.T) {
	s, l := openMac(t)
	const id = "11111111-0000-4000-8000-000000000000"
	l.users = append(l.users, macRecord{attrName: {"rescue"}, attrNumber: {"501"}, attrGUID: {id}})
	l.groups[0][attrMembers] = append(l.groups[0][attrMembers], "rescue")
	if err := s.ResetPassword(t.Context(), "rescue", id, []byte("correct horse")); err != nil || l.passwords["rescue"] != "correct horse" {
		t.Error(err)
	}
	l.silent = "diskutil"
	if err := s.ResetPassword(t.Context(), "rescue", id, []byte("another horse")); !errors.Is(err, errBroken) {
		t.Errorf("where it is not known: %v", err)
	}
	l.silent, l.tokens[id] = "", true
	if err := s.ResetPassword(t.Context(), "rescue", id, []byte("another horse")); !errors.Is(err, ErrDenied) || l.passwords["rescue"] != "correct horse" {
		t.Errorf("%v, %v", err, l.passwords)
	}
}

func TestMacTokenStates(t *testing.T) {
	s, l := openMac(t)
	if err := made(t, s, l); err != nil {
		t.Fatal(err)
	}
	states, err := s.TokenStates(t.Context(), []string{"nobody-here", "JANE"})
	if err != nil || !slices.Equal(states, []AccountToken{{"jane", securetoken.Missing}}) {
		t.Errorf("%v, %v", states, err)
	}
	l.silent = "diskutil"
	states, err = s.TokenStates(t.Context(), []string{"jane"})
	if !errors.Is(err, errBroken) || !slices.Equal(states, []AccountToken{{"jane", securetoken.Unknown}}) {
		t.Errorf("%v, %v", states, err)
	}
}

// macOS may add its own to the list while ours is changed.
func TestMacEnableKeepsWhatMacOSAdds(t *testing.T) {
	s, l := openMac(t)
	if err := used(t, s, l); err != nil {
		t.Fatal(err)
	}
	const added = ";SecureToken;"
	r := l.find("jane")
	has := slices.Clone(r[attrAuthority])
	r[attrAuthority] = append(r[attrAuthority], added)
	if err := s.reauthorize("jane", has, r.enabledAuthority()); err != nil || !slices.Contains(r[attrAuthority], added) || r.isDisabled() {
		t.Errorf("%v, %v", r[attrAuthority], err)
	}
}

func TestMacCodes(t *testing.T) {
	for number, want := range macCodes {
		err := macError("changing", strings.Repeat("x", 10000), number, strings.Repeat("y", 10000))
		if !errors.Is(err, want) || len(err.Error()) > 500 || !strings.Contains(err.Error(), "OpenDirectory error") {
			t.Errorf("%d: %v", number, err)
		}
	}
	if err := macError("changing", "jane", 10001, "No."); errors.Is(err, ErrPassword) || err.Error() != `changing account "jane": No. (OpenDirectory error 10001)` {
		t.Error(err)
	}
}

func TestDocumentsListTheMacCodes(t *testing.T) {
	const page = "../../docs/macos-accounts.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for number := range macCodes {
		if !strings.Contains(string(text), fmt.Sprintf("\n| %d kODError", number)) {
			t.Errorf("%s does not tell of %d", page, number)
		}
	}
	for _, state := range []securetoken.State{securetoken.Held, securetoken.Alone, securetoken.Coming, securetoken.Missing, securetoken.Unknown} {
		if !strings.Contains(string(text), "`"+string(state)+"`") {
			t.Errorf("%s does not tell of %s", page, state)
		}
	}
}
