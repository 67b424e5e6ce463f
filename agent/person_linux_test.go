package agent_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testroot"
	"firstday.dev/internal/testtool"
)

// The agent of a real Linux makes a real account: somebody signs in, and gets in
// as far as PAM, the name services and passwd(1) are concerned; unbound, no more.
// All of it in files of the test's own, which are in the place of the system's.
func TestLinuxSignInMakesARealAccount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change accounts")
	}
	for _, tool := range []string{"useradd", "usermod", "chpasswd", "pamtester", "passwd", "getent"} {
		testtool.Need(t, tool, "/usr/sbin/"+tool)
	}
	testmount.Apart(t, func() { realAccount(t) })
}

func realAccount(t *testing.T) {
	root := testroot.New(t)
	testroot.Live(t, root)
	data := "/var/lib/firstday"
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	d := testdirectory.New(t)
	d.Change(func(s *api.Settings) { s.Linux.Permission = api.Administrator })
	writeEnrollment(t, data, d.At, d.MustMint(api.NewConnectKey{}))

	system, err := agent.Open("")
	if err != nil {
		t.Fatal(err)
	}
	offered := make(chan *signin.Machine, 1)
	a := &agent.Agent{System: system, Version: "1.2.3", SignIn: func(m *signin.Machine) { offered <- m }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	m := <-offered
	sees := func(state signin.State) signin.Screen {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if s := m.Screen(); s.State == state {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("not %s, but %+v", state, m.Screen())
			}
		}
	}
	press := func(name signin.ActionName, fields map[string]string) {
		t.Helper()
		if err := m.Act(t.Context(), signin.Action{Name: name, Fields: fields}); err != nil {
			t.Fatal(err)
		}
	}
	said := func(tool string, args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	getsIn := func(password string) bool {
		c := exec.CommandContext(t.Context(), "pamtester", "login", "ann", "authenticate", "acct_mgmt")
		c.Stdin = strings.NewReader(password + "\n")
		out, err := c.CombinedOutput()
		t.Logf("pamtester: %s %v", out, err)
		return err == nil
	}
	if out, err := said("getent", "passwd", "ann"); err == nil {
		t.Fatalf("she is there already: %s", out)
	}

	sees(signin.Ready)
	press(signin.Start, nil)
	number, err := d.MustHire("ann").SignIn(t.Context(), d.At, sees(signin.Waiting).QR)
	if err != nil {
		t.Fatal(err)
	}
	sees(signin.Number)
	press(signin.Submit, map[string]string{signin.FieldNumber: number})
	sees(signin.Password)
	press(signin.Submit, map[string]string{signin.FieldPassword: "of this device", signin.FieldAgain: "of this device"})
	if s := sees(signin.Done); s.Account != "ann" {
		t.Errorf("%+v", s)
	}
	if out, err := said("getent", "passwd", "ann"); err != nil || !strings.HasPrefix(out, "ann:x:") || !strings.Contains(out, "Example ann") || !strings.Contains(out, ":/home/ann:") {
		t.Errorf("the name services say %q, %v", out, err)
	}
	if out, err := said("getent", "group", "sudo"); err != nil || !strings.HasSuffix(out, ":ann") {
		t.Errorf("administrators: %q, %v", out, err)
	}
	if out, err := said("passwd", "--status", "ann"); err != nil || !strings.HasPrefix(out, "ann P ") {
		t.Errorf("passwd says %q, %v", out, err)
	}
	if out, err := said("su", "ann", "-c", "id -un"); err != nil || out != "ann" {
		t.Errorf("su says %q, %v", out, err)
	}
	if !getsIn("of this device") || getsIn("of another one") {
		t.Error("PAM does not know her by her password")
	}
	if _, err := os.Stat("/home/ann/.bashrc"); err != nil {
		t.Error(err)
	}

	if err := d.Unbind(t.Context(), "token:ann", d.OnlyDevice().ID, "ann"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := said("passwd", "--status", "ann")
		if err == nil && strings.HasPrefix(out, "ann L ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("unbound, passwd says %q, %v", out, err)
		}
	}
	if getsIn("of this device") {
		t.Error("unbound, she gets in")
	}
	if _, err := os.Stat(filepath.Join(root, "home/ann/.bashrc")); err != nil {
		t.Errorf("what was hers is gone: %v", err)
	}
	if out, err := said("userdel", "--remove", "ann"); err != nil {
		t.Errorf("userdel: %s %v", out, err)
	}
	if out, err := said("getent", "passwd", "ann"); err == nil {
		t.Errorf("removed, she is there: %s", out)
	}
}
