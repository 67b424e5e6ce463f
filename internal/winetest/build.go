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
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("building %s for windows/%s: %v\n%s", pkg, arch, err, out)
	}
	return exe
}
