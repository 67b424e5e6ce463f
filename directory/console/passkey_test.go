package console

import (
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testop"
)

// An owner joins with a passkey, signs in with it, adds another and proves by it
// who they are; copies of it, and authenticators that do not look who is there, are
// refused.
func TestPasskeysInABrowser(t *testing.T) {
	now := time.Now()
	d := newEmptyDesk(t, func() time.Time { return now })
	i, err := d.InviteFirstOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newChromium(t, d)
	laptop := b.Authenticator()
	look := func(title, name string) {
		t.Helper()
		b.shows(title)
		if name == "" {
			return
		}
		b.picture(name+"-phone", true, true)
		b.picture(name, false, false)
	}
	b.Open(i.Link.Reveal())
	look("Welcome to the console", "welcome")
	b.Write("#name", "ann")
	b.Write("#fullName", "Ann Example")
	b.Click(`button[value="passkey"]`)
	look("Make a passkey", "passkey")
	b.Write("#called", "Laptop")
	b.Click("form[data-passkey] button")
	b.SeeTitle("Home")
	b.See("Ann Example")
	if held := laptop.Passkeys(); len(held) != 1 || held[0].RpID != "localhost" || held[0].UserName != "ann" || !held[0].IsResidentCredential {
		t.Fatalf("the authenticator holds %+v", held)
	}
	signOut := func() {
		t.Helper()
		b.Open(d.PagesURL + Path)
		b.Click(`form[action="/console/sign-out"] button`)
		look("Sign in", "sign-in")
	}
	signIn := func(title string) {
		t.Helper()
		b.Open(d.PagesURL + "/console/keys")
		b.SeeTitle("Sign in")
		b.Click("main form button")
		b.SeeTitle(title)
	}
	signOut()
	signIn("Connect keys")

	// Where another name is said, its passkeys are asked for.
	signOut()
	b.Click("details summary")
	b.Write("#whose", "ann\n")
	b.SeeTitle("Home")

	// A device that does not look who is there: nothing is sent.
	signOut()
	laptop.Looks(false)
	signIn("Your passkey")
	b.See("That did not work, or was cancelled.")
	b.Look()
	laptop.Looks(true)
	b.Click("form[data-passkey] button")
	b.SeeTitle("Connect keys")

	// A copy of the key, from before it was used last.
	truth := *laptop.Passkeys()[0]
	signOut()
	copied := truth
	copied.SignCount = 0
	laptop.Put(&copied)
	signIn("This did not work")
	b.See("its counter did not grow")
	b.Look()
	laptop.Put(&truth)
	signIn("Connect keys")

	// One that another console made is not known here.
	signOut()
	truth = *laptop.Passkeys()[0]
	foreign := truth
	foreign.CredentialID = []byte("another credential, of the same key")
	laptop.Put(&foreign)
	signIn("This did not work")
	laptop.Put(&truth)
	signIn("Connect keys")

	// Another passkey, with a proof before, as the first one is long ago.
	now = now.Add(api.ConsoleProof)
	b.Open(d.PagesURL + "/console/account")
	look("Your account", "account")
	b.See("You have one way to sign in.")
	b.Click(`form[action="/console/account/passkeys"] button`)
	look("Is it you?", "prove")
	b.Click("main form button")
	b.SeeTitle("Your account")
	b.Click(`form[action="/console/account/passkeys"] button`)
	b.SeeTitle("Make a passkey")
	b.Click("form[data-passkey] button")
	b.See("There is a passkey of yours already.")
	laptop.Remove()
	b.Authenticator()
	b.Write("#called", "Phone <b>")
	b.Click("form[data-passkey] button")
	b.SeeTitle("Your account")
	b.See("The passkey is added.")
	a, err := d.FindAdministrator(t.Context(), "ann")
	if err != nil || len(a.Passkeys) != 2 || a.Passkeys[1].Name != "Phone <b>" {
		t.Fatalf("%+v, %v", a, err)
	}
	b.Click(`a[href="/console/account/passkeys/` + a.Passkeys[0].ID.String() + `/remove"]`)
	look("Remove a passkey", "")
	b.Click("button.danger")
	b.SeeTitle("Your account")
	b.See("The passkey Laptop is removed.")

	// The pages of administrators.
	b.Open(d.PagesURL + "/console/administrators")
	look("Administrators", "administrators")
	b.Click(`a[href="/console/administrators/new"]`)
	look("Invite an administrator", "")
	b.Write("#name", "bob")
	b.Click("main form button")
	look("The link for the administrator", "invitation")
	link := b.Attribute("#link", "value")
	if !strings.HasPrefix(link, d.PagesURL+"/console/welcome/fdi_") {
		t.Errorf("the link is %s", link)
	}
	b.Click("main a.second")
	look("bob", "administrator")
	b.Open(d.PagesURL + "/console/administrators/tokens")
	look("Tokens", "")
	b.Click("main a.button")
	look("Make a token", "")
	b.Content()
}

// An administrator is linked to a provider, comes in by it, and proves there once
// more who they are: with a browser that sends no cookie of the session along when
// another site leads to the console.
func TestProviderInABrowser(t *testing.T) {
	d := newEmptyDesk(t, nil)
	n := testop.Provider()
	n.Groups, n.CreateUsers = nil, false
	n.Issuer = testop.Start(t, n, d.PagesURL+api.PathCallback+"/"+n.ID)
	if _, err := d.CreateProvider(t.Context(), "token:ann", n); err != nil {
		t.Fatal(err)
	}
	i, err := d.InviteAdministrator(t.Context(), "token:ann", api.NewAdministrator{Name: "soren", Role: api.Owner})
	if err != nil {
		t.Fatal(err)
	}
	b := newChromium(t, d)
	atProvider := func(u testop.User) {
		t.Helper()
		b.SeeTitle("Go on at your identity provider")
		b.Look()
		b.Axe("leading to a provider")
		b.Click("main a.button")
		b.SeeTitle("Sign in")
		b.Write("#username", u.Name)
		b.Write("#password", u.Password)
		b.Click("#next")
		b.SeeTitle("Your second factor")
		b.Write("#code", codeOf(t, u.TOTP, time.Now()))
		b.Click("#next")
	}
	b.Open(i.Link.Reveal())
	b.SeeTitle("Welcome to the console")
	b.Click(`button[name="provider"]`)
	atProvider(testop.Soren)
	b.SeeTitle("Home")
	b.See("soren")

	b.Click(`form[action="/console/sign-out"] button`)
	b.SeeTitle("Sign in")
	b.Click(`button[name="provider"]`)
	atProvider(testop.Guest)
	b.SeeTitle("Sign in")
	b.See("No administrator is linked to this account of the identity provider.")
	b.Look()
	b.Open(d.PagesURL + "/console/keys")
	b.SeeTitle("Sign in")
	b.Click(`button[name="provider"]`)
	atProvider(testop.Soren)
	b.SeeTitle("Connect keys")

	// Proved a moment ago, at the provider: so it is asked for when somebody wants it.
	b.Open(d.PagesURL + "/console/prove?to=/console/account")
	b.SeeTitle("Is it you?")
	b.Click(`button[name="provider"]`)
	atProvider(testop.Guest)
	b.SeeTitle("Is it you?")
	b.See("No administrator is linked to this account of the identity provider.")
	b.Click(`button[name="provider"]`)
	atProvider(testop.Soren)
	b.SeeTitle("Your account")
	b.See("You may sign in with " + n.Issuer)
	b.Content()
}
