// Package testadministrator is an administrator at the command line, cmd/firstday, for
// tests that begin where IT does.
package testadministrator

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// Administrator has the command line of the organisation.
type Administrator struct {
	// Dir is where they work.
	Dir     string
	tb      testing.TB
	program string
	env     []string
}

// New gives one who may do everything at a directory.
func New(tb testing.TB, service *testdirectory.Service) *Administrator {
	tb.Helper()
	a := &Administrator{Dir: tb.TempDir(), tb: tb}
	a.program = filepath.Join(a.Dir, "firstday")
	if out, err := exec.Command("go", "build", "-o", a.program, "firstday.dev/cmd/firstday").CombinedOutput(); err != nil {
		tb.Fatalf("building firstday: %v\n%s", err, out)
	}
	token, err := service.CreateToken(context.Background(), "token:ann", api.NewToken{Name: "kim", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		tb.Fatal(err)
	}
	a.env = append(os.Environ(), "FIRSTDAY_DIRECTORY="+service.At.URL, "FIRSTDAY_PIN="+service.At.Pin, "FIRSTDAY_TOKEN="+token.Secret.Reveal())
	return a
}

// Configure writes their firstday.yaml.
func (a *Administrator) Configure(text string) {
	a.tb.Helper()
	if err := os.WriteFile(filepath.Join(a.Dir, "firstday.yaml"), []byte(text), 0o600); err != nil {
		a.tb.Fatal(err)
	}
}

// Firstday runs a command, which must succeed.
func (a *Administrator) Firstday(args ...string) {
	a.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.program, args...)
	cmd.Dir, cmd.Env = a.Dir, a.env
	if out, err := cmd.CombinedOutput(); err != nil {
		a.tb.Fatalf("firstday %q: %v\n%s", args, err, out)
	}
}
