//go:build !windows

package credprov_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/testvectors"
)

// vectors are those of the local protocol.
const vectors = "../local/testdata"

// core is a command that tries the core.
type core []string

// withSanitizers builds the core for this system.
func withSanitizers(t *testing.T) core {
	t.Helper()
	program := filepath.Join(t.TempDir(), "core")
	out, err := exec.Command(testtool.Need(t, "gcc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-g",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program,
		"testdata/core/main.c", "native/core.c", "../local/reference/surface.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return core{program}
}

// shippedForARM64 is the core in the DLL that is shipped for ARM64: the very
// instructions, on an emulated processor, called by a program of Linux. It shows
// that they read and decide as on other processors. What calls Windows, such as
// the pipe, the threads and COM, is not run for ARM64 by any test.
func shippedForARM64(t *testing.T) core {
	t.Helper()
	qemu := testtool.Need(t, "qemu-aarch64-static", "qemu-aarch64")
	dir, program := testcredprov.Build(t, "1.2.3"), filepath.Join(t.TempDir(), "core")
	args := []string{"-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-static", "-o", program, "testdata/core/main.c", "testdata/core/shipped.c"}
	args = append(args, fmt.Sprintf("-DDLL=%q", filepath.Join(dir, "firstday-credprov-arm64.dll")))
	for name, at := range functions(t, filepath.Join(dir, "firstday-credprov-arm64.map")) {
		args = append(args, fmt.Sprintf("-DAT_%s=%#x", name, at))
	}
	if out, err := exec.Command(testtool.Need(t, "aarch64-linux-gnu-gcc"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return core{qemu, program}
}

// functions reads where the core's functions lie, from a linker's map.
func functions(t *testing.T, file string) map[string]uint64 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const base = 0x180000000
	at := make(map[string]uint64)
	for _, m := range regexp.MustCompile(`(?m)^ 0001:[0-9a-f]{8} +((?:core|surface)_\w+) +([0-9a-f]{16}) `).FindAllStringSubmatch(string(data), -1) {
		address, err := strconv.ParseUint(m[2], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		at[m[1]] = address - base
	}
	return at
}

func TestCoreWithSanitizers(t *testing.T) { withSanitizers(t).stands(t) }

func TestCoreShippedForARM64(t *testing.T) { shippedForARM64(t).stands(t) }

// stands runs all that is asked of the core.
func (c core) stands(t *testing.T) {
	t.Run("understands the vectors", c.understandsTheVectors)
	t.Run("survives any frames", c.survivesAnyFrames)
	t.Run("keeps no secrets and waits for nothing", c.keepsNoSecrets)
}

func (c core) run(t *testing.T, in []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command(c[0], append(c[1:len(c):len(c)], args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &problems)
	}
	return strings.TrimSpace(string(out))
}

// drawn is what a tile draws of what a surface has understood: the screens that
// are not hidden, without what it does not show, and none that looks as the one
// before.
func drawn(understood string) string {
	var screens []string
	var screen *strings.Builder
	flush := func() {
		if screen != nil && !strings.Contains(screen.String(), "\nstate=hidden\n") {
			screens = append(screens, screen.String())
		}
		screen = nil
	}
	lines := strings.Split(understood, "\n")
	for _, line := range lines[:len(lines)-1] {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case !ok:
			flush()
			if strings.HasPrefix(line, "screen ") {
				screen = new(strings.Builder)
				screen.WriteString("screen\n")
			}
		case screen == nil:
		case key == "field":
			parts := strings.SplitN(value, " ", 3)
			kind := "secret"
			if parts[1] == "text" || parts[1] == "digits" {
				kind = "plain"
			}
			fmt.Fprintf(screen, "field=%s %s label=%s\n", parts[0], kind, parts[2])
		case key == "action":
			parts := strings.SplitN(value, " ", 3)
			fmt.Fprintf(screen, "action=%s %s label=%s\n", parts[0], parts[1], parts[2])
		case slices.Contains([]string{"state", "title", "message", "text", "usercode", "uri", "qr", "logon"}, key):
			screen.WriteString(line + "\n")
		}
	}
	flush()
	return strings.Join(slices.Compact(screens), "") + lines[len(lines)-1]
}

func (c core) understandsTheVectors(t *testing.T) {
	streams, want := testvectors.Service(t, vectors)
	for name, stream := range streams {
		expected := drawn(want[name])
		if strings.Contains("\n"+want[name], "\nerror ") || strings.Contains("\n"+want[name], "\nok logon") {
			// Words that nothing was said for: a reader takes them, a tile hangs up.
			expected = expected[:strings.LastIndex("\n"+expected, "\n")] + "refused"
		}
		if diff := cmp.Diff(expected, c.run(t, stream, "show", "1")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever a service sends, the core stays in its bounds; where there are sanitizers, they look on.
func (c core) survivesAnyFrames(t *testing.T) {
	const count = 12000
	got := c.run(t, testvectors.Frames(t, vectors, 1, count), "frames")
	t.Log(got)
	var all, whole int
	if _, err := fmt.Sscanf(got, "%d frames, %d to the end", &all, &whole); err != nil || all != count || whole < count/10 {
		t.Errorf("%s, %v", got, err)
	}
}

// What was typed, and what came to log on with, is gone when it was used, and is
// for who typed it only; and no answer is waited for without end. The program
// itself asserts it.
func (c core) keepsNoSecrets(t *testing.T) {
	for _, what := range []string{"secrets", "times"} {
		if got := c.run(t, nil, what); got != "done" {
			t.Errorf("%s: %s", what, got)
		}
	}
}
