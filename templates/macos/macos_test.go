package macos

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/micromdm/plist"
)

func TestLaunchDaemonSaysWhatToRun(t *testing.T) {
	const program = "/Library/Application Support/Firstday <&> Co/Agent/1.2.3/firstday-agent"
	var got map[string]any
	if err := plist.Unmarshal(LaunchDaemon(program), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Label":            "dev.firstday.agent",
		"ProgramArguments": []any{program, "run"},
		"RunAtLoad":        true,
		"KeepAlive":        true,
		"Umask":            uint64(0o077),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The watchdog of the login window is root's, and lives where it is shown only.
func TestLoginJobsSayWhatToRun(t *testing.T) {
	const program = "/Library/Application Support/Firstday/Agent/1.2.3/firstday-agent"
	got := make(map[string]any)
	for path, job := range LoginJobs(program) {
		var read map[string]any
		if err := plist.Unmarshal(job, &read); err != nil {
			t.Fatal(err)
		}
		got[path] = read
	}
	want := make(map[string]any)
	for _, command := range []string{"login-watch", "login-beside"} {
		want["/Library/LaunchAgents/dev.firstday."+command+".plist"] = map[string]any{
			"Label":                  "dev.firstday." + command,
			"ProgramArguments":       []any{program, command},
			"LimitLoadToSessionType": "LoginWindow",
			"RunAtLoad":              true,
			"KeepAlive":              map[string]any{"SuccessfulExit": false},
			"Umask":                  uint64(0o077),
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every sh must understand the scripts; that of the recovery system has few
// friends.
func TestScriptsAreShell(t *testing.T) {
	for name, script := range map[string][]byte{
		"preinstall": Preinstall(), "postinstall": Postinstall("1.2.3"), "uninstall": Uninstall("dev.firstday.acme"),
	} {
		if bytes.Contains(script, []byte("@")) {
			t.Errorf("%s: something is not filled in", name)
		}
		for _, shell := range []string{"sh", "bash"} {
			check := exec.Command(shell, "-n")
			check.Stdin = bytes.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s %s: %v\n%s", shell, name, err, out)
			}
		}
	}
}

func TestPreinstallKeepsTheEnrollment(t *testing.T) {
	volume := t.TempDir()
	data := filepath.Join(volume, DataFolder)
	previous := filepath.Join(data, "enrollment.previous.json")
	run := func() {
		t.Helper()
		script := exec.Command("sh", "-s", "package", "/", volume+"/", "/")
		script.Stdin = bytes.NewReader(Preinstall())
		if out, err := script.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run() // on a new Mac there is nothing to keep
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, contents := range []string{"first", "second"} {
		if err := os.WriteFile(filepath.Join(data, "enrollment.json"), []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		run()
		// The second package replaces the first before any agent ran by it.
		if got, err := os.ReadFile(previous); err != nil || string(got) != "first" {
			t.Errorf("%d: %q, %v", i, got, err)
		}
	}
	if info, err := os.Stat(previous); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode: %v, %v", info, err)
	}
}

func TestPostinstallStartsNothingElsewhere(t *testing.T) {
	for volume, code := range map[string]int{"/Volumes/Other": 0, "/": 127} { // 127: there is no agent to run
		script := exec.Command("sh", "-s", "package", "/", volume, "/")
		script.Stdin = bytes.NewReader(Postinstall("1.2.3"))
		_ = script.Run()
		if got := script.ProcessState.ExitCode(); got != code {
			t.Errorf("%s: code %d, want %d", volume, got, code)
		}
	}
}
