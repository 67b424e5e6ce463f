package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"firstday.dev/agent"
	"firstday.dev/agent/terminal"
	"firstday.dev/api"
)

// execute runs the command line in this process.
func execute(args ...string) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errOut)
	err := root.Execute()
	report(&errOut, err)
	return exitCode(err), out.String(), errOut.String()
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	for err, want := range map[error]int{
		nil:                         exitOK,
		errors.New("odd"):           exitFailure,
		usageError{nil}:             exitUsage,
		agent.ErrEnrollment:         exitEnrollment,
		agent.ErrArchitecture:       exitArchitecture,
		fs.ErrPermission:            exitPermission,
		agent.ErrDowngrade:          exitDowngrade,
		agent.ErrBusy:               exitBusy,
		agent.ErrPayload:            exitPayload,
		agent.ErrNotInstalled:       exitNotInstalled,
		&terminal.NotOfferedError{}: exitNotOffered,
		answer(exitReboot):          exitReboot,
		answer(exitNotEnrolled):     exitNotEnrolled,
	} {
		wrapped := err
		if err != nil {
			wrapped = fmt.Errorf("installing: %w", err)
		}
		if got := exitCode(wrapped); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
		if err != nil && err != answer(exitReboot) && !strings.Contains(exitCodesHelp, fmt.Sprintf("\n  %4d  ", want)) { //nolint:errorlint // the very value
			t.Errorf("the help does not mention %d", want)
		}
	}
}

func TestHelpShowsExamples(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"install", "--help"}, {"run", "--help"}, {"signin", "--help"}, {"status", "--help"}, {"uninstall", "--help"}} {
		code, out, _ := execute(args...)
		if code != exitOK || !strings.Contains(out, "Examples:") {
			t.Errorf("%q: code %d\n%s", args, code, out)
		}
	}
	if code, out, _ := execute("--version"); code != exitOK || !strings.Contains(out, version) {
		t.Errorf("--version: code %d, %q", code, out)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"instal"}, {"install", "now"}, {"status", "--xml"}, {"--root"}} {
		code, out, errOut := execute(args...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errOut, "error: ") {
			t.Errorf("%q: code %d, %q, %q", args, code, out, errOut)
		}
	}
}

func TestWithoutAPackage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no other root on Windows")
	}
	root := t.TempDir()
	code, _, errOut := execute("status", "--root", root)
	if code != exitNotInstalled || !strings.Contains(errOut, "hint: ") {
		t.Errorf("status: code %d, %s", code, errOut)
	}
	code, _, errOut = execute("install", "--root", root, "--enrollment", filepath.Join(root, api.EnrollmentFile))
	if code != exitEnrollment || !strings.Contains(errOut, api.EnrollmentFile) {
		t.Errorf("install: code %d, %s", code, errOut)
	}
	if code, _, errOut = execute("uninstall", "--root", root); code != exitOK {
		t.Errorf("uninstall: code %d, %s", code, errOut)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
}
