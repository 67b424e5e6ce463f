//go:build linux && (amd64 || arm64)

package loginplugin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
)

// The slice for Apple's processors does what the other does: this test's program,
// built for ARM64, loads it on an emulated processor, and runs all of the tests of
// what is shipped.
func TestSliceForARM64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		return // all the others have run it
	}
	qemu := testtool.Need(t, "qemu-aarch64-static", "qemu-aarch64")
	testtool.Need(t, "aarch64-linux-gnu-gcc") // whose C library it is
	tests := filepath.Join(t.TempDir(), "arm64.test")
	compile := exec.CommandContext(t.Context(), testtool.Need(t, "go"), "test", "-c", "-o", tests, ".")
	compile.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := exec.CommandContext(t.Context(), qemu, "-L", "/usr/aarch64-linux-gnu", tests, "-test.v", "-test.run", "^Test(Shipped|Mechanisms)")
	run.Env = append(os.Environ(), shippedProgram+"="+shipped(t))
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	passed := strings.Count(string(out), "\n--- PASS: Test")
	t.Logf("%d tests passed on ARM64", passed)
	if passed < 15 || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("%s", out)
	}
}
