// Package testagents builds the agents for tests that make packages.
package testagents

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tc-hib/winres"
	"github.com/tc-hib/winres/version"

	"firstday.dev/internal/winetest"
)

// Version is that of the agents.
const Version = "1.2.3"

var (
	once sync.Once
	dir  string
)

// flags are those with which `make` builds the agents.
const flags = "-ldflags=-s -w -X main.stamp=firstday-agent-version=" + Version + ";"

// Dir returns a folder with the agents that kits need, those for Windows with
// the version resource that `make` gives them. They are built once per process.
func Dir(tb testing.TB) string {
	tb.Helper()
	once.Do(func() {
		temp, err := os.MkdirTemp("", "firstday-agents-*")
		if err != nil {
			tb.Fatal(err)
		}
		for _, arch := range []string{"amd64", "arm64"} {
			plain := winetest.Build(tb, "firstday.dev/cmd/firstday-agent", arch, flags)
			if err := addVersion(filepath.Join(temp, "firstday-agent-windows-"+arch+".exe"), plain); err != nil {
				tb.Fatal(err)
			}
		}
		for _, arch := range []string{"amd64", "arm64"} {
			build := exec.Command("go", "build", "-trimpath", flags, "-o", filepath.Join(temp, "firstday-agent-darwin-"+arch), "firstday.dev/cmd/firstday-agent")
			build.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
			if out, err := build.CombinedOutput(); err != nil {
				tb.Fatalf("building the agent for macOS: %v\n%s", err, out)
			}
		}
		dir = temp
	})
	if dir == "" {
		tb.Fatal("the agents could not be built")
	}
	return dir
}

// Cleanup removes the agents. Call it when the tests of a process are over.
func Cleanup() {
	if dir != "" {
		_ = os.RemoveAll(dir) // in the temporary folder anyway
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
