package winetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds a Go program of this module for Windows and gives its path.
// pkg is an import path, or "./…" relative to the calling test's folder.
func Build(tb testing.TB, pkg, arch string, flags ...string) string {
	tb.Helper()
	exe := filepath.Join(tb.TempDir(), filepath.Base(pkg)+".exe")
	args := append([]string{"build", "-trimpath", "-o", exe}, flags...)
	return compile(tb, exe, arch, append(args, pkg)...)
}

// BuildTest builds a package's tests for Windows on amd64.
func BuildTest(tb testing.TB, pkg string) string {
	tb.Helper()
	exe := filepath.Join(tb.TempDir(), "test.exe")
	return compile(tb, exe, "amd64", "test", "-c", "-o", exe, pkg)
}

// RunTests runs the tests of the calling package that are for Windows, whose
// names begin with TestWindows, on Windows as Wine makes it.
func RunTests(tb testing.TB) {
	tb.Helper()
	p := New(tb)
	res := p.Run(tb.TempDir(), p.Command(BuildTest(tb, "."))+" -test.run=^TestWindows -test.v -test.timeout=2m")
	tb.Log(res.Stdout)
	if res.Code != 0 {
		tb.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}

func compile(tb testing.TB, exe, arch string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go %q for windows/%s: %v\n%s", args, arch, err, out)
	}
	return exe
}
