//go:build unix

package macos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

// mac is a Mac for scripts: a folder with the places that they name, and with
// tools of that Mac's which keep the authorization database in a file.
type mac struct {
	t     *testing.T
	shell string
	root  string
}

// What the tools are told by files beside them: that they fail, or how.
const (
	unreadable = "unreadable"
	unwritable = "unwritable"
	forgetful  = "forgetful" // security says that it has written, and has not
)

const ticket = `#!/bin/sh
echo "security $*" >>"$ROOT/log"
right=$ROOT/right
case $2 in
read) [ ! -e "$ROOT/unreadable" ] && [ -e "$right" ] && cat "$right" ;;
write)
	[ ! -e "$ROOT/unwritable" ] || exit 255
	[ ! -e "$ROOT/forgetful" ] || exit 0
	cat >"$right.new" && mv "$right.new" "$right"
	;;
esac
`

func newMac(t *testing.T, shell string) *mac {
	t.Helper()
	m := &mac{t, testtool.Need(t, shell), filepath.Join(t.TempDir(), "the Mac")}
	m.write("usr/bin/security", ticket, 0o755)
	m.write("bin/launchctl", "#!/bin/sh\necho \"launchctl $1 $2\" >>\"$ROOT/log\"\n", 0o755)
	m.write("usr/sbin/pkgutil", "#!/bin/sh\necho \"pkgutil $*\" >>\"$ROOT/log\"\n", 0o755)
	m.write("tools/id", "#!/bin/sh\necho 0\n", 0o755)
	return m
}

func (m *mac) path(name string) string { return filepath.Join(m.root, name) }

func (m *mac) write(name, text string, mode fs.FileMode) {
	m.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(m.path(name)), 0o755), os.WriteFile(m.path(name), []byte(text), mode)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mac) exists(name string) bool {
	_, err := os.Lstat(m.path(name))
	return err == nil
}

func (m *mac) read(name string) string {
	b, err := os.ReadFile(m.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	return string(b)
}

// placed is a script with this Mac's places in it.
func (m *mac) placed(script []byte) string {
	text := string(script)
	for _, place := range []string{"/Library/", "/var/run/"} {
		text = strings.ReplaceAll(text, "\""+place, "\""+m.root+place)
		text = strings.ReplaceAll(text, "="+place, "='"+m.root+"'"+place)
		text = strings.ReplaceAll(text, " "+place, " '"+m.root+"'"+place)
		text = strings.ReplaceAll(text, "}"+place, "}"+m.root+place)
	}
	for _, tool := range []string{"/usr/bin/security", "/bin/launchctl", "/usr/sbin/pkgutil"} {
		text = strings.ReplaceAll(text, tool+" ", "'"+m.root+"'"+tool+" ")
	}
	return text
}

// run runs a script, and gives its code and what it said.
func (m *mac) run(script []byte, arguments ...string) (code int, said string) {
	m.t.Helper()
	_ = os.Remove(m.path("log"))
	c := exec.Command(m.shell, append([]string{"-s"}, arguments...)...)
	c.Stdin = strings.NewReader(m.placed(script))
	c.Env = []string{"PATH=" + m.path("tools") + ":" + os.Getenv("PATH"), "ROOT=" + m.root}
	out, _ := c.CombinedOutput() // the code tells
	return c.ProcessState.ExitCode(), string(out)
}

// The right as authd writes it, with Crypt's mechanism after the window's.
func right(lines ...string) string {
	text := "<plist version=\"1.0\">\n<dict>\n\t<key>mechanisms</key>\n\t<array>\n\t\t<string>builtin:policy-banner</string>\n"
	for _, line := range lines {
		text += "\t\t<string>" + line + "</string>\n"
	}
	return text + "\t\t<string>Crypt:Check,privileged</string>\n\t</array>\n</dict>\n</plist>\n"
}

// mechanisms are those of a right, however it is laid out.
func mechanisms(text string) (list []string) {
	for _, part := range strings.Split(text, "<string>")[1:] {
		mechanism, _, _ := strings.Cut(part, "<")
		list = append(list, mechanism)
	}
	return list
}

const (
	ourWindow   = "FirstdayLogin:login"
	ourGuard    = "FirstdayLogin:guard,privileged"
	theirWindow = "loginwindow:login"

	agentFolder = "Library/Application Support/Firstday/Agent/"
	dataFolder  = "Library/Application Support/Firstday/Data/"
	pluginPage  = "Library/Security/SecurityAgentPlugins/FirstdayLogin.bundle/Contents/Resources/index.html"
	otherPlugin = "Library/Security/SecurityAgentPlugins/Crypt.bundle/Contents/Info.plist"

	// What an agent can be like.
	agentThatKnows = "#!/bin/sh\necho \"agent $*\" >>\"$ROOT/log\"\n[ \"$*\" != \"login-window prepare\" ] || sed -i -e '/:guard,/d' -e 's/FirstdayLogin:login/loginwindow:login/' \"$ROOT/right\"\n"
	agentTooOld    = "#!/bin/sh\n[ \"$1\" = uninstall ] || { echo \"error: unknown command $1\" >&2; exit 2; }\n"
	agentThatLies  = "#!/bin/sh\nexit 0\n"
)

func eachShell(t *testing.T, test func(t *testing.T, shell string)) {
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) { test(t, shell) })
	}
}

