// Package testagents builds the agents, and what goes with them in sign-in screens
// and login windows, for tests that make packages.
package testagents

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testloginplugin"
)

// Version is that of the agents.
const Version = "1.2.3"

// folder builds the agents, once per process.
var folder = sync.OnceValues(build)

// flags are those with which `make` builds the agents.
const flags = "-ldflags=-s -w -X main.stamp=firstday-agent-version=" + Version + ";"

// Dir returns a folder with what kits need, with the resources that `make` gives
// it.
func Dir(tb testing.TB) string {
	tb.Helper()
	testcredprov.Need(tb)
	testloginplugin.Need(tb)
	dir, err := Folder()
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Folder is Dir for examples, which are no tests.
func Folder() (string, error) { return folder() }

func build() (string, error) {
	dir, err := os.MkdirTemp("", "firstday-agents-*")
	if err != nil {
		return "", err
	}
	built = dir
	for _, system := range []string{"windows", "darwin"} {
		for _, arch := range []string{"amd64", "arm64"} {
			agent := filepath.Join(dir, "firstday-agent-"+system+"-"+arch)
			if system == "windows" {
				agent += ".exe"
			}
			if err := compile(agent, system, arch); err != nil {
				return "", err
			}
		}
	}
	return dir, errors.Join(testcredprov.Compile(dir, Version), testloginplugin.Compile(dir, Version))
}

func compile(to, system, arch string, more ...string) error {
	args := append([]string{"build", "-trimpath", flags, "-o", to}, more...)
	cmd := exec.Command("go", append(args, "firstday.dev/cmd/firstday-agent")...)
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the agent for %s: %w\n%s", system, err, out)
	}
	if system != "windows" {
		return nil
	}
	return addResources(to)
}

// Windows gives a folder with what kits for Windows need, in which the agent for
// amd64 is built with more flags.
func Windows(tb testing.TB, more ...string) string {
	tb.Helper()
	testcredprov.Need(tb)
	dir := tb.TempDir()
	err := errors.Join(
		compile(filepath.Join(dir, "firstday-agent-windows-amd64.exe"), "windows", "amd64", more...),
		compile(filepath.Join(dir, "firstday-agent-windows-arm64.exe"), "windows", "arm64"),
		testcredprov.Compile(dir, Version))
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

var built string

// Cleanup removes the agents. Call it when the tests of a process are over.
func Cleanup() {
	if built != "" {
		_ = os.RemoveAll(built) // in the temporary folder anyway
	}
}

// addResources gives an agent what `make` links into it.
func addResources(program string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "tool", "-modfile=tools/winres/go.mod", "go-winres", "patch", "--in", "cmd/firstday-agent/winres.json",
		"--no-backup", "--product-version", Version, "--file-version", Version, program)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("adding resources to %s: %w\n%s", program, err, out)
	}
	return nil
}
