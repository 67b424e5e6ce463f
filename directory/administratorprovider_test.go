package directory

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testop"
)

// console is a browser with the cookies that a real one would send: those of the
// console's session not along from another site.
type console struct {
	*browser
	*visitor
	d *Directory
}

// setCookie puts a cookie into the browser.
func (c *console) setCookie(k *http.Cookie) {
	if k == nil {
		return
	}
	c.keep(k)
	at, err := url.Parse(c.base)
	if err != nil {
		c.visitor.t.Fatal(err)
	}
	c.Jar.SetCookies(at, []*http.Cookie{k})
}

// callback goes to the provider and back. Where the page that says so leads is
// given back.
func (c *console) callback(issuer string, u testop.User, b Beginning) string {
	c.visitor.t.Helper()
	cookie, err := c.d.Begin(c.request(), &b)
	if err != nil {
		c.visitor.t.Fatal(err)
	}
	c.setCookie(cookie)
	ceremony, err := c.d.Ceremony(c.request())
	if err != nil {
		c.visitor.t.Fatal(err)
	}
	address, name, err := c.d.LeadsTo(c.visitor.t.Context(), ceremony)
	if err != nil || name != "Example Identity" {
		c.visitor.t.Fatalf("%q, %v", name, err)
	}
	held := c.cookies[consoleCookie]
	c.setCookie(&http.Cookie{Name: consoleCookie, Value: "not-sent", Path: "/", Secure: true, HttpOnly: true})
	c.cookies[consoleCookie] = held
	c.page = `<a class="button" href="` + html.EscapeString(address) + `"`
	c.signInAtOP(issuer, u)
	c.protected("the page that leads back")
	for _, k := range c.Jar.Cookies(c.at) {
		if k.Name == consoleCookie && k.Value != "not-sent" {
			c.cookies[consoleCookie] = k.Value
		}
	}
	return html.UnescapeString(c.find(`http-equiv="refresh" content="0; url=([^"]*)"`))
}

// refused is where somebody is led whom a provider does not help.
func refused(back string, code api.Code, to string) string {
	return back + "?" + url.Values{"code": {string(code)}, "to": {to}}.Encode()
}

