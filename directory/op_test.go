package directory

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testop"
)

// startOP runs a real provider, and lets people sign in with it.
func startOP(t *testing.T, d *Directory, change func(*api.NewProvider)) string {
	t.Helper()
	n := testop.Provider()
	n.Issuer = testop.Start(t, n, d.redirectURI(n.ID))
	change(n)
	if _, err := d.CreateProvider(t.Context(), "token:ann", n); err != nil {
		t.Fatal(err)
	}
	return n.Issuer
}

// signInAtOP goes through the provider's own pages.
func (b *browser) signInAtOP(issuer string, u testop.User) {
	b.t.Helper()
	b.open(html.UnescapeString(b.find(`<a class="button" href="([^"]+)"`)))
	b.shows("Sign in", "Password")
	id := b.find(`name="id" value="([^"]*)"`)
	b.send(issuer+"/login/username", "id", id, "username", u.Name, "password", "wrong")
	b.shows("username or password wrong")
	b.send(issuer+"/login/username", "id", id, "username", u.Name, "password", u.Password)
	b.shows("Your second factor")
	id = b.find(`name="id" value="([^"]*)"`)
	b.send(issuer+"/login/code", "id", id, "code", "000")
	b.shows("that is not the code")
	b.send(issuer+"/login/code", "id", b.find(`name="id" value="([^"]*)"`), "code", totpOf(b.t, u.TOTP, time.Now()))
}

// The first day of somebody with an account at a real provider, which asks for a
// second factor: from the code to the account.
func TestRealProvider(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	issuer := startOP(t, d, func(*api.NewProvider) {})
	change(t, d, func(s *api.Settings) { s.Windows.Password = api.VerifyPassword })
	device := newDevice(t, d, "S1")
	started := start(t, d, device)

	b.open(started.VerificationURIComplete)
	b.shows("Continue with Example Identity")
	if strings.Contains(b.page, `type="password"`) {
		t.Error("a password of the directory is asked for, and nobody has one")
	}
	b.send("/signin/provider", "code", started.UserCode, "provider", "op")
	b.shows("You are led to Example Identity")
	b.signInAtOP(issuer, testop.Soren)
	b.shows("Is this your new device?", "Søren Ærøskøbing (soren.aeroskobing)")
	b.send("/signin/step", "step", "confirm", "answer", "yes")
	number := b.find(`<p class="number" aria-label="Number">(\d\d)</p>`)
	got, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number})
	if err != nil {
		t.Fatal(err)
	}
	if got.User.Name != "soren.aeroskobing" || got.User.Email != "s.a@acme.example" || got.User.FullName != "Søren Ærøskøbing" || got.Password != api.ChoosePassword {
		t.Errorf("%+v", got)
	}
	if err := d.CompleteSignIn(t.Context(), device, &api.CompleteRequest{Ticket: got.Ticket, Account: "s.a", AccountID: "S-1"}); err != nil {
		t.Errorf("without a password of the directory: %v", err)
	}

	// The same person again is the same user.
	again := start(t, d, newDevice(t, d, "S2"))
	b.send("/signin/provider", "code", again.UserCode, "provider", "op")
	b.signInAtOP(issuer, testop.Soren)
	b.shows("Is this your new device?")
	if users, err := d.Users(t.Context(), ""); err != nil || len(users) != 1 || users[0].Provider != issuer {
		t.Errorf("%+v, %v", users, err)
	}

	// Who is in no group that may is told so, and may choose another way.
	b.send("/signin/provider", "code", again.UserCode, "provider", "op")
	b.signInAtOP(issuer, testop.Guest)
	b.shows("Your account is not allowed to set up a device", "provider_group", "Continue with Example Identity")

	// The provider sends nobody elsewhere.
	b.send("/signin/provider", "code", again.UserCode, "provider", "op")
	address := html.UnescapeString(b.find(`<a class="button" href="([^"]+)"`))
	b.open(strings.Replace(address, "callback%2Fop", "callback%2Fother", 1))
	if b.code != http.StatusBadRequest || b.at.Host != mustParse(t, issuer).Host {
		t.Errorf("another redirect URI: %d at %v\n%s", b.code, b.at, b.page)
	}
	if checks, err := d.TestProvider(t.Context(), "op"); err != nil || failed(checks) != "" {
		t.Errorf("%+v, %v", checks, err)
	}
	checkAudit(t, d)
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// failed names the checks that found something.
func failed(checks []api.ProviderCheck) string {
	var all []string
	for _, c := range checks {
		if !c.OK {
			all = append(all, c.What+": "+c.Detail)
		}
	}
	return strings.Join(all, "\n")
}
