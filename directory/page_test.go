package directory

import (
	"crypto/tls"
	"crypto/x509"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"firstday.dev/api"
)

func totpOf(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// browser is a person's, as far as pages without scripts need one.
type browser struct {
	*http.Client
	t    *testing.T
	base string
	page string // shown last
	code int
	at   *url.URL

	header http.Header
}

func newBrowser(t *testing.T, d *Directory) *browser {
	t.Helper()
	at := serve(t, d)
	d.PagesURL = at.URL
	return browserAt(t, d, at.URL)
}

// browserAt is a browser that knows the directory's CA.
func browserAt(t *testing.T, d *Directory, base string) *browser {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(d.ca.cert)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, base: base, Client: &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

func (b *browser) do(method, path string, form url.Values, header http.Header) {
	b.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = b.base + path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page, b.code, b.header, b.at = string(body), resp.StatusCode, resp.Header, resp.Request.URL
}

func (b *browser) open(address string) { b.t.Helper(); b.do(http.MethodGet, address, nil, nil) }

func (b *browser) send(path string, fields ...string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	b.do(http.MethodPost, path, form, nil)
}

func (b *browser) shows(texts ...string) {
	b.t.Helper()
	shown := html.UnescapeString(b.page)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.t.Fatalf("the page (%d) does not show %q:\n%s", b.code, text, shown)
		}
	}
}

func (b *browser) find(pattern string) string {
	b.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(b.page)
	if m == nil {
		b.t.Fatalf("the page shows no %s:\n%s", pattern, b.page)
	}
	return m[1]
}

func (b *browser) sessionCookie() string {
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}

// The first day: a temporary password, a second factor to set up, a number to
// type on the device.
func TestFirstDayOnThePages(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	device := newDevice(t, d, "S1")
	created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: "ann", FullName: "Ann <Example>"}})
	if err != nil {
		t.Fatal(err)
	}
	started := start(t, d, device)

	b.open("/signin")
	b.shows("Type the code")
	b.open("/signin?code=bcdf-ghjk")
	b.shows("The code has expired")
	b.open(started.VerificationURIComplete)
	b.shows("ACME-S1", "Serial number", started.UserCode, "Acme")
	b.send("/signin/login", "code", started.UserCode, "name", "ann", "password", "wrong")
	b.shows("The name or the password is wrong", `value="ann"`)
	b.send("/signin/login", "code", started.UserCode, "name", "ann", "password", created[0].Password.Reveal())
	b.shows("Choose a password")
	b.send("/signin/step", "step", "password", "password", "correct horse battery", "again", "correct horse batterie")
	b.shows("not the same")
	b.send("/signin/step", "step", "password", "password", "short", "again", "short")
	b.shows("at least 12 characters")
	b.send("/signin/step", "step", "password", "password", created[0].Password.Reveal(), "again", created[0].Password.Reveal())
	b.shows("Please choose another password")
	b.send("/signin/step", "step", "confirm", "answer", "yes")
	b.shows("Choose a password") // no step is left out
	b.send("/signin/step", "step", "password", "password", annsPassword, "again", annsPassword)
	b.shows("Set up your second factor", "data:image/png;base64,")
	secret := b.find(`<p class="secret"><code>([A-Z2-7]+)</code>`)
	b.send("/signin/step", "step", "enrol", "totp", "123")
	b.shows("wrong", secret)
	b.send("/signin/step", "step", "enrol", "totp", totpOf(t, secret, time.Now()))
	b.shows("Keep these codes")
	b.open("/signin/step") // reloaded
	recovery := b.find(`<li><code>([a-z2-7-]+)</code>`)
	b.send("/signin/step", "step", "recovery")
	b.shows("Is this your new device?", "Ann <Example> (ann)", "ACME-S1")
	b.send("/signin/step", "step", "confirm", "answer", "yes")
	b.shows("Type this number")
	number := b.find(`<p class="number" aria-label="Number">(\d\d)</p>`)
	if _, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}); err != nil {
		t.Error(err)
	}

	// The second device: the password is hers now, and the factor is asked for.
	second := start(t, d, newDevice(t, d, "S2"))
	before := b.sessionCookie()
	b.send("/signin/login", "code", second.UserCode, "name", "ann", "password", annsPassword)
	b.shows("Your second factor")
	if after := b.sessionCookie(); after == before || after == "" {
		t.Errorf("the session's cookie is %q, then %q", before, after)
	}
	b.send("/signin/step", "step", "totp", "totp", recovery)
	b.shows("Is this your new device?")
	b.send("/signin/step", "step", "confirm", "answer", "no")
	b.shows("declined")
	b.open(second.VerificationURIComplete)
	b.shows("declined")
}

