package console

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
)

// person sits at a browser without scripts.
type person struct {
	*desk
	browser *http.Client
	answer
}

func (d *desk) person() *person {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &person{desk: d, browser: &http.Client{Jar: jar, Transport: d.client.Transport}}
}

func (p *person) ask(method, path string, form url.Values) {
	p.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = p.At.URL + path
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range p.header {
		r.Header[name] = values
	}
	response, err := p.browser.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.answer = answer{response, string(text)}
	protected(p.t, response.Request.URL.Path, p.answer)
}

func (p *person) open(path string) { p.t.Helper(); p.ask(http.MethodGet, path, nil) }

// send sends a form: names and values.
func (p *person) send(path string, pairs ...string) {
	p.t.Helper()
	form := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	p.ask(http.MethodPost, path, form)
}

// sees makes sure of the answer's status and of what it says.
func (p *person) sees(status int, texts ...string) {
	p.t.Helper()
	if p.StatusCode != status {
		p.t.Fatalf("%s: %d, want %d\n%s", p.Request.URL, p.StatusCode, status, p.text)
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(p.text), text) {
			p.t.Fatalf("%s does not say %q:\n%s", p.Request.URL, text, p.text)
		}
	}
}

func (p *person) find(pattern string) string {
	p.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.text)
	if m == nil {
		p.t.Fatalf("%s has no %s:\n%s", p.Request.URL, pattern, p.text)
	}
	return html.UnescapeString(m[1])
}

const (
	password = "correct horse battery"
	other    = "another good password"
)

// The first owner joins with a password, signs out and in again, proves who they
// are and changes the password: all without a script.
func TestFirstOwnerWithoutScripts(t *testing.T) {
	now := time.Now()
	d := newEmptyDesk(t, func() time.Time { return now })
	i, err := d.InviteFirstOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := d.person()
	p.open("/console/keys")
	p.sees(200, "Sign in", "Go on with a passkey")
	welcome := strings.TrimPrefix(i.Link.Reveal(), d.PagesURL)
	p.open(welcome)
	p.sees(200, "You become the first owner", "Your name in the audit log")
	p.send(welcome, "way", "password")
	p.sees(422, "Please say what you are called in the audit log.")
	p.send(welcome, "way", "password", "name", "two words")
	p.sees(400)
	p.send(welcome, "way", "none", "name", "ann")
	p.sees(400)
	p.send(welcome, "way", "password", "name", "Ann", "fullName", "Ann <Example>")
	p.sees(200, "Your authenticator app", "data:image/png;base64,")
	secret := p.find(`<p class="secret"><code dir="ltr">([A-Z2-7]+)</code>`)
	p.send("/console/ceremony", "password", password, "again", other, "code", codeOf(t, secret, now))
	p.sees(400, secret, "The new password was typed differently the second time.")
	p.send("/console/ceremony", "password", password, "again", password, "code", "123")
	p.sees(403, secret)
	p.send("/console/ceremony", "password", password, "again", password, "code", codeOf(t, secret, now))
	p.sees(200, "Keep these codes")
	code := p.find(`<li><code dir="ltr">([a-z2-7-]+)</code>`)
	p.open("/console/")
	p.sees(200, "Ann <Example>", "Sign out")
	p.open(welcome)
	p.sees(403, "The link has ended")

	p.send("/console/sign-out")
	p.sees(200, "You are signed out.")
	p.open("/console/keys")
	p.sees(200, "With a password")
	signIn := func(secret, code string) {
		t.Helper()
		p.send("/console/sign-in", "way", "password", "name", "ann", "password", secret, "code", code, "to", "/console/keys")
	}
	signIn(" "+password, code) // a space counts
	p.sees(403, "The name, the password or the second factor is wrong.", `value="ann"`)
	if strings.Contains(p.text, password) || strings.Contains(p.text, "no such user") {
		t.Errorf("the page tells what it must not:\n%s", p.text)
	}
	signIn(password, code)
	p.sees(200, "Connect keys")

	now = now.Add(api.ConsoleProof)
	p.open("/console/account/password/change")
	p.sees(200, "Is it you?")
	if strings.Contains(p.text, "Go on with a passkey") {
		t.Error("a passkey is offered that is not there")
	}
	to := p.find(`name="to" value="([^"]*)"`)
	p.send("/console/prove", "way", "password", "password", password, "code", "000000", "to", to)
	p.sees(403)
	p.send("/console/prove", "way", "password", "password", password, "code", codeOf(t, secret, now), "to", to)
	p.sees(200, "Change your password")
	p.send("/console/account/password/change", "password", "short", "again", "short")
	p.sees(400)
	p.send("/console/account/password/change", "password", other, "again", other)
	p.sees(200, "Your password is changed.", "You have one way to sign in.")
	p.open("/console/account/codes")
	p.send("/console/account/codes")
	p.sees(200, "Keep these codes")
	p.send("/console/account/password/remove")
	p.sees(409, "This is the last way to sign in")
}

