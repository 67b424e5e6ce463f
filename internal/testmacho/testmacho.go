// Package testmacho builds small programs for macOS, for tests of what reads and
// signs them.
package testmacho

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"firstday.dev/internal/testtool"
)

var (
	mu    sync.Mutex
	built = make(map[string][]byte)
)

// Thin gives a program for one architecture, in Go's words. It is built once per
// process.
func Thin(tb testing.TB, arch string) []byte {
	tb.Helper()
	mu.Lock()
	defer mu.Unlock()
	if b := built[arch]; b != nil {
		return b
	}
	dir := tb.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(1) }\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	build := exec.Command(testtool.Need(tb, "go"), "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
	build.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("building a program for macOS: %v\n%s", err, out)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		tb.Fatal(err)
	}
	built[arch] = b
	return b
}
