package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent"
	"firstday.dev/agent/authdb"
	"firstday.dev/api"
	"firstday.dev/internal/testmac"
)

// armedMac is one whose login window is ours, with no service and no network.
func armedMac(t *testing.T, program string) (m *testmac.Mac, apple []string) {
	t.Helper()
	m = testmac.New(t, program, "C02OFF")
	m.Install(api.Directory{URL: "https://127.0.0.1:9", Pin: "sha256:" + strings.Repeat("ab", 32)}, "fdk_of-the-tests")
	apple = m.List().Mechanisms()
	m.Arm()
	return m, apple
}

// off runs the command, and gives how it ended.
func off(m *testmac.Mac, env []string, args ...string) (code int, errOut string) {
	c := m.Command(append([]string{"login-window", "off"}, args...)...)
	var stderr bytes.Buffer
	c.Env, c.Stderr = append([]string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"}, env...), &stderr
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return -1, err.Error()
	}
	return c.ProcessState.ExitCode(), stderr.String()
}

// The shipped command puts Apple's own list back, whoever calls it: a person, or the
// plug-in's guard. It says who it was, and starts the window anew for a person only.
func TestLoginWindowOff(t *testing.T) {
	t.Parallel()
	program := testmac.Build(t)
	for name, c := range map[string]struct {
		env, args []string
		want      agent.LoginOff
		window    string
	}{
		"by a person":              {args: []string{"--reason", "until May"}, want: agent.LoginOff{By: agent.LoginByAdministrator, Reason: "until May"}, window: "1@1+"},
		"by a person, for nothing": {want: agent.LoginOff{By: agent.LoginByAdministrator}, window: "1@1+"},
		"by the guard": {env: []string{guardVariable + "=1"}, window: "1@1",
			want: agent.LoginOff{By: agent.LoginByGuard, Reason: "the plug-in has put macOS' own login window back, by itself or because somebody asked for it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, apple := armedMac(t, program)
			for range 2 { // the second finds nothing to do
				if code, errOut := off(m, c.env, c.args...); code != exitOK || errOut != "" {
					t.Fatalf("code %d: %s", code, errOut)
				}
				if diff := cmp.Diff(apple, m.List().Mechanisms()); diff != "" || m.List().Judge().State != authdb.Apple {
					t.Errorf("the list (-want +got):\n%s", diff)
				}
			}
			var seats struct{ Window string }
			var got agent.LoginOff
			read(t, m.Path("seats.json"), &seats)
			read(t, m.Path("Library/Application Support/Firstday/Data/loginwindow.off.json"), &got)
			if got.By != c.want.By || got.Reason != c.want.Reason || got.Boot == "" || seats.Window != c.window {
				t.Errorf("%+v, window %s", got, seats.Window)
			}
		})
	}
}

// Where security(1) does not do as it is told, the command says so, and the list is
// as it was.
func TestLoginWindowOffIsRefused(t *testing.T) {
	t.Parallel()
	program := testmac.Build(t)
	for name, c := range map[string]struct{ script, says string }{
		"it refuses to read":  {`echo 'NO (-60005)' >&2; exit 255`, "status -60005"},
		"it refuses to write": {`case "$2" in read) cat RIGHT ;; *) cat >/dev/null; echo 'NO (-60007)' >&2; exit 255 ;; esac`, "status -60007"},
		"it does not write":   {`case "$2" in read) cat RIGHT ;; *) cat >/dev/null ;; esac`, "holds something else than was written"},
		"it reads nothing":    {`exit 0`, "error: "},
		"it is not there":     {"", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := armedMac(t, program)
			before := m.List().Mechanisms()
			if c.script == "" {
				if err := os.Remove(m.Path("/usr/bin/security")); err != nil {
					t.Fatal(err)
				}
			} else {
				m.Script("/usr/bin/security", strings.ReplaceAll(c.script, "RIGHT", "'"+m.Path("right.plist")+"'"))
			}
			for _, env := range [][]string{nil, {guardVariable + "=1"}} {
				if code, errOut := off(m, env); code == exitOK || !strings.HasPrefix(errOut, "error: ") || !strings.Contains(errOut, c.says) {
					t.Errorf("code %d: %s", code, errOut)
				}
			}
			if diff := cmp.Diff(before, m.List().Mechanisms()); diff != "" {
				t.Errorf("the list (-before +after):\n%s", diff)
			}
		})
	}
}

// read reads JSON.
func read(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
}