// installed is a Mac with an agent, its plug-in and somebody else's.
func installed(t *testing.T, shell, agent, right string) *mac {
	t.Helper()
	m := newMac(t, shell)
	m.write(pluginPage, "<!doctype html>", 0o644)
	m.write(otherPlugin, "Crypt's", 0o644)
	for path := range LoginJobs("/x") {
		m.write(path, "plist", 0o644)
	}
	m.write(DaemonPath, "plist", 0o644)
	m.write(dataFolder+"enrollment.json", "{}", 0o600)
	m.write("Library/Application Support/Firstday/uninstall", "", 0o755)
	m.write("var/run/firstday/agent.sock", "", 0o600)
	if agent != "" {
		m.write(agentFolder+"1.2.3/firstday-agent", agent, 0o755)
	}
	if right != "" {
		m.write("right", right, 0o600)
	}
	return m
}

// windows is what becomes of the database by whichever script.
var windows = map[string]struct {
	agent, right, fault string
	want                []string // mechanisms, but for Apple's and Crypt's
	fails               bool
}{
	"macOS' own":                          {agentThatKnows, right(theirWindow), "", []string{theirWindow}, false},
	"somebody else's":                     {agentThatKnows, right("XCredsLoginPlugin:LoginWindow"), "", []string{"XCredsLoginPlugin:LoginWindow"}, false},
	"ours":                                {agentThatKnows, right(ourWindow, ourGuard), "", []string{theirWindow}, false},
	"ours, an old agent":                  {agentTooOld, right(ourWindow, ourGuard), "", []string{theirWindow}, false},
	"ours, an agent that does nothing":    {agentThatLies, right(ourWindow, ourGuard), "", []string{theirWindow}, false},
	"ours, no agent":                      {"", right(ourWindow, ourGuard), "", []string{theirWindow}, false},
	"ours, without the guard":             {"", right(ourWindow), "", []string{theirWindow}, false},
	"the guard alone":                     {"", right(theirWindow, ourGuard), "", []string{theirWindow}, false},
	"both":                                {"", right(theirWindow, ourWindow, ourGuard), "", []string{theirWindow}, false},
	"on one line":                         {"", strings.ReplaceAll(right(ourWindow, ourGuard), "\n", ""), "", []string{theirWindow}, false},
	"ours, written in vain":               {"", right(ourWindow, ourGuard), forgetful, []string{ourWindow, ourGuard}, true},
	"ours, not to be written":             {agentTooOld, right(ourWindow, ourGuard), unwritable, []string{ourWindow, ourGuard}, true},
	"ours, not to be read":                {agentTooOld, right(ourWindow, ourGuard), unreadable, []string{ourWindow, ourGuard}, true},
	"a mechanism of ours that is unknown": {"", right(ourWindow, "FirstdayLogin:other"), "", []string{ourWindow, "FirstdayLogin:other"}, true},
	"the guard without a window":          {"", right(ourGuard), "", []string{ourGuard}, true},
	"nothing in it":                       {"", "", "", nil, true},
}

// check is what holds after either script.
func (m *mac) check(name string, code int, said, what string) {
	m.t.Helper()
	c := windows[name]
	want := append(append([]string{"builtin:policy-banner"}, c.want...), "Crypt:Check,privileged")
	if diff := cmp.Diff(want, mechanisms(m.read("right"))); diff != "" && c.right != "" {
		m.t.Errorf("%s: the list (-want +got):\n%s", name, diff)
	}
	log := m.read("log")
	if c.fails != (code != 0) || c.fails != strings.Contains(said, what) {
		m.t.Errorf("%s: code %d, %s", name, code, said)
	}
	if m.exists(pluginPage) != c.fails {
		m.t.Errorf("%s: the plug-in is there: %v", name, m.exists(pluginPage))
	}
	if c.fails && !strings.HasSuffix(strings.TrimSpace(log), "launchctl bootstrap system") {
		m.t.Errorf("%s: the service was not started again:\n%s", name, log)
	}
	if strings.Contains(log, "authorizationdb write") && (!strings.Contains(c.right, "FirstdayLogin:") || c.agent == agentThatKnows) {
		m.t.Errorf("%s: written without need:\n%s", name, log)
	}
	if strings.Contains(log, "screensaver") || !m.exists(otherPlugin) {
		m.t.Errorf("%s: what is others' was touched:\n%s", name, log)
	}
}

func TestPreinstallPutsTheWindowBackBeforeThePluginGoes(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		for name, c := range windows {
			m := installed(t, shell, c.agent, c.right)
			m.fault(c.fault)
			code, said := m.run(Preinstall(), "package", "/", "/", "/")
			m.check(name, code, said, "so its plug-in is not replaced")
			if m.read(dataFolder+"enrollment.previous.json") != "{}" {
				t.Errorf("%s: the enrollment is not kept", name)
			}
		}
		m := newMac(t, shell) // and a Mac that has none of it
		if code, said := m.run(Preinstall(), "package", "/", "/", "/"); code != 0 || said != "" || strings.Contains(m.read("log"), "write") {
			t.Errorf("a new Mac: code %d, %s%s", code, said, m.read("log"))
		}
	})
}