// An owner invites somebody, changes their role, disables, enables and resets them;
// and cannot do so with the last owner.
func TestAdministratorsArePages(t *testing.T) {
	d := newDesk(t)
	a := d.post("administrators", "name", "bob", "fullName", "Bob Example", "role", "auditor")
	at := strings.Index(a.text, "fdi_")
	if a.StatusCode != http.StatusOK || at < 0 {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	link := a.text[at : at+30]
	bob, err := d.FindAdministrator(t.Context(), "bob")
	if err != nil || bob.Role != api.Auditor || bob.CreatedBy != "admin:owner" {
		t.Fatalf("%+v, %v", bob, err)
	}
	page := "administrators/" + bob.ID.String()
	for _, path := range []string{"administrators", page, "audit"} {
		if a := d.get(path); a.StatusCode != http.StatusOK || strings.Contains(a.text, link) {
			t.Errorf("%s: %d, or shows the link again", path, a.StatusCode)
		}
	}
	for _, step := range []struct {
		path  string
		pairs []string
		state api.AdministratorState
		role  api.Role
	}{
		{page + "/role", []string{"role", "technician"}, api.AdministratorInvited, api.Technician},
		{page + "/role", []string{"role", "king"}, api.AdministratorInvited, api.Technician},
		{page + "/disable", nil, api.AdministratorDisabled, api.Technician},
		{page + "/enable", nil, api.AdministratorDisabled, api.Technician}, // has no way in
		{page + "/reset", nil, api.AdministratorInvited, api.Technician},
	} {
		a := d.post(step.path, step.pairs...)
		if now, err := d.FindAdministrator(t.Context(), "bob"); err != nil || now.State != step.state || now.Role != step.role {
			t.Errorf("%s %v: %d, %+v, %v", step.path, step.pairs, a.StatusCode, now, err)
		}
	}
	owner, err := d.FindAdministrator(t.Context(), "owner")
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []string{"/disable", "/reset", "/role"} {
		if a := d.post("administrators/"+owner.ID.String()+do, "role", "auditor"); a.StatusCode != http.StatusConflict {
			t.Errorf("%s of the last owner: %d", do, a.StatusCode)
		}
	}
	a = d.post("administrators/tokens", "name", "ci", "role", "builder", "days", "30")
	if at = strings.Index(a.text, "fdt_"); at < 0 {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	list, err := d.Tokens(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "ci" || list[0].Role != api.Builder {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := d.get("administrators/tokens"); strings.Contains(a.text, "fdt_") || !strings.Contains(a.text, "/revoke") {
		t.Errorf("the list is\n%s", a.text)
	}
	d.post("administrators/tokens/" + list[0].ID.String() + "/revoke")
	if list, err = d.Tokens(t.Context()); err != nil || list[0].RevokedAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

// Who signs out is out, and so is whoever has a copy of the cookie; other sessions
// go on until they are ended.
func TestSignOut(t *testing.T) {
	d := newDesk(t)
	first := d.cookies[api.Owner]
	d.role = ""
	i, err := d.ResetAdministrator(t.Context(), "token:ann", "technician")
	if err != nil {
		t.Fatal(err)
	}
	d.role = api.Technician
	if a := d.get("account"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), pathSignIn) {
		t.Errorf("after a reset: %d, %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := d.get("welcome/" + i.Secret.Reveal()); a.StatusCode != http.StatusOK {
		t.Errorf("the link: %d", a.StatusCode)
	}
	d.role = api.Owner
	a := d.post("sign-out")
	if a.StatusCode != http.StatusSeeOther || !strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), "\n"), "__Host-firstday-console=; Path=/; Max-Age=0") {
		t.Errorf("%d, %q", a.StatusCode, a.Header.Values("Set-Cookie"))
	}
	d.cookies[api.Owner] = first
	if a := d.get("keys"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a thief of the cookie: %d", a.StatusCode)
	}
}

// The attacks on the sign-in pages of devices, on the console's.
func TestSignInPagesRefuseAttacks(t *testing.T) {
	d := newDesk(t)
	i, err := d.InviteAdministrator(t.Context(), "token:ann", api.NewAdministrator{Name: "ann", Role: api.Owner, FullName: hostile})
	if err != nil {
		t.Fatal(err)
	}
	welcome := "/console/welcome/" + i.Secret.Reveal()
	p := d.person()
	for _, to := range []string{"https://evil.example/", "//evil.example/", `/console/\evil.example`, "/console//evil.example", "javascript:alert(1)"} {
		p.open("/console/sign-in?" + url.Values{"to": {to}}.Encode())
		if got := p.find(`name="to" value="([^"]*)"`); got != "/console/" && !strings.HasPrefix(got, "/console//") {
			t.Errorf("%q is where to go on after %q", got, to)
		}
	}
	for what, test := range map[string]struct {
		status int
		do     func()
	}{
		"no ceremony":       {403, func() { p.open("/console/ceremony") }},
		"no ceremony, sent": {403, func() { p.send("/console/ceremony", "answer", "{}") }},
		"no way":            {400, func() { p.send("/console/sign-in") }},
		"a way that is not": {400, func() { p.send("/console/sign-in", "way", "magic") }},
		"no such provider":  {404, func() { p.send("/console/sign-in", "way", "provider", "provider", "evil") }},
		"what is no text": {403, func() {
			p.send("/console/sign-in", "way", "password", "name", "a\x00\xff", "password", "\x00", "code", "\xff")
		}},
		"a long form":    {413, func() { p.send("/console/sign-in", "way", "password", "name", strings.Repeat("a", maxForm)) }},
		"a long link":    {403, func() { p.open("/console/welcome/" + strings.Repeat("a", 1000)) }},
		"a hostile link": {403, func() { p.open("/console/welcome/" + url.PathEscape(hostile)) }},
		"another name":   {200, func() { p.send(welcome, "way", "passkey", "name", "eve", "fullName", "Eve") }},
		"a hostile code": {200, func() { p.open("/console/sign-in?code=" + url.QueryEscape(hostile)) }},
		"a code":         {403, func() { p.open("/console/sign-in?code=" + string(api.CodeProviderGroup)) }},
	} {
		p = d.person()
		test.do()
		if p.StatusCode != test.status {
			t.Errorf("%s: %d, want %d\n%s", what, p.StatusCode, test.status, p.text)
		}
		if strings.Contains(p.text, "<script>") || strings.Contains(p.text, "<img src=x") {
			t.Errorf("%s is more than text:\n%s", what, p.text)
		}
	}
	for _, language := range []string{"en", "de", "ar"} {
		p.header.Set("Accept-Language", language)
		for _, way := range []string{"passkey", "password"} {
			p.open(welcome)
			p.sees(200)
			p.send(welcome, "way", way)
			p.sees(200)
			if strings.Contains(p.text, "<script>") || strings.Contains(p.text, "%!") {
				t.Errorf("%s in %s:\n%s", way, language, p.text)
			}
			p.send("/console/ceremony", "answer", "nonsense", "password", "short", "again", "short")
			if p.StatusCode != http.StatusForbidden && p.StatusCode != http.StatusBadRequest {
				t.Errorf("%s in %s: %d", way, language, p.StatusCode)
			}
		}
	}
	if a, err := d.FindAdministrator(t.Context(), "eve"); err == nil {
		t.Errorf("a guest of ann's link became %+v", a)
	}
}
