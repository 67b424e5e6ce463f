package directory

import (
	"errors"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/api"
)

func newProvider(t *testing.T, d *Directory, n *api.NewProvider) *api.Provider {
	t.Helper()
	p, err := d.CreateProvider(t.Context(), "token:ann", n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProviders(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		config := func(id, issuer string) *api.NewProvider {
			return &api.NewProvider{ClientSecret: "hush-hush-hush", ProviderConfig: api.ProviderConfig{ID: id, Name: "Acme ID", Issuer: issuer, ClientID: "firstday"}}
		}
		newProvider(t, first, config("okta", "https://acme.okta.example"))
		newProvider(t, last, config("google", "https://accounts.google.com"))
		for name, n := range map[string]*api.NewProvider{
			"the same id": config("okta", "https://other.example"), "the same issuer": config("other", "https://accounts.google.com"),
		} {
			if _, err := last.CreateProvider(t.Context(), "token:ann", n); !errors.Is(err, api.CodeConflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		list, err := first.Providers(t.Context())
		if err != nil || len(list) != 2 || list[0].ID != "google" || list[0].UserName != "{email}" || list[0].RedirectURI != "/signin/callback/google" {
			t.Errorf("%+v, %v", list, err)
		}
		var sealed []byte
		if err := first.store.read.QueryRowContext(t.Context(), `SELECT value FROM secrets WHERE name = 'provider okta'`).Scan(&sealed); err != nil || strings.Contains(string(sealed), "hush") {
			t.Errorf("the secret is kept as %q, %v", sealed, err)
		}
		if secret, err := last.clientSecret(t.Context(), "okta"); err != nil || secret != "hush-hush-hush" {
			t.Errorf("the secret is %q, %v", secret.Reveal(), err)
		}
		if err := last.RemoveProvider(t.Context(), "token:ann", "okta"); err != nil {
			t.Error(err)
		}
		if err := first.RemoveProvider(t.Context(), "token:ann", "okta"); !errors.Is(err, api.CodeProviderUnknown) {
			t.Errorf("again: %v", err)
		}
		if _, err := first.clientSecret(t.Context(), "okta"); !errors.Is(err, api.CodeProviderUnknown) {
			t.Errorf("its secret: %v", err)
		}
		newProvider(t, first, config("okta", "https://acme.okta.example")) // its secret was new
		checkAudit(t, first)
		log := auditText(t, first)
		if !strings.Contains(log, "provider.create") || !strings.Contains(log, "provider.remove") || strings.Contains(log, "hush") {
			t.Errorf("the audit log: %s", log)
		}
	})
}

// auditText is the whole log.
func auditText(t *testing.T, d *Directory) string {
	t.Helper()
	var b strings.Builder
	for e, err := range d.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(e.Actor + " " + e.Action + " " + e.Subject + " " + string(e.Detail) + "\n")
	}
	return b.String()
}

// signInWith goes from the device's code to the page after the provider.
func (b *browser) signInWith(provider string, started *api.SignInResponse) {
	b.t.Helper()
	a := &attacked{browser: b, started: started}
	b.open(a.choose(provider))
}

// An admin says that somebody with a password here and somebody at a provider
// are one person; nothing else does.
func TestUsersAreLinkedByAdmins(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	l := newLiar(t)
	p := newProvider(t, d, l.config("liar"))
	ann := newUser(t, d, "ann") // has Ann's address
	device := newDevice(t, d, "S1")

	b.signInWith("liar", start(t, d, device))
	b.shows("Somebody has your name or address here already", "user_taken")
	if _, err := d.checkLogin(t.Context(), "ann", annsPassword); err != nil {
		t.Errorf("her password after that: %v", err)
	}
	for name, link := range map[string]*api.UserLink{
		"no subject": {Provider: "liar"}, "no provider": {Subject: "ann-1"}, "a long subject": {Provider: "liar", Subject: strings.Repeat("s", 256)},
	} {
		if _, err := d.LinkUser(t.Context(), "token:ann", "ann", link); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.LinkUser(t.Context(), "token:ann", "ann", &api.UserLink{Provider: "other", Subject: "ann-1"}); !errors.Is(err, api.CodeProviderUnknown) {
		t.Errorf("with a provider that is not there: %v", err)
	}
	linked, err := d.LinkUser(t.Context(), "token:ann", "ann", &api.UserLink{Provider: "liar", Subject: "ann-1"})
	if err != nil || linked.ID != ann.ID || linked.Provider != p.Issuer || linked.TOTP {
		t.Errorf("%+v, %v", linked, err)
	}
	var kept string
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT password FROM users WHERE name = 'ann'`).Scan(&kept); err != nil || kept != "" {
		t.Errorf("her password is kept: %q, %v", kept, err)
	}
	newUser(t, d, "bob")
	if _, err := d.LinkUser(t.Context(), "token:ann", "bob", &api.UserLink{Provider: "liar", Subject: "ann-1"}); !errors.Is(err, api.CodeConflict) {
		t.Errorf("the same subject for somebody else: %v", err)
	}

	b.signInWith("liar", start(t, d, device))
	b.shows("Is this your new device?", "Ann Example (ann)") // as the provider writes her name
	if _, err := d.checkLogin(t.Context(), "ann", annsPassword); !errors.Is(err, api.CodeCredentials) {
		t.Errorf("the password that she had: %v", err)
	}
	if _, err := d.ResetUser(t.Context(), "token:ann", "ann"); !errors.Is(err, api.CodeConflict) {
		t.Errorf("a reset of who has no password here: %v", err)
	}
	if err := d.SetUserState(t.Context(), "token:ann", "ann", api.UserDisabled); err != nil {
		t.Fatal(err)
	}
	b.signInWith("liar", start(t, d, device))
	b.shows("Your account is disabled", "user_disabled")
	if err := d.SetUserState(t.Context(), "token:ann", "ann", api.UserActive); err != nil {
		t.Fatal(err)
	}

	back, err := d.UnlinkUser(t.Context(), "token:ann", "ann")
	if err != nil || back.Provider != "" || !back.Temporary {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := d.checkLogin(t.Context(), "ann", back.Password); err != nil {
		t.Errorf("her temporary password: %v", err)
	}
	if _, err := d.UnlinkUser(t.Context(), "token:ann", "ann"); !errors.Is(err, api.CodeConflict) {
		t.Errorf("unlinking who is not linked: %v", err)
	}
	b.signInWith("liar", start(t, d, device))
	b.shows("user_taken")
	figures := scrape(t, d)
	for _, want := range []string{`result="ok"} 1`, `result="user_disabled"} 1`, `result="user_taken"} 2`} {
		if !strings.Contains(figures, `firstday_provider_sign_ins_total{provider="liar",`+want) {
			t.Errorf("the figures lack %s", want)
		}
	}
	log := auditText(t, d)
	for _, action := range []string{"user.link", "user.update", "user.unlink"} {
		if !strings.Contains(log, action) {
			t.Errorf("%s is not in the audit log:\n%s", action, log)
		}
	}
}

// People marry and move; devices go on to know them by the name they had. What
// a provider says later does not make them somebody else.
func TestFederatedUsersChange(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	l := newLiar(t)
	newProvider(t, d, l.config("liar"))
	newUser(t, d, "bob")
	device := newDevice(t, d, "S1")
	for _, c := range []struct {
		email    string
		verified bool
		name     string
		want     string // address afterwards
	}{
		{"Ann@acme.example", true, "Ann Example", "ann@acme.example"},
		{"ann.new@acme.example", true, "Ann New", "ann.new@acme.example"},
		{"ann.claims@acme.example", false, "Ann New", "ann.new@acme.example"},
		{"bob@acme.example", true, "Ann New", "ann.new@acme.example"}, // is Bob's
	} {
		l.said["email"], l.said["email_verified"], l.said["name"] = c.email, c.verified, c.name
		b.signInWith("liar", start(t, d, device))
		b.shows("Is this your new device?", c.name+" (ann)")
		if u, err := d.FindUser(t.Context(), "ann"); err != nil || u.Email != c.want || u.FullName != c.name {
			t.Errorf("%s: %+v, %v", c.email, u, err)
		}
	}
	if u, err := d.FindUser(t.Context(), "bob"); err != nil || u.Email != "bob@acme.example" || u.Provider != "" {
		t.Errorf("%+v, %v", u, err)
	}
}

// However many answers about somebody new come at once, on however many
// replicas: they become one user.
func TestOneUserOfManyAnswers(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		l := newLiar(t)
		p := newProvider(t, replicas[0], l.config("liar"))
		said := claims{"email": []byte(`"ann@acme.example"`), "email_verified": []byte(`true`)}
		var group sync.WaitGroup
		begin := make(chan struct{})
		ids := make([]string, 60)
		for i := range ids {
			group.Go(func() {
				<-begin
				u, err := replicas[i%len(replicas)].federatedUser(t.Context(), &relyingParty{Provider: p}, "ann-1", said)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = u.ID.String()
			})
		}
		close(begin)
		group.Wait()
		if ids = slices.Compact(ids); len(ids) != 1 {
			t.Errorf("they are %d users", len(ids))
		}
		if n := strings.Count(auditText(t, replicas[0]), "user.create"); n != 1 {
			t.Errorf("made %d times", n)
		}
		checkAudit(t, replicas[0])
	})
}

// While one provider does not answer, other ways to sign in are open.
func TestSlowProviderHoldsUpNobody(t *testing.T) {
	d := open(t, t.TempDir(), "")
	change(t, d, func(s *api.Settings) { s.SecondFactor = false })
	b := newBrowser(t, d)
	newUser(t, d, "boss")
	mute, good := newLiar(t), newLiar(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	mute.token = func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-answer
		panic(http.ErrAbortHandler)
	}
	newProvider(t, d, mute.config("mute"))
	newProvider(t, d, good.config("good"))
	device := newDevice(t, d, "S1")
	other := browserAt(t, d, b.base)
	held := &attacked{browser: other, started: start(t, d, device)}
	address := held.choose("mute")
	waiting := make(chan string)
	go func() {
		defer close(waiting)
		resp, err := other.Get(address) //nolint:noctx // it ends with the answer
		if err != nil {
			waiting <- err.Error()
			return
		}
		defer resp.Body.Close()
		shown, _ := io.ReadAll(resp.Body)
		waiting <- string(shown)
	}()
	<-asked
	b.signInWith("good", start(t, d, device))
	b.shows("Is this your new device?")
	b.send("/signin/login", "code", start(t, d, device).UserCode, "name", "boss", "password", annsPassword)
	b.shows("Is this your new device?")
	close(answer)
	other.page = <-waiting
	other.shows("provider_unavailable", "Continue with")
}

// A provider that was removed is offered no more, not even to who is on the way.
func TestRemovedProvider(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	l := newLiar(t)
	newProvider(t, d, l.config("liar"))
	started := start(t, d, newDevice(t, d, "S1"))
	a := &attacked{browser: b, started: started}
	address := a.choose("liar")
	if err := d.RemoveProvider(t.Context(), "token:ann", "liar"); err != nil {
		t.Fatal(err)
	}
	b.open("/signin/step")
	b.shows("not offered any more", "provider_unknown")
	b.open(address)
	b.shows("not offered any more", "provider_unknown", `type="password"`)
	b.send("/signin/provider", "code", started.UserCode, "provider", "liar")
	b.shows("provider_unknown")
	b.send("/signin/provider", "code", "BCDF-GHJK", "provider", "liar")
	b.shows("expired_token")
	b.do(http.MethodPost, "/signin/provider", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	if b.code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", b.code)
	}
}

// A form that names the step of a session that is at a provider proves nothing.
func TestProviderStepIsNotPosted(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	l := newLiar(t)
	newProvider(t, d, l.config("liar"))
	a := &attacked{browser: b, started: start(t, d, newDevice(t, d, "S1"))}
	before := a.choose("liar")
	for _, step := range []string{"provider", "confirm", ""} {
		b.send("/signin/step", "step", step, "answer", "yes")
		b.shows("You are led to Liar & Sons")
	}
	if after := html.UnescapeString(a.find(`<a class="button" href="([^"]+)"`)); after != before {
		t.Errorf("it leads to %s, then %s", before, after)
	}
}

