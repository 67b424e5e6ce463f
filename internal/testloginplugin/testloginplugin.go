// Package testloginplugin builds the plug-in of macOS' login window for tests, and
// looks at built ones, wherever they are.
package testloginplugin

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/agent/loginplugin"
	"firstday.dev/internal/testtool"
)

// Build builds the bundle, and gives its folder.
func Build(tb testing.TB, version string) string {
	tb.Helper()
	Need(tb)
	dir := tb.TempDir()
	if err := Compile(dir, version); err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, loginplugin.Bundle)
}

// Need is for tests that have the bundle built: it looks for the tools that do it.
func Need(tb testing.TB) {
	tb.Helper()
	for _, tool := range []string{"clang", "ld64.lld", "llvm-lipo"} {
		testtool.LLVM(tb, tool)
	}
	root, err := sourceFolder()
	if err != nil {
		tb.Fatal(err)
	}
	for _, sources := range []string{root, filepath.Join(root, "..", "local", "reference"), filepath.Join(root, "..", "page")} {
		see(tb, sources)
	}
}

// Compile is Build for programs that are no tests: it puts the bundle into a folder.
func Compile(dir, version string) error {
	root, err := sourceFolder()
	if err != nil {
		return err
	}
	if out, err := exec.Command(filepath.Join(root, "build.sh"), dir, version).CombinedOutput(); err != nil {
		return fmt.Errorf("building the login plug-in: %w\n%s", err, out)
	}
	return nil
}

func sourceFolder() (string, error) {
	home, err := exec.Command("go", "list", "-f", "{{.Dir}}", "firstday.dev/agent/loginplugin").Output()
	return strings.TrimSpace(string(home)), err
}

// see looks at files that only other programs read: go test keeps a result as
// long as what the test has looked at stays the same.
func see(tb testing.TB, dir string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}
