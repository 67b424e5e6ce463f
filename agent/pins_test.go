//go:build linux

package agent

import (
	"os"
	"testing"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testtpm"
)

// logsOn takes what the screen lets somebody in with, as a surface does, and closes
// it.
func (d *desk) logsOn(want string) {
	d.t.Helper()
	screen := d.sees(signin.Done, "")
	packed, err := d.signIn.Logon(d.t.Context(), screen.Serial, 0)
	if err != nil || string(packed) != want {
		d.t.Fatalf("it lets in %q (%v), not %q", packed, err, want)
	}
	d.press(signin.Close, nil)
}

// packPlainly is for surfaces that tests can read.
func packPlainly(account string, password []byte) ([]byte, error) {
	return append([]byte(account+" "), password...), nil
}

// sitWithPINs is sit at a device with a TPM and a surface that signs people in.
func sitWithPINs(t *testing.T, d *testdirectory.Service, software *testtpm.TPM) *desk {
	t.Helper()
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.limits.Pack = packPlainly
	if software != nil {
		software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
		m.tpm = software.Open
	}
	offered := make(chan *signin.Machine, 1)
	m.limits.SignIn = func(s *signin.Machine) { offered <- s }
	t.Cleanup(m.run())
	desk := &desk{m, d, <-offered}
	desk.sees(signin.Ready, "")
	return desk
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
	desk := sitWithPINs(t, d, software)
	eventually(t, "status to tell of PINs", func() bool {
		r, err := readReport(desk.Layout().Report())
		return err == nil && r.PIN != nil && r.PIN.Ready
	})
	desk.identify("ann")
	desk.choosePassword()
	desk.choosePIN()
	desk.logsOn("ann of this device")
	desk.sees(signin.Unlock, "")
	desk.typePIN()
	desk.logsOn("ann of this device")
	desk.sees(signin.Unlock, "")

	d.Stop() // nobody needs a network
	software.Stop()
	software.Start()
	if err := desk.accounts.ChangePassword(t.Context(), "ann", []byte("of this device"), []byte("changed in Windows")); err != nil {
		t.Fatal(err)
	}
	desk.typePIN()
	desk.sees(signin.Renew, api.CodePINStale)
	desk.press(signin.Submit, map[string]string{signin.FieldPassword: "changed in Windows"})
	desk.logsOn("ann changed in Windows")
	desk.sees(signin.Unlock, "")
	desk.typePIN()
	desk.logsOn("ann changed in Windows")

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

// The TPM is cleared overnight: the PIN is lost, not the person. They type their
// password, and choose a PIN that the cleared TPM keeps.
func TestPINAfterTheTPMWasCleared(t *testing.T) {
	d, software := testdirectory.New(t), testtpm.New(t)
	desk := sitWithPINs(t, d, software)
	desk.identify("ann")
	desk.choosePassword()
	desk.choosePIN()
	desk.logsOn("ann of this device")
	desk.sees(signin.Unlock, "")
	software.Stop()
	software.Wipe()
	software.Start()
	software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	desk.typePIN()
	if screen := desk.sees(signin.Renew, api.CodePINLost); len(screen.Fields) != 3 {
		t.Errorf("%+v", screen.Fields)
	}
	desk.press(signin.Submit, map[string]string{signin.FieldPassword: "of this device", signin.FieldPIN: "482915", signin.FieldPINAgain: "482915"})
	desk.logsOn("ann of this device")
	desk.sees(signin.Unlock, "")
	desk.typePIN()
	desk.logsOn("ann of this device")
}

// Without a TPM the person gets in all the same, and is told; so is IT.
func TestNoPINWithoutATPM(t *testing.T) {
	d := testdirectory.New(t)
	desk := sitWithPINs(t, d, nil)
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
