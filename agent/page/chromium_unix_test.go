//go:build unix

package page

import (
	"testing"

	"firstday.dev/agent/signin"
)

func TestLoginWindow(t *testing.T) {
	s := newSight(t)
	t.Run("keyboard", func(t *testing.T) { keyboard(t, s) })
	s.Content()
}

func keyboard(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	ann := w.MustHire("ann")
	w.See("Admin of Acme")
	w.See("Sign in once")
	w.look("ready")
	w.tab("button[value=start]")
	w.Key("\r")
	w.wished(Show)
	w.look("visiting")
	if w.host.Address() == "" {
		t.Error("there is no page")
	}
	w.tab("#visit button[value=elsewhere]")
	w.Key("\r")
	w.wished(Shut)
	w.See("Point the camera")
	w.look("waiting")
	number, err := ann.SignIn(t.Context(), w.At, w.signIn.Screen().QR)
	if err != nil {
		t.Fatal(err)
	}
	w.See("Type the number")
	w.look("number")
	w.tab("input[name=number]")
	w.Key(number + "\r")
	w.See("At least 8 characters")
	w.look("password")
	w.tab("input[name=password]")
	w.Key("of this device")
	w.tab("input[name=again]")
	w.Key("of that device\r")
	w.See("The two passwords are not the same.")
	w.look("passwords differ")
	w.tab("input[name=password]")
	w.Key("of this device")
	w.tab("input[name=again]")
	w.Key("of this device\r")
	logon, err := w.ends()
	if err != nil || logon.Name != "ann" || string(logon.Password) != "of this device" || !w.accounts.CheckPassword("ann", "of this device") {
		t.Errorf("%+v, %v", logon, err)
	}
	if state := w.signIn.Screen().State; state != signin.Done {
		t.Error(state)
	}
}
