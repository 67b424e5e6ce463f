package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/securetoken"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/testdirectory"
)

// A Mac tells its directory, and whoever asks on it, that an account that is open
// has no secure token; those that wait or were closed need none.
func TestMissingTokenIsSaid(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.accounts = accounts.Memory(api.MacOS)
	var entries []map[string]any
	for _, name := range []string{"ann", "ben"} {
		if err := m.accounts.Add(accounts.Account{Name: name, Tag: "of-" + name}, "of "+name); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, map[string]any{"user": uuid.New(), "name": name, "tag": "of-" + name, "open": name == "ann"})
	}
	ledger := filepath.Join(m.Layout().Data, "users.json")
	if err := statefile.Write(ledger, map[string]any{"schema": 1, "accounts": entries}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.run())
	missing := securetoken.Missing.Problem("ann")
	said := func() bool {
		device := d.OnlyDevice()
		if slices.ContainsFunc(device.Facts.Problems, func(p string) bool { return strings.Contains(p, "ben") }) {
			t.Errorf("the directory hears %q", device.Facts.Problems)
		}
		return slices.Contains(device.Facts.Problems, missing)
	}
	m.becomes("enrolment", done)
	eventually(t, "the report", said)

	look := func(want ...accounts.AccountToken) *Status {
		t.Helper()
		s, err := m.agent("1.2.3").Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.Tokens); diff != "" || slices.Contains(s.Problems, missing) != (want != nil && want[0].State == securetoken.Missing) {
			t.Errorf("%q\n%s", s.Problems, diff)
		}
		return s
	}
	if s := look(accounts.AccountToken{Account: "ann", State: securetoken.Missing}); s.Healthy || !s.Faulty() {
		t.Error("all is well")
	}
	_, files := m.diagnose()
	for _, want := range []string{`"account": "ann"`, `"state": "missing"`, `"holders": []`, `"escrowed": false`, `"fileVault": "FileVault is Off."`} {
		if !strings.Contains(files["tokens.json"], want) {
			t.Errorf("%s is not in\n%s", want, files["tokens.json"])
		}
	}
	m.accounts.Escrowed = true
	look(accounts.AccountToken{Account: "ann", State: securetoken.Coming})
	m.accounts.Escrowed = false
	if _, err := m.accounts.GiveToken(t.Context(), "ann", []byte("of ann")); err != nil {
		t.Fatal(err)
	}
	look(accounts.AccountToken{Account: "ann", State: securetoken.Alone})
	if err := m.accounts.SetAdministrator(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	look(accounts.AccountToken{Account: "ann", State: securetoken.Held})

	if err := os.WriteFile(ledger, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := look(); !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.HasPrefix(p, "the accounts' secure tokens are not all known: ") }) {
		t.Errorf("%q", s.Problems)
	}
}

// Who could repair a Mac is an administrator who can unlock the disk, too.
func TestAdministratorWithToken(t *testing.T) {
	m := newMachine(t)
	m.accounts = accounts.Memory(api.MacOS)
	if names, err := localAdministrators(t.Context(), m.accounts); err == nil {
		t.Errorf("found %q", names)
	}
	for _, name := range []string{"ann", "ben"} {
		if err := m.accounts.Add(accounts.Account{Name: name, Administrator: true}, "of "+name); err != nil {
			t.Fatal(err)
		}
	}
	look := func(unlocks bool, wants ...string) {
		t.Helper()
		names, err := localAdministrators(t.Context(), m.accounts)
		if err != nil || !slices.Equal(names, wants) {
			t.Errorf("%q, %v", names, err)
		}
		if err := canUnlock(t.Context(), m.accounts, names); (err == nil) != unlocks {
			t.Errorf("%q: %v", names, err)
		}
	}
	look(false, "ann", "ben")
	if _, err := m.accounts.GiveToken(t.Context(), "ben", []byte("of ben")); err != nil {
		t.Fatal(err)
	}
	look(true, "ann", "ben")
	if err := m.accounts.Disable(t.Context(), "ben"); err != nil {
		t.Fatal(err)
	}
	look(false, "ann")
}
