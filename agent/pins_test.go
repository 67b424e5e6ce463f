//go:build linux

package agent

import (
	"os"
	"sync"
	"testing"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testtpm"
)

// window is a surface that signs people in.
type window struct {
	mu   sync.Mutex
	last string
}

func (w *window) admit(account string, password []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = account + " " + string(password)
}

// logsOn tells whom the screen lets in, and closes it.
func (w *window) logsOn(d *desk, want string) {
	d.t.Helper()
	d.sees(signin.Done, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != want {
		d.t.Fatalf("it lets in %q, not %q", w.last, want)
	}
	w.last = ""
	d.press(signin.Close, nil)
}

// sitWithPINs is sit at a device with a TPM and a surface that signs people in.
func sitWithPINs(t *testing.T, d *testdirectory.Service, software *testtpm.TPM) (*desk, *window) {
	t.Helper()
	w := new(window)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.limits.Admit = w.admit
	if software != nil {
		software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
		m.tpm = software.Open
	}
	offered := make(chan *signin.Machine, 1)
	m.limits.SignIn = func(s *signin.Machine) { offered <- s }
	t.Cleanup(m.run())
	desk := &desk{m, d, <-offered}
	desk.sees(signin.Ready, "")
	return desk, w
}

func (d *desk) choosePIN() {
	d.t.Helper()
	d.sees(signin.PIN, "")
	d.press(signin.Submit, map[string]string{signin.FieldPIN: "482915", signin.FieldPINAgain: "482915"})
}

func (d *desk) typePIN() {
	d.t.Helper()
	d.press(signin.Submit, map[string]string{signin.FieldPIN: "482915"})
}

// From the first day on a device with a TPM to the next mornings: the PIN opens,
// the password that was changed in Windows is asked for once, and who is unbound
// has no PIN any more.
func TestPINFromTheFirstDayOn(t *testing.T) {
	d, software := testdirectory.New(t), testtpm.New(t)
	desk, window := sitWithPINs(t, d, software)
	eventually(t, "status to tell of PINs", func() bool {
		r, err := readReport(desk.Layout().Report())
		return err == nil && r.PIN != nil && r.PIN.Ready
	})
	desk.identify("ann")
	desk.choosePassword()
	desk.choosePIN()
	window.logsOn(desk, "ann of this device")
	desk.sees(signin.Unlock, "")
	desk.typePIN()
	window.logsOn(desk, "ann of this device")
	desk.sees(signin.Unlock, "")

	d.Stop() // nobody needs a network
	software.Stop()
	software.Start()
	if err := desk.accounts.SetPassword(t.Context(), "ann", []byte("changed in Windows")); err != nil {
		t.Fatal(err)
	}
	desk.typePIN()
	desk.sees(signin.Renew, api.CodePINStale)
	desk.press(signin.Submit, map[string]string{signin.FieldPassword: "changed in Windows"})
	window.logsOn(desk, "ann changed in Windows")
	desk.sees(signin.Unlock, "")
	desk.typePIN()
	window.logsOn(desk, "ann changed in Windows")

	d.Serve()
	if err := d.Unbind(t.Context(), "token:ann", d.OnlyDevice().ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if screen := desk.sees(signin.Ready, ""); len(screen.Actions) != 1 {
		t.Errorf("%+v", screen.Actions)
	}
	kept, err := os.ReadDir(desk.Layout().PINs())
	if err != nil || len(kept) > 1 || len(kept) == 1 && kept[0].Name() != "lock" {
		t.Errorf("there are %v, %v", kept, err)
	}
}

// Without a TPM the person gets in all the same, and is told; so is IT.
func TestNoPINWithoutATPM(t *testing.T) {
	d := testdirectory.New(t)
	desk, _ := sitWithPINs(t, d, nil)
	desk.identify("ann")
	desk.choosePassword()
	desk.sees(signin.Done, api.CodePINUnavailable)
	var told *PINStatus
	eventually(t, "status to tell of PINs", func() bool {
		s, err := desk.agent("1.2.3").Status(t.Context())
		if err != nil || s.PIN == nil {
			return false
		}
		told = s.PIN
		return true
	})
	if told.Ready || told.Reason != "there is no TPM" {
		t.Errorf("status says %+v", told)
	}
}
