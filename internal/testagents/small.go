package testagents

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"firstday.dev/agent/loginplugin"
)

// SmallMac returns a folder with what kits for macOS need, in which the agents do
// nothing: packages of them are soon written, and nothing can run them.
func SmallMac(tb testing.TB) string {
	tb.Helper()
	all := Dir(tb)
	dir, err := smallMac()
	if err != nil {
		tb.Fatal(err)
	}
	plugin := filepath.Join(dir, loginplugin.Bundle)
	if _, err := os.Lstat(plugin); err == nil {
		return dir
	}
	if err := os.CopyFS(plugin, os.DirFS(filepath.Join(all, loginplugin.Bundle))); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// smallMac builds the small agents, once per process.
var smallMac = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(built, "small-")
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "main.go")
	const text = "package main\n\nvar stamp = \"firstday-agent-version=" + Version + ";\"\n\nfunc main() { println(stamp) }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		return "", err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		c := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "firstday-agent-darwin-"+arch), source)
		c.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := c.CombinedOutput(); err != nil {
			return "", errors.Join(err, fmt.Errorf("%s", out))
		}
	}
	return dir, os.Remove(source)
})
