// Package testop runs a real OpenID Connect provider for tests: zitadel's, see
// tools/op, which asks people for a password and a second factor.
package testop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testtool"
)

// User is somebody whom the provider knows.
type User struct {
	Subject  string   `json:"subject"`
	Name     string   `json:"name"`
	Password string   `json:"password"`
	TOTP     string   `json:"totp"`
	First    string   `json:"first"`
	Last     string   `json:"last"`
	Email    string   `json:"email"`
	Verified bool     `json:"verified"`
	Groups   []string `json:"groups"`
}

// Who the provider knows: one of the staff, and one who is not.
var (
	Soren = User{"8fa5d0", "soren@acme.example", "grøn te om morgenen", "JBSWY3DPEHPK3PXP", "Søren", "Ærøskøbing", "s.a@acme.example", true, []string{"staff", "vikings"}}
	Guest = User{"9c0001", "guest@acme.example", "only visiting", "JBSWY3DPEHPK3PXQ", "Gustav", "Guest", "guest@acme.example", true, []string{"guests"}}
)

// Provider is how a directory is told of it, but for its issuer.
func Provider() *api.NewProvider {
	return &api.NewProvider{ClientSecret: "the-secret-of-the-op", ProviderConfig: api.ProviderConfig{
		ID: "op", Name: "Example Identity", ClientID: "firstday", CreateUsers: true,
		UserName: "{given_name}.{family_name}", Groups: []string{"staff"}, Domains: []string{"acme.example"}, ACRValues: []string{"mfa"}, MaxAge: api.Duration(time.Hour),
	}}
}

// Start runs the provider as a process of its own, for a client that people are sent
// back to, and gives its issuer.
func Start(tb testing.TB, client *api.NewProvider, redirectURI string) string {
	tb.Helper()
	goTool := testtool.Need(tb, "go")
	module, err := exec.CommandContext(tb.Context(), goTool, "env", "GOMOD").Output()
	if err != nil {
		tb.Fatal(err)
	}
	source := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "tools", "op")
	program := filepath.Join(tb.TempDir(), "op")
	if out, err := exec.CommandContext(tb.Context(), goTool, "build", "-C", source, "-o", program, ".").CombinedOutput(); err != nil {
		testtool.NotBuilt(tb, "tools/op", err, out)
	}
	config, err := json.Marshal(map[string]any{
		"listen": "127.0.0.1:0", "clientId": client.ClientID, "clientSecret": client.ClientSecret, "redirectUri": redirectURI, "users": []User{Soren, Guest},
	})
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.CommandContext(tb.Context(), program)
	c.Stdin = bytes.NewReader(config)
	var log bytes.Buffer // read once it has ended
	c.Stderr = &log
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = c.Wait()
		tb.Fatalf("the provider does not start: %v\n%s", err, &log)
	}
	tb.Cleanup(func() {
		_, _ = io.Copy(io.Discard, out)
		_ = c.Wait() // the test's context has ended it
		if tb.Failed() {
			tb.Logf("the provider: %s", &log)
		}
	})
	return strings.TrimSpace(issuer)
}
