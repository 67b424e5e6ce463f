package directory

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"firstday.dev/api"
)

// protected makes sure that an answer cannot be framed, guessed at, kept or
// fetched by another site.
func (b *browser) protected(what string) {
	b.t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": contentSecurityPolicy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin", "Access-Control-Allow-Origin": "",
	} {
		if got := b.header.Get(name); got != want {
			b.t.Errorf("%s (%d): %s is %q", what, b.code, name, got)
		}
	}
}

// Every page of a sign-in, and every page about a mistake, is protected.
func TestEveryPageIsProtected(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	started := start(t, d, newDevice(t, d, "S1"))
	code := started.UserCode
	for i, step := range []struct {
		status int
		do     func()
	}{
		{200, func() { b.open("/signin") }},
		{400, func() { b.open("/signin?code=nonsense") }},
		{400, func() { b.open("/signin/step") }}, // without a session
		{200, func() { b.open(started.VerificationURIComplete) }},
		{403, func() { b.send("/signin/login", "code", code, "name", "ann", "password", "wrong") }},
		{403, func() { b.send("/signin/login", "code", code, "name", "a\x00\xff", "password", "wrong") }},
		{403, func() { b.do(http.MethodPost, "/signin/login", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}) }},
		{413, func() { b.send("/signin/login", "code", code, "name", strings.Repeat("a", maxForm)) }},
		{400, func() { b.do(http.MethodPost, "/signin/login?%zz", url.Values{"code": {code}}, nil) }},
		{200, func() { b.send("/signin/login", "code", code, "name", "ann", "password", created[0].Password.Reveal()) }},
		{400, func() { b.send("/signin/step", "step", "password", "password", "short", "again", "short") }},
		{403, func() {
			b.do(http.MethodPost, "/signin/step", url.Values{"step": {"password"}}, http.Header{"Sec-Fetch-Site": {"same-site"}})
		}},
		{200, func() { b.send("/signin/step", "step", "password", "password", annsPassword, "again", annsPassword) }},
	} {
		step.do()
		b.protected(fmt.Sprintf("page %d", i))
		if b.code != step.status {
			t.Errorf("page %d: %d, want %d\n%s", i, b.code, step.status, b.page)
		}
	}
	b.shows("Set up your second factor")
	for _, path := range []string{"/signin/style.css"} {
		b.open(path)
		if b.header.Get("X-Content-Type-Options") != "nosniff" || b.header.Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'" {
			t.Errorf("%s: %v", path, b.header)
		}
	}
}

// The session's cookie is for this host, over TLS, and out of the reach of
// scripts. A session belongs to one sign-in: its cookie confirms no other, and
// looking at pages changes nothing.
func TestSessionsAreOfOneSignIn(t *testing.T) {
	d := open(t, t.TempDir(), "")
	change(t, d, func(s *api.Settings) { s.SecondFactor = false })
	b := newBrowser(t, d)
	newUser(t, d, "ann")
	first, second := start(t, d, newDevice(t, d, "S1")), start(t, d, newDevice(t, d, "S2"))
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.send("/signin/login", "code", first.UserCode, "name", "ann", "password", annsPassword)
	cookie := b.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-firstday=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age="} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%q has no %q", cookie, part)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("%q is for other hosts", cookie)
	}
	b.CheckRedirect = nil
	for _, path := range []string{"/signin/step?step=confirm&answer=yes", "/signin/login?code=" + second.UserCode + "&name=ann&password=x", "/signin?code=" + second.UserCode + "&answer=yes"} {
		b.do(http.MethodGet, path, nil, nil)
	}
	b.send("/signin/step?code="+second.UserCode, "step", "confirm", "answer", "yes", "code", second.UserCode, "signin", "x")
	b.shows("Type this number")
	for started, want := range map[*api.SignInResponse]signInState{first: signInApproved, second: signInPending} {
		s, err := d.findSignIn(t.Context(), api.ParseUserCode(started.UserCode))
		if err != nil || s.state != want {
			t.Errorf("%s is %+v, %v", started.UserCode, s, err)
		}
	}
}

// What a request says of where it came from and where it went is not believed:
// no address, no host and no place to go on to.
func TestForgedHeadersChangeNothing(t *testing.T) {
	d := open(t, t.TempDir(), "")
	change(t, d, func(s *api.Settings) { s.SecondFactor = false })
	b := newBrowser(t, d)
	newUser(t, d, "ann")
	started := start(t, d, newDevice(t, d, "S1"))
	forged := http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-For": {"192.0.2.7"}, "Forwarded": {"for=192.0.2.7;host=evil.example"}, "X-Original-Url": {"//evil.example"}, "Referer": {"https://evil.example/"}}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/signin/login?next=//evil.example&redirect_uri=https://evil.example", "//evil.example/signin", "/signin/..//evil.example", "/signin//", `/signin/\evil.example`} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			b.do(method, b.base+path, url.Values{"code": {started.UserCode}, "name": {"ann"}, "password": {annsPassword}, "next": {"//evil.example"}}, forged)
			if to := b.header.Get("Location"); to != "" {
				u, err := url.Parse(to)
				if err != nil || u.Host != "" || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
					t.Errorf("%s %s leads to %q", method, path, to)
				}
			}
			if strings.Contains(b.page, "https://evil.example") {
				t.Errorf("%s %s shows what was forged", method, path)
			}
		}
	}
	b.CheckRedirect = nil

	// Another address each time is still the one of the connection.
	for i := range 12 {
		forged.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
		b.do(http.MethodGet, "/signin?code=BBBB-BBB"+string(api.UserCodeLetters[i]), nil, forged)
	}
	if b.code != http.StatusTooManyRequests {
		t.Errorf("a guesser with forged addresses: %d", b.code)
	}
}
