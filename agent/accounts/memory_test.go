package accounts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/accounts/accountstest"
	"firstday.dev/api"
)

// subject names what every system of a platform has.
func subject(m *accounts.InMemory, p api.Platform) accountstest.Subject {
	groups := map[api.Platform]string{api.Windows: "Backup Operators", api.MacOS: "staff", api.Linux: "users"}
	systems := map[api.Platform]string{api.Windows: "Administrator", api.MacOS: "root", api.Linux: "root"}
	return accountstest.Subject{
		Store: m, Platform: p, Group: groups[p], System: systems[p],
		CanSignIn: func(_ *testing.T, name, password string) bool { return m.CheckPassword(name, password) },
	}
}

func TestMemory(t *testing.T) {
	for _, p := range api.Platforms {
		t.Run(string(p), func(t *testing.T) {
			accountstest.Run(t, func(*testing.T) accountstest.Subject { return subject(accounts.Memory(p), p) })
		})
		t.Run(string(p)+" in a file", func(t *testing.T) {
			accountstest.Run(t, func(t *testing.T) accountstest.Subject {
				m, err := accounts.MemoryIn(p, filepath.Join(t.TempDir(), "accounts.json"))
				if err != nil {
					t.Fatal(err)
				}
				return subject(m, p)
			})
		})
	}
}

func jane() accounts.New {
	return accounts.New{Name: "jane", FullName: "Jane Doe", Password: []byte("correct horse"), Tag: "T"}
}

func TestMemoryOutlivesItsProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.json")
	first, err := accounts.MemoryIn(api.Windows, file)
	if err != nil {
		t.Fatal(err)
	}
	made, err := first.Create(t.Context(), jane())
	if err != nil {
		t.Fatal(err)
	}
	second, err := accounts.MemoryIn(api.Windows, file)
	if err != nil {
		t.Fatal(err)
	}
	found, err := second.Find(t.Context(), "JANE")
	if diff := cmp.Diff(made, found); err != nil || diff != "" {
		t.Errorf("%v (-made +found):\n%s", err, diff)
	}
	// Who only looks sees what happens.
	if err := second.Enable(t.Context(), "jane"); err != nil {
		t.Fatal(err)
	}
	if !first.CheckPassword("jane", "correct horse") || first.CheckPassword("jane", "correct horsf") {
		t.Error("the password is another")
	}
	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), "correct horse") {
		t.Errorf("the file holds the password, %v", err)
	}
}

func TestMemoryRefusesADamagedFile(t *testing.T) {
	for _, text := range []string{"", "{", `{"Accounts":[null]}`, `{"Other":1}`, `{} {}`} {
		file := filepath.Join(t.TempDir(), "accounts.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := accounts.MemoryIn(api.Linux, file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := accounts.MemoryIn("beos", "x"); err == nil {
		t.Error("a platform that is none")
	}
}

func TestMemoryKeepsToThePolicy(t *testing.T) {
	m := accounts.Memory(api.Windows)
	m.Refuse = func(p []byte) string {
		if len(p) < 14 {
			return "at least 14 characters"
		}
		return ""
	}
	_, err := m.Create(t.Context(), jane())
	if !errors.Is(err, accounts.ErrPassword) || !strings.Contains(err.Error(), "at least 14 characters") {
		t.Errorf("got %v", err)
	}
	if _, err := m.Find(t.Context(), "jane"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("left: %v", err)
	}
}

func TestMemoryNamesInTheWay(t *testing.T) {
	m := accounts.Memory(api.MacOS)
	if err := m.Add(accounts.Account{Name: "admin2", FullName: "Jane", Administrator: true}, "break glass"); err != nil {
		t.Fatal(err)
	}
	if !m.CheckPassword("admin2", "break glass") {
		t.Error("nobody can sign in as admin2")
	}
	if _, err := m.Create(t.Context(), jane()); !errors.Is(err, accounts.ErrExists) {
		t.Errorf("a full name is a name on macOS: %v", err)
	}
	w := accounts.Memory(api.Windows)
	w.Computer = "JANE"
	if _, err := w.Create(t.Context(), jane()); !errors.Is(err, accounts.ErrExists) {
		t.Errorf("the computer's name: %v", err)
	}
}

// Wherever a Create fails, nothing is left; wherever it is killed, what is left
// has the tag and can be removed.
func TestMemoryFaults(t *testing.T) {
	broken := errors.New("broken")
	for _, fault := range []error{broken, fmt.Errorf("power cut: %w", accounts.ErrKilled)} {
		for _, at := range []accounts.Step{
			{Call: "create", Name: "jane"}, {Call: "create", Name: "jane", Done: true},
			{Call: "furnish", Name: "jane"}, {Call: "furnish", Name: "jane", Done: true},
		} {
			t.Run(fmt.Sprint(fault, " ", at), func(t *testing.T) {
				m := accounts.Memory(api.Linux)
				var seen []accounts.Step
				m.Fault = func(s accounts.Step) error {
					seen = append(seen, s)
					if s == at {
						return fault
					}
					return nil
				}
				if _, err := m.Create(t.Context(), jane()); !errors.Is(err, fault) || seen[len(seen)-1] != at {
					t.Fatalf("%v after %v", err, seen)
				}
				left, err := m.Find(t.Context(), "jane")
				if killed := errors.Is(fault, accounts.ErrKilled); !killed || at == (accounts.Step{Call: "create", Name: "jane"}) {
					if !errors.Is(err, accounts.ErrNotFound) {
						t.Fatalf("left: %+v, %v", left, err)
					}
				} else {
					if err != nil || left.Tag != "T" || !left.Unused || !left.Disabled {
						t.Fatalf("left: %+v, %v", left, err)
					}
					if err := m.Remove(t.Context(), "jane"); err != nil {
						t.Fatal(err)
					}
				}
				m.Fault = nil
				if _, err := m.Create(t.Context(), jane()); err != nil {
					t.Error(err)
				}
			})
		}
	}

	// Every other call can be made to fail before it did anything, or after.
	m := accounts.Memory(api.Linux)
	if _, err := m.Create(t.Context(), jane()); err != nil {
		t.Fatal(err)
	}
	var at accounts.Step
	m.Fault = func(s accounts.Step) error {
		if s == at {
			return broken
		}
		return nil
	}
	at = accounts.Step{Call: "enable", Name: "jane"}
	if err := m.Enable(t.Context(), "jane"); !errors.Is(err, broken) || m.CheckPassword("jane", "correct horse") {
		t.Errorf("before: %v", err)
	}
	at.Done = true
	if err := m.Enable(t.Context(), "jane"); !errors.Is(err, broken) || !m.CheckPassword("jane", "correct horse") {
		t.Errorf("after: %v", err)
	}
}