func TestProviderIsTested(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(l *liar, n *api.NewProvider)
		wrong   string // of what is found; empty: nothing
	}{
		"good":   {func(*liar, *api.NewProvider) {}, ""},
		"secret": {func(_ *liar, n *api.NewProvider) { n.ClientSecret = "other" }, "client: the provider does not know"},
		"client": {func(_ *liar, n *api.NewProvider) { n.ClientID = "other" }, "client: the provider does not know"},
		"down":   {func(l *liar, _ *api.NewProvider) { l.Close() }, "discovery: "},
		"issuer": {saying("issuer", "https://other.example"), "calls itself"},
		"keys":   {func(l *liar, _ *api.NewProvider) { l.keys = hangUp }, "keys: "},
		"no keys": {func(l *liar, _ *api.NewProvider) {
			l.keys = func(w http.ResponseWriter, _ *http.Request) { l.tell(w, nil) }
		}, "no key to verify"},
		"huge keys": {func(l *liar, _ *api.NewProvider) { l.keys = huge }, "no set of keys"},
		"no code":   {saying("response_types_supported", []string{"id_token"}), "no authorization codes"},
		"scope":     {saying("scopes_supported", []string{"openid", "email"}), `the scope "profile"`},
		"pushed":    {saying("require_pushed_authorization_requests", true), "RFC 9126"},
		"key only":  {saying("token_endpoint_auth_methods_supported", []string{"private_key_jwt"}), "takes no client secret"},
		"by post": {func(l *liar, n *api.NewProvider) {
			saying("token_endpoint_auth_methods_supported", []string{"client_secret_post"})(l, n)
		}, "client: the provider does not know"}, // the liar takes Basic only
		"no token": {func(l *liar, _ *api.NewProvider) { l.token = hangUp }, "client: "},
		"takes all": {func(l *liar, _ *api.NewProvider) {
			l.token = func(w http.ResponseWriter, _ *http.Request) { l.tell(w, map[string]string{"access_token": "x"}) }
		}, "never gave"},
		"plain HTTP": {saying("jwks_uri", elsewhere), "jwks_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir(), "")
			l := newLiar(t)
			n := l.config("liar")
			c.prepare(l, n)
			newProvider(t, d, n)
			checks, err := d.TestProvider(t.Context(), "liar")
			if err != nil {
				t.Fatal(err)
			}
			found := failed(checks)
			if (found == "") != (c.wrong == "") || !strings.Contains(found, c.wrong) || strings.Contains(found, liarsSecret) {
				t.Errorf("%q, want %q: %+v", found, c.wrong, checks)
			}
		})
	}
}

