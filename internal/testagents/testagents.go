// Package testagents builds the agents for tests that make packages.
package testagents

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tc-hib/winres"
	"github.com/tc-hib/winres/version"
)

// Version is that of the agents.
const Version = "1.2.3"

// folder builds the agents, once per process.
var folder = sync.OnceValues(build)

// flags are those with which `make` builds the agents.
const flags = "-ldflags=-s -w -X main.stamp=firstday-agent-version=" + Version + ";"

// Dir returns a folder with the agents that kits need, those for Windows with
// the version resource that `make` gives them.
func Dir(tb testing.TB) string {
	tb.Helper()
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
			if err := compile(agent, system, arch); err != nil {
				return "", err
			}
			if system != "windows" {
				continue
			}
			if err := errors.Join(addVersion(agent+".exe", agent), os.Remove(agent)); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
}

func compile(to, system, arch string) error {
	cmd := exec.Command("go", "build", "-trimpath", flags, "-o", to, "firstday.dev/cmd/firstday-agent")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the agent for %s: %w\n%s", system, err, out)
	}
	return nil
}

var built string

// Cleanup removes the agents. Call it when the tests of a process are over.
func Cleanup() {
	if built != "" {
		_ = os.RemoveAll(built) // in the temporary folder anyway
	}
}

// addVersion copies a program and gives it a version resource.
func addVersion(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	var info version.Info
	info.SetFileVersion(Version)
	info.SetProductVersion(Version)
	if err := info.Set(version.LangDefault, version.ProductName, "Firstday"); err != nil {
		return err
	}
	var resources winres.ResourceSet
	resources.SetVersionInfo(info)
	if err := resources.WriteToEXE(out, in); err != nil {
		return err
	}
	return out.Close()
}
