package usb

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/micromdm/plist"

	"firstday.dev/internal/testtool"
)

func TestScriptsPassShellcheck(t *testing.T) {
	out, err := exec.Command(testtool.Need(t, "shellcheck"), "run", "install").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Windows must not have turned the ends of lines, and bash 3.2 takes other letters
// beside a variable for a part of its name.
func TestScriptsAreASCIIWithUnixLines(t *testing.T) {
	for name, text := range map[string]string{RunFile: Run, FirstBootInstallFile: FirstBootInstall} {
		beyond := func(c rune) bool { return c > '~' || c == '\r' }
		if !strings.HasPrefix(text, "#!/bin/sh\n") || strings.ContainsFunc(text, beyond) {
			t.Errorf("%s: no script of Unix in ASCII", name)
		}
	}
}

func TestDaemonRunsTheScript(t *testing.T) {
	var job struct {
		Label            string
		ProgramArguments []string
		RunAtLoad        bool
	}
	if err := plist.Unmarshal([]byte(FirstBootDaemon), &job); err != nil {
		t.Fatal(err)
	}
	if job.Label+".plist" != filepath.Base(FirstBootDaemonFile) || !job.RunAtLoad || len(job.ProgramArguments) != 2 || job.ProgramArguments[1] != "/Library/Application Support/Firstday/FirstBoot/install" {
		t.Errorf("%+v", job)
	}
}

// Names of organisations are text, wherever they come from.
func TestReadme(t *testing.T) {
	var b bytes.Buffer
	err := Readme{Organisation: "<script>alert(1)</script> & Co", Label: "FIRST DAY", Package: "<b>.pkg", Mac: "<p>Mac</p>"}.Write(&b)
	if err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, bad := range []string{"<script>", "<b>.pkg", `id="windows"`} {
		if strings.Contains(page, bad) {
			t.Errorf("%s is in the page", bad)
		}
	}
	for _, good := range []string{"<p>Mac</p>", `sh "/Volumes/FIRST DAY/run"</code>`, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co", "default-src 'none'"} {
		if !strings.Contains(page, good) {
			t.Errorf("%s is not in the page", good)
		}
	}
}