// Whoever sits at the device itself has no number to type.
func TestSameDeviceNeedsNoNumber(t *testing.T) {
	d := open(t, t.TempDir(), "")
	change(t, d, func(s *api.Settings) { s.SecondFactor = false })
	b := newBrowser(t, d)
	newUser(t, d, "ann")
	for address, want := range map[string]string{"127.0.0.1": "Go on at your device", "192.0.2.7": "Type this number"} {
		started, err := d.StartSignIn(t.Context(), newDevice(t, d, address), &api.SignInRequest{SameDevice: true}, address)
		if err != nil {
			t.Fatal(err)
		}
		b.send("/signin/login", "code", started.UserCode, "name", "ann", "password", annsPassword)
		b.send("/signin/step", "step", "confirm", "answer", "yes")
		b.shows(want)
	}
}

func TestPagesRefuseAttacks(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	newUser(t, d, "ann")
	started := start(t, d, newDevice(t, d, "S1"))
	login := url.Values{"code": {started.UserCode}, "name": {"ann"}, "password": {annsPassword}}

	for name, header := range map[string]http.Header{
		"of another site":    {"Sec-Fetch-Site": {"cross-site"}},
		"of a sister site":   {"Sec-Fetch-Site": {"same-site"}},
		"of an old browser":  {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
		"of a hidden origin": {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		b.do(http.MethodPost, "/signin/login", login, header)
		if b.code != http.StatusForbidden {
			t.Errorf("a form %s: %d", name, b.code)
		}
	}

	b.do(http.MethodGet, started.VerificationURIComplete, nil, nil)
	for name, want := range map[string]string{
		"Content-Security-Policy": contentSecurityPolicy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := b.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Contains(b.page, "<script") || strings.Contains(b.page, "style=") || strings.Contains(b.page, "//cdn") {
		t.Error("the page holds what its policy forbids")
	}

	// Codes are text, wherever they are shown and sent.
	for _, code := range []string{`"><script>alert(1)</script>`, "a\r\nSet-Cookie: x=y", strings.Repeat("B", 10_000), "//evil.example"} {
		b.do(http.MethodGet, "/signin?code="+url.QueryEscape(code), nil, nil)
		if b.at.Host != strings.TrimPrefix(b.base, "https://") || strings.Contains(b.page, "<script") || b.header.Get("Set-Cookie") != "" {
			t.Errorf("%.20q: %v", code, b.header)
		}
	}

	// A cookie that somebody put there opens nothing, and is not kept.
	u, err := url.Parse(b.base)
	if err != nil {
		t.Fatal(err)
	}
	b.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: "FIXED", Path: "/", Secure: true}})
	b.open("/signin/step")
	b.shows("expired")
	b.do(http.MethodPost, "/signin/login", login, nil)
	b.shows("Set up your second factor")
	if got := b.sessionCookie(); got == "FIXED" || got == "" {
		t.Errorf("the session is %q", got)
	}
	if b.at.String() != b.base+"/signin/step" {
		t.Errorf("led to %v", b.at)
	}
	b.do(http.MethodPost, "/signin/step", url.Values{"totp": {strings.Repeat("1", maxForm)}}, nil)
	if b.code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", b.code)
	}
}

// Who guesses codes is stopped; who has the right one is not.
func TestCodesAreNotGuessed(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	for i := range 10 {
		b.open("/signin?code=BBBB-BBB" + string(api.UserCodeLetters[i]))
		b.shows("expired")
	}
	started := start(t, d, newDevice(t, d, "S1"))
	b.open("/signin?code=" + started.UserCode)
	if b.code != http.StatusTooManyRequests {
		t.Errorf("after ten guesses: %d", b.code)
	}
}

func TestUserCodes(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		code := newUserCode()
		if api.ParseUserCode(strings.ToLower(api.ShowUserCode(code))) != code || seen[code] {
			t.Fatalf("%q", code)
		}
		seen[code] = true
	}
	for _, typed := range []string{"", "BCDF", "ACDF-GHJK", "BCDF-GHJKL", "BCDF_GHJK", strings.Repeat("-", 1000)} {
		if code := api.ParseUserCode(typed); code != "" {
			t.Errorf("%q is taken for %q", typed, code)
		}
	}
}
