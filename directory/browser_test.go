package directory

import (
	"os"
	"testing"
	"time"

	"firstday.dev/api"
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
	c.open(started.VerificationURIComplete)
	c.shows("Sign in on your new device")
	c.write("#name", "ann")
	c.write("#password", annsPassword)
	c.click(`form[action="/signin/login"] button`)
	c.shows("Your second factor")
	c.picture("totp-phone", true, false)

	ann.has(t, d, first, "ann", "ann@acme.example") // as before

	// Søren's claims make his name: {given_name}.{family_name}.
	third := newDevice(t, d, "C02FX1ABMD6M")
	c.firstDayOfSoren(start(t, d, third)).has(t, d, third, "soren.aeroskobing", "s.a@acme.example")

	// Who may not is told why, and how to ask for help.
	started = start(t, d, second)
	c.screen(true, false)
	c.signInAtOP(started, guest)
	c.shows("Sign in on your new device")
	if text := c.text(`[role="alert"]`); text != api.Explain(api.CodeProviderGroup).Employee {
		t.Errorf("the guest reads %q", text)
	}
	c.picture("refused-phone", true, false)
	c.open(d.PagesURL + "/signin/step")
	c.shows("This did not work")
	c.picture("problem-desktop-dark", false, true)
	c.content()
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
	c.screen(false, false)
	c.open(started.VerificationURI)
	c.shows("Sign in on your new device")
	c.picture("code-desktop", false, false)
	c.write("#code", started.UserCode)
	c.click("button")
	c.shows("Sign in on your new device")
	c.picture("login-desktop", false, false)
	c.picture("login-phone-dark", true, true)
	c.write("#name", "ann@acme.example")
	c.write("#password", "wrong")
	c.click(`form[action="/signin/login"] button`)
	c.shows("Sign in on your new device")
	if text := c.text(`[role="alert"]`); text != api.Explain(api.CodeCredentials).Employee {
		c.t.Errorf("after a wrong password: %q", text)
	}
	c.write("#password", password.Reveal())
	c.click(`form[action="/signin/login"] button`)
	c.shows("Choose a password")
	c.picture("password-desktop", false, false)
	c.write("#password", annsPassword)
	c.write("#again", annsPassword)
	c.click("button")
	c.shows("Set up your second factor")
	c.picture("second-factor-desktop", false, false)
	c.screen(true, true)
	c.lookAt("Set up your second factor")
	c.write("#totp", totpOf(c.t, c.text(".secret code"), time.Now()))
	c.click("button")
	c.shows("Keep these codes")
	c.picture("recovery-phone-dark", true, true)
	c.click("button")
	c.shows("Is this your new device?")
	c.picture("confirm-desktop-dark", false, true)
	c.click(`button[value="yes"]`)
	c.shows("You are signed in")
	return signedIn{started, c.text(".number")}
}

// firstDayOfSoren goes from the telephone to the provider, and back.
func (c *chromium) firstDayOfSoren(started *api.SignInResponse) signedIn {
	c.t.Helper()
	c.screen(true, false)
	c.signInAtOP(started, soren)
	c.shows("Is this your new device?")
	c.picture("confirm-phone", true, false)
	c.click(`button[value="yes"]`)
	c.shows("You are signed in")
	c.picture("number-phone", true, false)
	return signedIn{started, c.text(".number")}
}

func (c *chromium) signInAtOP(started *api.SignInResponse, u realUser) {
	c.t.Helper()
	c.open(started.VerificationURIComplete)
	c.shows("Sign in on your new device")
	c.click(`button[value="op"]`)
	c.shows("Sign in")
	c.write("#username", u.Name)
	c.write("#password", u.Password)
	c.click("#next")
	c.shows("Your second factor")
	c.write("#code", totpOf(c.t, u.TOTP, time.Now()))
	c.click("#next")
}