// Administrators join and sign in with a provider that asks for a second factor,
// and prove there once more who they are.
func TestAdministratorsOfAProvider(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	issuer := startOP(t, d, func(n *api.NewProvider) { n.Groups, n.CreateUsers = nil, false })
	c := &console{b, newVisitor(t), d}
	i := invite(t, d, "soren", api.Owner)
	back := pathWelcome + i.Secret.Reveal()

	join := Beginning{Purpose: ToJoin, Way: api.WayProvider, Provider: "op", Link: i.Secret, Next: "/console/account", Back: back}
	if to := c.callback(issuer, testop.Soren, join); to != "/console/account" {
		t.Fatalf("led to %s", to)
	}
	if s := c.session(d); s.Actor() != "admin:soren" || s.Way != api.WayProvider || s.Administrator.Provider != issuer || !d.Proved(s) {
		t.Errorf("%+v", s)
	}
	if users, err := d.Users(t.Context(), ""); err != nil || len(users) != 0 {
		t.Errorf("the administrator is a user, too: %+v, %v", users, err)
	}

	// The same person signs in; another one does not, nor joins as the same.
	signIn := Beginning{Purpose: ToSignIn, Way: api.WayProvider, Provider: "op", Next: "/console/keys", Back: "/console/sign-in"}
	delete(c.cookies, consoleCookie)
	if to := c.callback(issuer, testop.Soren, signIn); to != "/console/keys" {
		t.Fatalf("led to %s", to)
	}
	mine := c.session(d)
	delete(c.cookies, consoleCookie)
	if to := c.callback(issuer, testop.Guest, signIn); to != refused("/console/sign-in", api.CodeNotLinked, "/console/keys") || c.cookies[consoleCookie] != "" {
		t.Errorf("a stranger is led to %s", to)
	}
	other := invite(t, d, "olga", api.Owner)
	join.Link, join.Back = other.Secret, pathWelcome+other.Secret.Reveal()
	if to := c.callback(issuer, testop.Soren, join); to != refused(join.Back, api.CodeUserTaken, "/console/account") {
		t.Errorf("a second administrator of one subject is led to %s", to)
	}
	if a, err := d.Invited(c.request(), other.Secret); err != nil || a.Name != "olga" {
		t.Errorf("the link is used up: %v", err)
	}

	// A proof is asked for anew, whoever is signed in there, and is this person's.
	if to := c.callback(issuer, testop.Soren, signIn); to != "/console/keys" {
		t.Fatalf("led to %s", to)
	}
	if _, err := d.store.write.ExecContext(t.Context(), `UPDATE console_sessions SET proved_at = 0`); err != nil {
		t.Fatal(err)
	}
	s := c.session(d)
	if d.Proved(s) || s.ID == mine.ID {
		t.Errorf("%+v", s)
	}
	prove := Beginning{Purpose: ToProve, Way: api.WayProvider, Provider: "op", Session: s, Next: "/console/tokens", Back: "/console/prove"}
	if to := c.callback(issuer, testop.Guest, prove); to != refused("/console/prove", api.CodeNotLinked, "/console/tokens") {
		t.Errorf("somebody else proves: %s", to)
	}
	if to := c.callback(issuer, testop.Soren, prove); to != "/console/tokens" {
		t.Fatalf("led to %s", to)
	}
	if s := c.session(d); !d.Proved(s) || s.Administrator.Name != "soren" {
		t.Errorf("%+v", s)
	}

	// The last owner's provider stays.
	wants(t, "removing it", d.RemoveProvider(t.Context(), "token:owner", "op"), api.CodeLastOwner)
	if _, err := d.Provider(t.Context(), "op"); err != nil {
		t.Error(err)
	}
	wants(t, "the last way in", d.RemoveLink(t.Context(), c.session(d)), api.CodeLastWay)
	checkAudit(t, d)
}

// An answer is for the ceremony that waits for it, in the browser that began it,
// and nothing else.
func TestAnswersOfProvidersForTheConsole(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	startOP(t, d, func(*api.NewProvider) {})
	begin := func() (*console, *Ceremony) {
		c := &console{browserAt(t, d, b.base), newVisitor(t), d}
		cookie, err := d.Begin(c.request(), &Beginning{Purpose: ToSignIn, Way: api.WayProvider, Provider: "op", Next: "https://evil.example/", Back: "//evil.example"})
		if err != nil {
			t.Fatal(err)
		}
		if cookie.SameSite != http.SameSiteLaxMode {
			t.Errorf("the cookie is %v", cookie)
		}
		c.setCookie(cookie)
		ceremony, err := d.Ceremony(c.request())
		if err != nil {
			t.Fatal(err)
		}
		return c, ceremony
	}
	c, mine := begin()
	_, theirs := begin()
	answer := func(state string) string {
		return "/signin/callback/op?" + url.Values{"code": {"x"}, "state": {state}, "iss": {""}}.Encode()
	}
	for _, address := range []string{answer(theirs.Federation.State), answer(""), answer(mine.Federation.State) + "&state=x", strings.Replace(answer(mine.Federation.State), "callback/op", "callback/other", 1)} {
		c.open(address)
		c.shows(string(api.CodeProviderState))
	}
	c.open(answer(mine.Federation.State))
	c.protected("a code that is none")
	if to := html.UnescapeString(c.find(`http-equiv="refresh" content="0; url=([^"]*)"`)); to != refused("/console/", api.CodeProviderRefused, "/console/") && to != refused("/console/", api.CodeProviderMixUp, "/console/") {
		t.Errorf("led to %s", to)
	}
	c.open(answer(mine.Federation.State))
	c.shows(string(api.CodeProviderState)) // it is over
	if c.Jar.Cookies(c.at) == nil {
		t.Error("there is no cookie at all")
	}
	c.signedOut(d, "after all that")
}
