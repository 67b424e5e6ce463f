package directory

import (
	"os"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testop"
)

// People sign in with a real browser: one with a password of the directory, one
// with a real provider that asks for a second factor on a page of its own.
func TestBrowser(t *testing.T) {
	if *update {
		if err := os.MkdirAll(screenshots, 0o755); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	d := open(t, t.TempDir(), "")
	d.PagesURL = serve(t, d).URL
	startOP(t, d, func(*api.NewProvider) {})
	created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: "ann", Email: "ann@acme.example", FullName: "Ann Example"}})
	if err != nil {
		t.Fatal(err)
	}
	c := newChromium(t, d)

	first := newDevice(t, d, "5CG1234XYZ")
	ann := c.firstDayOfAnn(start(t, d, first), created[0].Password)
	ann.has(t, d, first, "ann", "ann@acme.example")
	second := newDevice(t, d, "5CG1234XZA")
	started := start(t, d, second)
	c.Open(started.VerificationURIComplete)
	c.shows("Sign in on your new device")
	c.Write("#name", "ann")
	c.Write("#password", annsPassword)
	c.Click(`form[action="/signin/login"] button`)
	c.shows("Your second factor")
	c.picture("totp-phone", true, false)

	ann.has(t, d, first, "ann", "ann@acme.example") // as before

	// Søren's claims make his name: {given_name}.{family_name}.
	third := newDevice(t, d, "C02FX1ABMD6M")
	c.firstDayOfSoren(start(t, d, third)).has(t, d, third, "soren.aeroskobing", "s.a@acme.example")

	// Who may not is told why, and how to ask for help.
	started = start(t, d, second)
	c.Screen(true, false)
	c.signInAtOP(started, testop.Guest)
	c.shows("Sign in on your new device")
	if text := c.Text(`[role="alert"]`); text != api.Explain(api.CodeProviderGroup).Employee {
		t.Errorf("the guest reads %q", text)
	}
	c.picture("refused-phone", true, false)
	c.Open(d.PagesURL + "/signin/step")
	c.shows("This did not work")
	c.picture("problem-desktop-dark", false, true)
	c.Content()
	for _, p := range []string{"Choose a password", "Set up your second factor", "Keep these codes", "Is this your new device?", "You are signed in", "Your second factor"} {
		if !c.seen[p] {
			t.Errorf("nobody looked at %q", p)
		}
	}
}

// signedIn is what the last page shows, to be typed on the device.
type signedIn struct {
	started *api.SignInResponse
	number  string
}

// has makes sure that the device hears who has signed in.
func (s signedIn) has(t *testing.T, d *Directory, device [16]byte, name, email string) {
	t.Helper()
	got, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: s.started.DeviceCode, Number: s.number})
	if err != nil || got.User.Name != name || got.User.Email != email || got.Password != api.ChoosePassword {
		t.Errorf("the device hears %+v, %v", got, err)
	}
}

// firstDayOfAnn changes a temporary password and sets up a second factor.
func (c *chromium) firstDayOfAnn(started *api.SignInResponse, password api.Secret) signedIn {
	c.t.Helper()
	c.Screen(false, false)
	c.Open(started.VerificationURI)
	c.shows("Sign in on your new device")
	c.picture("code-desktop", false, false)
	c.Write("#code", started.UserCode)
	c.Click("button")
	c.shows("Sign in on your new device")
	c.picture("login-desktop", false, false)
	c.picture("login-phone-dark", true, true)
	c.Write("#name", "ann@acme.example")
	c.Write("#password", "wrong")
	c.Click(`form[action="/signin/login"] button`)
	c.shows("Sign in on your new device")
	if text := c.Text(`[role="alert"]`); text != api.Explain(api.CodeCredentials).Employee {
		c.t.Errorf("after a wrong password: %q", text)
	}
	c.Write("#password", password.Reveal())
	c.Click(`form[action="/signin/login"] button`)
	c.shows("Choose a password")
	c.picture("password-desktop", false, false)
	c.Write("#password", annsPassword)
	c.Write("#again", annsPassword)
	c.Click("button")
	c.shows("Set up your second factor")
	c.picture("second-factor-desktop", false, false)
	c.Screen(true, true)
	c.lookAt("Set up your second factor")
	c.Write("#totp", totpOf(c.t, c.Text(".secret code"), time.Now()))
	c.Click("button")
	c.shows("Keep these codes")
	c.picture("recovery-phone-dark", true, true)
	c.Click("button")
	c.shows("Is this your new device?")
	c.picture("confirm-desktop-dark", false, true)
	c.Click(`button[value="yes"]`)
	c.shows("You are signed in")
	return signedIn{started, c.Text(".number")}
}

// firstDayOfSoren goes from the telephone to the provider, and back.
func (c *chromium) firstDayOfSoren(started *api.SignInResponse) signedIn {
	c.t.Helper()
	c.Screen(true, false)
	c.signInAtOP(started, testop.Soren)
	c.shows("Is this your new device?")
	c.picture("confirm-phone", true, false)
	c.Click(`button[value="yes"]`)
	c.shows("You are signed in")
	c.picture("number-phone", true, false)
	return signedIn{started, c.Text(".number")}
}

func (c *chromium) signInAtOP(started *api.SignInResponse, u testop.User) {
	c.t.Helper()
	c.Open(started.VerificationURIComplete)
	c.shows("Sign in on your new device")
	c.Click(`button[value="op"]`)
	c.shows("Sign in")
	c.Write("#username", u.Name)
	c.Write("#password", u.Password)
	c.Click("#next")
	c.shows("Your second factor")
	c.Write("#code", totpOf(c.t, u.TOTP, time.Now()))
	c.Click("#next")
}
