package authdb

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/program"
	"firstday.dev/internal/testtool"
	"firstday.dev/templates/macos"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/macos-login.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPageShowsTheChange(t *testing.T) {
	var want strings.Builder
	for _, major := range []int{14, 15, 26} {
		before, err := Default(major)
		if err != nil {
			t.Fatal(err)
		}
		after, err := before.Enable()
		if err != nil {
			t.Fatal(err)
		}
		want.Reset()
		for _, m := range before.Mechanisms() {
			if m != AppleUI {
				want.WriteString("  " + m + "\n")
				continue
			}
			at := slices.Index(after.Mechanisms(), UI)
			want.WriteString("- " + m + "\n+ " + strings.Join(after.Mechanisms()[at:at+2], "\n+ ") + "\n")
		}
		if !strings.Contains(page(t), "```diff\n"+want.String()+"```\n") {
			t.Errorf("docs/macos-login.md has not what becomes of macOS %d:\n%s", major, want.String())
		}
	}
	d := Open(macos.DataFolder, program.System{})
	for _, s := range []string{d.folder + "/`", backupName + day.Format(backupStamp) + backupEnd, BundlePath, "the 19 newest"} {
		if !strings.Contains(page(t), s) {
			t.Errorf("docs/macos-login.md does not say %s", s)
		}
	}
	if maxBackups != 20 {
		t.Error("docs/macos-login.md has another number of backups")
	}
}

// The commands of the page run in a shell, with the database in a file.
func TestCommandsOfThePageBringAppleBack(t *testing.T) {
	sh := testtool.Need(t, "sh")
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	if len(commands) != 2 {
		t.Fatalf("%d commands", len(commands))
	}
	dir := t.TempDir()
	for name, script := range map[string]string{
		"sudo":     `exec "$@"`,
		"security": `case "$1 $2 $3" in "authorizationdb read system.login.console") cat "$RIGHT"; echo "YES (0)" >&2 ;; "authorizationdb write system.login.console") cat >"$RIGHT.new" ;; *) exit 255 ;; esac`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!"+sh+"\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := parseFile(t, "macos-14-crypt.plist")
	enabled, err := before.Enable()
	if err != nil {
		t.Fatal(err)
	}
	m, d := newMac(t, enabled.Mechanisms())
	d.folder = filepath.Join(dir, "backups")
	if _, err := d.backUp(before); err != nil {
		t.Fatal(err)
	}
	m.keep(string(enabled.Bytes()))
	if _, err := d.backUp(parseText(t, m.text)); err != nil {
		t.Fatal(err)
	}
	right := filepath.Join(dir, "right")
	if err := os.WriteFile(right, enabled.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		c := exec.Command(sh, "-ec", strings.ReplaceAll(command[1], macos.DataFolder+"/"+folderName, d.folder))
		c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "RIGHT="+right)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", command[1], err, out)
		}
		after, err := os.ReadFile(right + ".new")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before.Bytes()), string(after)); diff != "" {
			t.Errorf("%s: %s", command[1], diff)
		}
		if err := os.Remove(right + ".new"); err != nil {
			t.Fatal(err)
		}
	}
}