// A provider's word on itself is not asked for by everybody, and not for ever.
func TestMetadataIsRemembered(t *testing.T) {
	d := open(t, t.TempDir(), "")
	now := time.Now()
	d.Now = func() time.Time { return now }
	l := newLiar(t)
	asked := 0
	l.metadata = func(map[string]any) { asked++ }
	newProvider(t, d, l.config("liar"))
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {metadataLife / 2, 1}, {metadataLife, 2}} {
		now = now.Add(c.after)
		if _, err := d.relyingParty(t.Context(), "liar"); err != nil || asked != c.want {
			t.Errorf("asked %d times, want %d: %v", asked, c.want, err)
		}
	}
	if err := d.RemoveProvider(t.Context(), "token:ann", "liar"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	n := l.config("liar")
	n.ClientID = "other"
	newProvider(t, d, n)
	if rp, err := d.relyingParty(t.Context(), "liar"); err != nil || rp.ClientID != "other" || asked != 3 {
		t.Errorf("after a change: %+v, %d, %v", rp, asked, err)
	}
}

// Sessions of people who never came back from a provider do not pile up.
func TestSessionsEnd(t *testing.T) {
	d := open(t, t.TempDir(), "")
	b := newBrowser(t, d)
	l := newLiar(t)
	newProvider(t, d, l.config("liar"))
	a := &attacked{browser: b, started: start(t, d, newDevice(t, d, "S1"))}
	address := a.choose("liar")
	now := time.Now().Add(pageSessionLife)
	d.Now = func() time.Time { return now }
	b.open(address)
	b.shows("provider_state")
	a.started = start(t, d, newDevice(t, d, "S2"))
	a.choose("liar")
	var sessions int
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM page_sessions`).Scan(&sessions); err != nil || sessions != 1 {
		t.Errorf("%d sessions, %v", sessions, err)
	}
	now = now.Add(signInKept)
	start(t, d, newDevice(t, d, "S3"))
	var kept int
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM sign_ins`).Scan(&kept); err != nil || kept != 2 {
		t.Errorf("%d sign-ins are kept, %v", kept, err)
	}
}
