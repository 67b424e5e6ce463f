//go:build amd64 || arm64

package loginplugin_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"firstday.dev/agent/authdb"
)

const (
	agentProgram = "/Library/Application Support/Firstday/Agent/1.2.3/firstday-agent"
	security     = "/usr/bin/security"
)

// place puts a script in the place of a program.
func (m *mac) place(program, script string) {
	m.t.Helper()
	path := filepath.Join(m.t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		m.t.Fatal(err)
	}
	m.programs[program] = path
}

// database puts a script in the place of security, with the right in a file.
func (m *mac) database(text string) (file string) {
	m.t.Helper()
	file = filepath.Join(m.t.TempDir(), "right.plist")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.place(security, `case "$*" in
"authorizationdb read system.login.console") cat '`+file+`' ;;
"authorizationdb write system.login.console") cat >'`+file+`.new' && mv '`+file+`.new' '`+file+`' ;;
*) exit 255 ;;
esac`)
	return file
}

func contents(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// armed is macOS' definition, and what it is with our window.
func armed(t *testing.T, major int) (before, after string) {
	t.Helper()
	apple, err := authdb.Default(major)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := apple.Enable()
	if err != nil {
		t.Fatal(err)
	}
	return string(apple.Bytes()), string(ours.Bytes())
}

var typed = map[string]string{"username": "ann\x00", "password": "hunter22\x00"}

// guards runs the guard with what the window's mechanism has left.
func (m *mac) guards(context map[string]string, why string) uint32 {
	m.t.Helper()
	e := m.begin("guard", context, func(e *engine) {
		if why != "" {
			e.hints["firstday.fallback"] = why + "\x00"
		}
	})
	result := e.ends()
	if diff := cmp.Diff(context, e.context); diff != "" && len(e.context) > 0 {
		m.t.Errorf("the context (-before +after):\n%s", diff)
	}
	return result
}

func TestShippedGuardLetsPass(t *testing.T) {
	m := newMac(t)
	if result := m.guards(typed, ""); result != allow || len(m.spawned) > 0 {
		t.Errorf("result %d, %q", result, m.spawned)
	}
}

// With the agent there, it is the agent that repairs.
func TestShippedGuardHasTheAgentRepair(t *testing.T) {
	for name, c := range map[string]struct {
		context map[string]string
		why     string
	}{
		"by the hint":                {nil, "agent-lost"},
		"by the hint, with a name":   {typed, "engine"},
		"without a name":             {nil, ""},
		"without a password":         {map[string]string{"username": "ann\x00"}, ""},
		"with a name of no length":   {map[string]string{"username": "", "password": "x\x00"}, ""},
		"without a name of somebody": {map[string]string{"password": "x\x00"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			apple, _ := armed(t, 14)
			m.database(apple) // as the agent leaves it
			m.place(agentProgram, "exit 0")
			result := m.guards(c.context, c.why)
			if diff := cmp.Diff([][]string{{agentProgram, "login-window", "off"}, {security, "authorizationdb", "read", "system.login.console"}}, m.spawned); diff != "" || result != canceled {
				t.Errorf("result %d (-want +got):\n%s", result, diff)
			}
		})
	}
}

// Without an agent, or with one that fails or hangs, the guard puts Apple's line
// back by itself, byte for byte as the agent would.
func TestShippedGuardRepairs(t *testing.T) {
	for name, agent := range map[string]string{"missing": "", "failing": "exit 2", "killed": "kill -9 $$", "hanging": "exec sleep 600"} {
		t.Run("with the agent "+name, func(t *testing.T) {
			m := newMac(t)
			if agent != "" {
				m.place(agentProgram, agent)
			}
			before, after := armed(t, 14)
			file := m.database(after)
			stop := make(chan struct{})
			go func() { // what hangs is waited for by the plug-in's clock
				for agent == "exec sleep 600" {
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
						if m.mu.Lock(); len(m.spawned) == 1 {
							m.pass(time.Second)
						}
						m.mu.Unlock()
					}
				}
			}()
			if result := m.guards(nil, "no-agent"); result != canceled {
				t.Errorf("result %d", result)
			}
			close(stop)
			if diff := cmp.Diff(before, contents(t, file)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where the host of plug-ins ignores SIGCHLD, nobody is told how a program ended: what
// the database holds is what counts, and it counts more than what a program says.
func TestShippedGuardReadsWhatIsThere(t *testing.T) {
	apple, ours := armed(t, 14)
	const writes = `exec /usr/bin/env cp "$APPLE" "$RIGHT"`
	for name, c := range map[string]struct {
		is, agent string // what the database holds; empty agent: there is none
		security  string // in the place of the right one
		ignored   bool   // SIGCHLD
		result    uint32
		want      string // in the database
	}{
		"ignored, the agent does it":                {ours, writes, "", true, canceled, apple},
		"ignored, the agent fails":                  {ours, "exit 2", "", true, canceled, apple},
		"ignored, there is no agent":                {ours, "", "", true, canceled, apple},
		"ignored, security does not write":          {ours, "", `case "$2" in read) cat "$RIGHT" ;; *) cat >/dev/null ;; esac`, true, deny, ours},
		"ignored, security reads nothing":           {ours, "exit 0", "exit 1", true, deny, ours},
		"the agent says so, and has not done it":    {ours, "exit 0", "", false, canceled, apple},
		"the agent has done it, and says otherwise": {ours, `/usr/bin/env cp "$APPLE" "$RIGHT"; exit 2`, "", false, canceled, apple},
		"the agent says so, nobody can read":        {ours, "exit 0", "exit 1", false, canceled, ours},
		"security has written, and says otherwise":  {ours, "", `case "$2" in read) cat "$RIGHT" ;; *) cat >"$RIGHT"; exit 1 ;; esac`, false, canceled, apple},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			file := m.database(c.is)
			back := filepath.Join(t.TempDir(), "apple.plist")
			if err := os.WriteFile(back, []byte(apple), 0o600); err != nil {
				t.Fatal(err)
			}
			files := strings.NewReplacer("$RIGHT", file, "$APPLE", back)
			if c.agent != "" {
				m.place(agentProgram, files.Replace(c.agent))
			}
			if c.security != "" {
				m.place(security, files.Replace(c.security))
			}
			if c.ignored {
				signal.Ignore(unix.SIGCHLD)
				defer func() { // Reset leaves it ignored
					again := make(chan os.Signal, 1)
					signal.Notify(again, unix.SIGCHLD)
					signal.Stop(again)
				}()
			}
			defer m.hurry(250 * time.Millisecond)()
			if result := m.guards(nil, "no-agent"); result != c.result {
				t.Errorf("result %d", result)
			}
			if diff := cmp.Diff(c.want, contents(t, file)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestShippedGuardRepairsWhatOthersChanged(t *testing.T) {
	apple, armed15 := armed(t, 15)
	crypt := contents(t, "../authdb/testdata/macos-14-crypt.plist")
	definition, err := authdb.Parse([]byte(crypt))
	if err != nil {
		t.Fatal(err)
	}
	with, err := definition.Enable()
	if err != nil {
		t.Fatal(err)
	}
	const ours, guard = "<string>FirstdayLogin:login</string>", "<string>FirstdayLogin:guard,privileged</string>"
	for name, c := range map[string]struct{ is, want string }{
		"another product's mechanisms stay": {string(with.Bytes()), crypt},
		"the guard is gone":                 {strings.Replace(armed15, guard, "", 1), ""},
		"Apple's window is back already":    {strings.Replace(armed15, ours, "<string>loginwindow:login</string>", 1), ""},
		"both windows":                      {strings.Replace(armed15, ours, "<string>loginwindow:login</string>"+ours, 1), ""},
		"our window twice":                  {strings.Replace(armed15, ours, ours+ours, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			file := m.database(c.is)
			result := m.guards(nil, "no-agent")
			got, err := authdb.Parse([]byte(contents(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			want := apple
			if c.want != "" {
				want = c.want
			}
			expected, err := authdb.Parse([]byte(want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(expected.Mechanisms(), got.Mechanisms()); diff != "" || got.Judge().State != authdb.Apple || result != canceled {
				t.Errorf("result %d, %v (-want +got):\n%s", result, got.Judge(), diff)
			}
		})
	}
}

// What cannot be repaired is not written, and nobody is let in.
func TestShippedGuardCannotRepair(t *testing.T) {
	_, ours := armed(t, 14)
	for name, c := range map[string]struct{ is, security string }{
		"there is no security":      {ours, "missing"},
		"it refuses to read":        {ours, "exit 255"},
		"it refuses to write":       {ours, `case "$2" in read) cat "$RIGHT" ;; *) cat >/dev/null; exit 255 ;; esac`},
		"it does not write":         {ours, `case "$2" in read) cat "$RIGHT" ;; *) cat >/dev/null ;; esac`},
		"it reads nothing":          {"", ""},
		"it reads something else":   {"<plist/>", ""},
		"it reads an unknown one":   {strings.Replace(ours, "FirstdayLogin:login<", "FirstdayLogin:other<", 1), ""},
		"there are two of Apple's":  {strings.Replace(ours, "FirstdayLogin:login<", "loginwindow:login</string><string>loginwindow:login<", 1), ""},
		"it reads without an end":   {ours, "exec cat /dev/zero"},
		"it reads a NUL":            {ours + "\x00", ""},
		"it closes before it reads": {ours, `case "$2" in read) cat "$RIGHT" ;; *) exec <&-; exit 1 ;; esac`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			file := m.database(c.is)
			switch c.security {
			case "":
			case "missing":
				delete(m.programs, security)
			default:
				m.place(security, strings.ReplaceAll(c.security, "$RIGHT", file))
			}
			stop := m.hurry(250 * time.Millisecond) // through the rest before the next attempt
			result := m.guards(nil, "no-agent")
			stop()
			if result != deny {
				t.Errorf("result %d", result)
			}
			if got := contents(t, file); got != c.is {
				t.Errorf("it wrote %q", got)
			}
			if !slices.Contains(m.spawned[0], "login-window") {
				t.Errorf("%q", m.spawned)
			}
		})
	}
}