func (m *mac) fault(name string) {
	if name != "" {
		m.write(name, "", 0o600)
	}
}

// The database of a system that does not run is out of reach.
func TestPreinstallOnAnotherVolume(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		m := installed(t, shell, agentThatKnows, right(ourWindow, ourGuard))
		other := filepath.Join(t.TempDir(), "Other HD")
		page := filepath.Join(other, m.path(pluginPage))
		if err := errors.Join(os.MkdirAll(filepath.Dir(page), 0o755), os.WriteFile(page, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		code, said := m.run(Preinstall(), "package", "/", other, "/")
		if _, err := os.Stat(page); code != 0 || said != "" || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("code %d, %s, %v", code, said, err)
		}
		if m.read("log") != "" || !m.exists(pluginPage) {
			t.Errorf("the running system was touched:\n%s", m.read("log"))
		}
	})
}

func TestUninstallPutsTheWindowBackAndLeavesNothing(t *testing.T) {
	script := Uninstall("dev.firstday.acme")
	eachShell(t, func(t *testing.T, shell string) {
		for name, c := range windows {
			m := installed(t, shell, c.agent, c.right)
			m.fault(c.fault)
			before := m.files()
			code, said := m.run(script)
			m.check(name, code, said, "so nothing is removed")
			want := []string{otherPlugin}
			if c.fails {
				want = before
			}
			if diff := cmp.Diff(want, m.files()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if c.fails {
				continue
			}
			if !strings.Contains(m.read("log"), "pkgutil --forget dev.firstday.acme") {
				t.Errorf("%s: the receipt stays:\n%s", name, m.read("log"))
			}
			if code, said := m.run(script); code != 0 {
				t.Errorf("%s, again: code %d, %s", name, code, said)
			}
		}
	})
}

func TestUninstallSaysThatTheAgentCannot(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		m := installed(t, shell, "#!/bin/sh\necho \"error: $1: busy\" >&2\nexit 3\n", right(ourWindow, ourGuard))
		code, said := m.run(Uninstall("dev.firstday.acme"))
		if code != 3 || !strings.Contains(said, "error: uninstall: busy") || m.exists(pluginPage) || strings.Contains(m.read("right"), "FirstdayLogin:") {
			t.Errorf("code %d, %s", code, said)
		}
		if !m.exists("Library/Application Support/Firstday/uninstall") || !m.exists(agentFolder+"1.2.3/firstday-agent") {
			t.Error("nobody can try again")
		}
	})
}

// files lists what is in the places of the Mac's that packages write to.
func (m *mac) files() (list []string) {
	m.t.Helper()
	for _, folder := range []string{"Library", "var"} {
		err := filepath.WalkDir(m.path(folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				name, _ := filepath.Rel(m.root, path)
				list = append(list, name)
			}
			return err
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	return list
}

// Whichever command a script is cut at, the database names no plug-in that is not
// there, and the script run again does what is left.
func TestScriptsMayBeCutAnywhere(t *testing.T) {
	bash := testtool.Need(t, "bash")
	for name, script := range map[string][]byte{"preinstall": Preinstall(), "uninstall": Uninstall("dev.firstday.acme")} {
		for _, agent := range []string{agentTooOld, agentThatKnows} {
			for n := 1; ; n++ {
				m := installed(t, bash, agent, right(ourWindow, ourGuard))
				cut := fmt.Sprintf("n=0\ntrap 'n=$((n+1)); [ $n -le %d ] || kill -9 $$' DEBUG\nset -T\n", n)
				code, _ := m.run(append([]byte(cut), script...), "package", "/", "/", "/")
				if strings.Contains(m.read("right"), "FirstdayLogin:") && !m.exists(pluginPage) {
					t.Errorf("%s, cut after %d commands: the database names what is not there", name, n)
				}
				if again, said := m.run(script, "package", "/", "/", "/"); again != 0 || m.exists(pluginPage) || strings.Contains(m.read("right"), "FirstdayLogin:") {
					t.Errorf("%s, cut after %d commands, again: code %d, %s", name, n, again, said)
				}
				if left := m.files(); name == "uninstall" && !cmp.Equal([]string{otherPlugin}, left) {
					t.Errorf("cut after %d commands and run again it leaves %q", n, left)
				}
				if code == 0 {
					if n < 10 {
						t.Errorf("%s has only %d commands", name, n)
					}
					break
				}
			}
		}
	}
}

func TestShellcheckFindsNothing(t *testing.T) {
	shellcheck := testtool.Need(t, "shellcheck")
	for name, script := range map[string][]byte{
		"preinstall": Preinstall(), "postinstall": Postinstall("1.2.3"), "uninstall": Uninstall("dev.firstday.acme"),
	} {
		c := exec.Command(shellcheck, "--shell=sh", "-")
		c.Stdin = bytes.NewReader(script)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
