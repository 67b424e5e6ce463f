package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
		answer(exitNoTile):          exitNoTile,
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
	for _, args := range [][]string{{"--help"}, {"install", "--help"}, {"run", "--help"}, {"signin", "--help"}, {"status", "--help"}, {"diagnose", "--help"}, {"uninstall", "--help"}, {"tile", "--help"}, {"tile", "status", "--help"}, {"tile", "on", "--help"}, {"tile", "off", "--help"}} {
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
	for _, args := range [][]string{{"instal"}, {"install", "now"}, {"status", "--xml"}, {"--root"}, {"tile", "of"}, {"tile", "on", "--reason", "x"}, {"tile", "off", "now"}} {
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

func TestDiagnose(t *testing.T) {
	dir := t.TempDir()
	root := []string{"--root", t.TempDir()}
	if runtime.GOOS == "windows" {
		root = nil // there is no other
	}
	bundle := filepath.Join(dir, "bundle.zip")
	for range 2 { // the second one takes the first one's place
		code, out, errOut := execute(append(root, "diagnose", "-o", bundle, "--json")...)
		var d diagnoseResult
		if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitOK || errOut != "" {
			t.Fatalf("code %d, %v\n%s%s", code, err, out, errOut)
		}
		if d.Output != bundle || d.Schema != agent.DiagnosisSchema || d.Installed || len(d.Problems) == 0 || len(d.Files) < 10 {
			t.Errorf("%+v", d)
		}
	}
	z, err := zip.OpenReader(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if z.File[0].Name != "INDEX.txt" {
		t.Errorf("it begins with %s", z.File[0].Name)
	}
	if info, err := os.Stat(bundle); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	t.Chdir(dir)
	code, out, errOut := execute(append(root, "diagnose")...)
	named, err := filepath.Glob("firstday-diagnose-*Z.zip")
	if code != exitOK || err != nil || len(named) != 1 || !strings.Contains(out, named[0]+" is written") || !strings.Contains(out, "problem  the agent is not installed") {
		t.Errorf("code %d, %v\n%s%s", code, named, out, errOut)
	}
	for _, output := range []string{dir, filepath.Join(dir, "none", "x.zip")} {
		if code, out, errOut := execute(append(root, "diagnose", "-o", output)...); code != exitFailure || out != "" || !strings.Contains(errOut, "error: ") {
			t.Errorf("%s: code %d\n%s%s", output, code, out, errOut)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestStatusTellsWhereTheKeyIs(t *testing.T) {
	for want, k := range map[string]agent.KeyStatus{
		"in the TPM (IFX, firmware 7.85.17.51968)": {Storage: api.KeyInTPM, TPM: &api.TPM{Manufacturer: "IFX", Firmware: "7.85.17.51968"}},
		"in the TPM, which does not answer":        {Storage: api.KeyInTPM},
		"in a file: there is no TPM":               {Storage: api.KeyInFile, Reason: "there is no TPM"},
		"in a file":                                {Storage: api.KeyInFile},
	} {
		var out bytes.Buffer
		err := printStatus(&out, &agent.Status{Enrolment: &agent.Enrolment{Key: &k}})
		if err != nil || !regexp.MustCompile(`(?m)^key +`+regexp.QuoteMeta(want)+`$`).MatchString(out.String()) {
			t.Errorf("%q is not in\n%s%v", want, &out, err)
		}
	}
}
