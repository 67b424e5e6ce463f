// Package testloginplugin builds the plug-in of macOS' login window for tests, and
// looks at built ones, wherever they are.
package testloginplugin

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"firstday.dev/agent/loginplugin"
	"firstday.dev/internal/testtool"
)

// sources is the package with them.
const sources = "firstday.dev/agent/loginplugin"

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
	root, err := testtool.Folder(sources)
	if err != nil {
		tb.Fatal(err)
	}
	for _, dir := range []string{root, filepath.Join(root, "..", "local", "reference"), filepath.Join(root, "..", "page")} {
		testtool.See(tb, dir)
	}
}

// Compile is Build for programs that are no tests: it puts the bundle into a folder.
func Compile(dir, version string) error {
	root, err := testtool.Folder(sources)
	if err != nil {
		return err
	}
	if out, err := exec.Command(filepath.Join(root, "build.sh"), dir, version).CombinedOutput(); err != nil {
		return fmt.Errorf("building the login plug-in: %w\n%s", err, out)
	}
	return nil
}
