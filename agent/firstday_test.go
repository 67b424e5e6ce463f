package agent

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/simulate/employee"
)

// desk is a device with somebody in front of it.
type desk struct {
	*machine
	d      *testdirectory.Service
	signIn *signin.Machine
}

// sit begins a first day: the device is enrolled and shows its screen.
func sit(t *testing.T, d *testdirectory.Service) *desk {
	t.Helper()
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	offered := make(chan *signin.Machine, 1)
	m.limits.SignIn = func(s *signin.Machine) { offered <- s }
	t.Cleanup(m.run())
	desk := &desk{m, d, <-offered}
	desk.sees(signin.Ready, "")
	return desk
}

// sees waits for a state of the screen.
func (d *desk) sees(state signin.State, code api.Code) signin.Screen {
	d.t.Helper()
	var screen signin.Screen
	eventually(d.t, string(state), func() bool {
		screen = d.signIn.Screen()
		return screen.State == state
	})
	if screen.Code != code {
		d.t.Fatalf("%+v, want the code %q", screen, code)
	}
	return screen
}

func (d *desk) press(name signin.ActionName, fields map[string]string) {
	d.t.Helper()
	if err := d.signIn.Act(d.t.Context(), signin.Action{Name: name, Fields: fields}); err != nil {
		d.t.Fatal(err)
	}
}

// identify lets somebody new sign in on another device, and type the number.
func (d *desk) identify(name string) {
	d.t.Helper()
	d.identifyAs(d.d.MustHire(name))
}

func (d *desk) identifyAs(who *employee.Employee) {
	d.t.Helper()
	d.press(signin.Start, nil)
	waiting := d.sees(signin.Waiting, "")
	number, err := who.SignIn(d.t.Context(), d.d.At, waiting.QR)
	if err != nil {
		d.t.Fatal(err)
	}
	d.sees(signin.Number, "")
	d.press(signin.Submit, map[string]string{signin.FieldNumber: number})
}

func (d *desk) choosePassword() {
	d.t.Helper()
	d.sees(signin.Password, "")
	d.press(signin.Submit, map[string]string{signin.FieldPassword: "of this device", signin.FieldAgain: "of this device"})
}

// A device, its directory and an employee, from the sign-in screen to the
// account; then the second one, and the end.
func TestTheFirstDay(t *testing.T) {
	d := testdirectory.New(t)
	desk := sit(t, d)
	if screen := desk.sees(signin.Ready, ""); screen.Title != "Sign in with Acme" || screen.Device.Serial != "SN-1" || !screen.Device.Managed {
		t.Errorf("%+v", screen)
	}
	desk.identify("ann")
	desk.choosePassword()
	if done := desk.sees(signin.Done, ""); done.Account != "ann" {
		t.Errorf("%+v", done)
	}
	eventually(t, "the list to show the account", func() bool {
		v, err := d.Device(t.Context(), d.OnlyDevice().ID)
		return err == nil && len(v.Users) == 1 && v.Users[0].State == api.Bound && v.Users[0].Account == "ann" && len(v.Facts.Users) == 1 && v.Facts.Users[0].Managed
	})
	if !desk.accounts.CheckPassword("ann", "of this device") {
		t.Error("the account has another password")
	}
	desk.press(signin.Close, nil)
	desk.sees(signin.Hidden, "")

	// Unbound, the account is closed and the device is the next one's.
	if err := d.Unbind(t.Context(), "token:ann", d.OnlyDevice().ID, "ann"); err != nil {
		t.Fatal(err)
	}
	desk.sees(signin.Ready, "")
	eventually(t, "the account to be closed", func() bool {
		found, err := desk.accounts.Find(t.Context(), "ann")
		return err == nil && found.Disabled
	})
	if _, err := desk.accounts.Create(t.Context(), accounts.New{Name: "bob", Password: []byte("x"), Tag: "other"}); err != nil {
		t.Fatal(err)
	}
	desk.identify("bob")
	desk.sees(signin.Failed, api.CodeAccountExists)
	desk.press(signin.Close, nil)
	desk.sees(signin.Ready, "")

	// The switch works in seconds, offline devices keep what they heard.
	d.Change(func(s *api.Settings) { s.Windows.SSAP = false })
	desk.sees(signin.Hidden, "")
	d.Change(func(s *api.Settings) { s.Windows.SSAP = true })
	desk.sees(signin.Ready, "")
	d.Stop()
	desk.press(signin.Start, nil)
	desk.sees(signin.Failed, api.CodeOffline)
	d.Serve()
	eventually(t, "the connection", func() bool {
		desk.press(signin.Retry, nil)
		return desk.signIn.Screen().State == signin.Waiting
	})
}

