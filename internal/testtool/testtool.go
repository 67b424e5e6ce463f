// Package testtool finds the outside programs that judge our output in tests.
package testtool

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Need returns the path of the first of the named programs that is installed.
// Where none is, it skips the test, except under CI=true, where it fails it:
// a judge that stays at home must never look like an acquittal.
func Need(tb testing.TB, names ...string) string {
	tb.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		tb.Fatalf("none of %q is installed; `make setup` installs them", names)
	}
	tb.Skipf("none of %q is installed; `make setup` installs them", names)
	return ""
}

// LLVM is Need for programs of LLVM, some of which Debian and Ubuntu have under the
// name of their version only: the newest one is taken.
func LLVM(tb testing.TB, name string) string {
	tb.Helper()
	names := []string{name}
	for version := 30; version >= 14; version-- {
		names = append(names, fmt.Sprintf("%s-%d", name, version))
	}
	return Need(tb, names...)
}

// Build builds a program of a module of tools, whose go.mod is named from the
// test's folder, and gives its path. It stays in the build cache.
func Build(tb testing.TB, modfile, name string) string {
	tb.Helper()
	c := exec.CommandContext(tb.Context(), Need(tb, "go"), "tool", "-modfile="+modfile, "-n", name)
	var told bytes.Buffer // of downloads
	c.Stderr = &told
	out, err := c.Output()
	if err != nil {
		NotBuilt(tb, name, err, told.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// NotBuilt ends a test that needs a program of another module, which cannot be
// had.
func NotBuilt(tb testing.TB, name string, err error, out []byte) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%s cannot be built: %v\n%s", name, err, out)
	}
	tb.Skipf("%s cannot be built: %v\n%s", name, err, out)
}