// An admin binds somebody, whose account waits for them.
func TestTheFirstDayOfSomebodyExpected(t *testing.T) {
	d := testdirectory.New(t)
	desk := sit(t, d)
	d.MustHire("carl")
	if err := d.Bind(t.Context(), "token:ann", d.OnlyDevice().ID, "carl"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the account", func() bool {
		found, err := desk.accounts.Find(t.Context(), "carl")
		return err == nil && found.Disabled
	})
	desk.identify("dora")
	desk.sees(signin.Failed, api.CodeSlotTaken)
	desk.press(signin.Close, nil)
	desk.sees(signin.Ready, "")
}

// The break-glass password is in escrow before the account has it, and is changed
// a day after somebody has seen it: not while they need it.
func TestBreakGlass(t *testing.T) {
	var ahead atomic.Int64
	d := testdirectory.NewAt(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d.Change(func(s *api.Settings) { s.RecoveryKey = identity.Recipient().String() })
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.mustHaveRescue()
	var before string
	for range 2 {
		ahead.Add(int64(25 * time.Hour))
		end := m.run()
		m.becomes("enrolment", done)
		device := d.OnlyDevice().ID
		m.mustEscrow(d)
		end()
		list, err := d.Reveal(t.Context(), "token:ann", device, &api.RevealRequest{Reason: "test"})
		if err != nil || len(list) != 1 || !list[0].Confirmed {
			t.Fatalf("%+v, %v", list, err)
		}
		password := mustOpen(t, list[0].Sealed, identity)
		if password == before || !m.accounts.CheckPassword("rescue", password) {
			t.Errorf("the account has another password than %q", password)
		}
		if answer, err := d.CheckIn(t.Context(), device, new(api.CheckInRequest)); err != nil || answer.Rotate {
			t.Errorf("it is changed at once: %v", err)
		}
		before = password
	}
}

// Somebody else has the name of the break-glass account: the password stays
// theirs, and IT is told.
func TestBreakGlassIsNobodyElse(t *testing.T) {
	var ahead atomic.Int64
	d := testdirectory.NewAt(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.mustHaveRescue()
	d.Change(func(s *api.Settings) { s.RecoveryKey = identity.Recipient().String() })
	end := m.run()
	m.becomes("enrolment", done)
	m.mustEscrow(d)
	end()
	if _, err := d.Reveal(t.Context(), "token:ann", d.OnlyDevice().ID, &api.RevealRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	m.accounts = accounts.Memory(api.Windows)
	for _, name := range []string{"somebody", "rescue"} {
		if err := m.accounts.Add(accounts.Account{Name: name, Administrator: true}, "of somebody"); err != nil {
			t.Fatal(err)
		}
	}
	ahead.Store(int64(25 * time.Hour))
	t.Cleanup(m.run())
	eventually(t, "the report", func() bool {
		device, err := d.Device(t.Context(), d.OnlyDevice().ID)
		return err == nil && slices.ContainsFunc(device.Facts.Problems, func(p string) bool { return strings.Contains(p, accounts.ErrNotBreakGlass.Error()) })
	})
	if !m.accounts.CheckPassword("rescue", "of somebody") {
		t.Error("somebody's password was reset")
	}
}

// mustHaveRescue makes the break-glass account, as the package does.
func (m *machine) mustHaveRescue() {
	m.t.Helper()
	if err := m.accounts.Add(accounts.Account{Name: "rescue", Administrator: true}, "of the package"); err != nil {
		m.t.Fatal(err)
	}
}

// mustEscrow waits until the directory has the account's password.
func (m *machine) mustEscrow(d *testdirectory.Service) {
	m.t.Helper()
	eventually(m.t, "the escrow", func() bool {
		answer, err := d.CheckIn(m.t.Context(), d.OnlyDevice().ID, new(api.CheckInRequest))
		return err == nil && !answer.Rotate
	})
}

func mustOpen(t *testing.T, sealed []byte, identity age.Identity) string {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(secret)
}
