package directory

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"firstday.dev/api"
)

// attack is a lie of a provider, or of somebody between it and the directory.
type attack struct {
	name    string
	prepare func(l *liar, n *api.NewProvider)
	// travel opens what the directory leads to; nil: as a browser does.
	travel func(a *attacked, address string)
	code   api.Code // empty: it is no attack, and must work
	detail string   // part of what the log says: which check it was
	honest int      // sign-ins that went well before
}

// attacked is a browser in the middle of a sign-in with a liar.
type attacked struct {
	*browser
	d        *Directory
	liar     *liar
	provider string
	started  *api.SignInResponse
}

// choose chooses the provider, and gives the address that the page leads to.
func (a *attacked) choose(provider string) string {
	a.t.Helper()
	a.send("/signin/provider", "code", a.started.UserCode, "provider", provider)
	if !strings.Contains(a.page, `http-equiv="refresh"`) {
		return "" // refused already
	}
	return html.UnescapeString(a.find(`<a class="button" href="([^"]+)"`))
}

// answer lets the provider answer, and gives the address without opening it.
func (a *attacked) answer(address string) *url.URL {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		a.t.Fatal(err)
	}
	return to
}

// openChanged opens an answer that was changed on its way.
func (a *attacked) openChanged(address string, change func(url.Values)) {
	a.t.Helper()
	to := a.answer(address)
	q := to.Query()
	change(q)
	to.RawQuery = q.Encode()
	a.open(to.String())
}

func claim(name string, value any) func(*liar, *api.NewProvider) {
	return func(l *liar, _ *api.NewProvider) { l.claims = func(c map[string]any) { c[name] = value } }
}

func without(name string) func(*liar, *api.NewProvider) {
	return func(l *liar, _ *api.NewProvider) { l.claims = func(c map[string]any) { delete(c, name) } }
}

func signedAs(sign func(l *liar, header, claims map[string]any) string) func(*liar, *api.NewProvider) {
	return func(l *liar, _ *api.NewProvider) {
		l.sign = func(header, claims map[string]any) string { return sign(l, header, claims) }
	}
}

func saying(name string, value any) func(*liar, *api.NewProvider) {
	return func(l *liar, _ *api.NewProvider) { l.metadata = func(m map[string]any) { m[name] = value } }
}

func huge(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"keys":["`)
	_, _ = io.WriteString(w, strings.Repeat("x", 8<<20))
	_, _ = io.WriteString(w, `"]}`)
}

// slow never answers.
func slow(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else net/http does not see who hangs up
	<-r.Context().Done()
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func redirecting(to string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
}

const elsewhere = "http://provider.example/"

var attacks = []attack{
	// The truth, and what is no lie.
	{name: "none"},
	{name: "none: keys were rotated", travel: func(a *attacked, address string) {
		a.open(address)
		a.shows("Is this your new device?")
		a.liar.key, a.liar.kid = liarsKeys()[1], "two"
		a.open(a.choose(a.provider))
	}},
	{name: "none: keys were rotated under one name", travel: func(a *attacked, address string) {
		a.open(address)
		a.liar.key = liarsKeys()[1]
		a.open(a.choose(a.provider))
	}},
	{name: "none: the clock is 40 s ahead", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { c["iat"], c["nbf"] = soon(40*time.Second), soon(40*time.Second) }
	}},
	{name: "none: it expired 40 s ago", prepare: claim("exp", soon(-40*time.Second))},
	{name: "none: several audiences, we are the party", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"other", "firstday"}, "firstday" }
	}},
	{name: "none: claims come by userinfo", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { delete(c, "email"); delete(c, "email_verified"); delete(c, "name") }
	}},

	// The ID token.
	{name: "audience is another client", prepare: claim("aud", "other"), code: api.CodeProviderToken, detail: "expected audience"},
	{name: "audience is missing", prepare: without("aud"), code: api.CodeProviderToken, detail: "expected audience"},
	{name: "several audiences, no party", prepare: claim("aud", []string{"firstday", "other"}), code: api.CodeProviderToken, detail: "authorized party"},
	{name: "authorized party is another client", prepare: claim("azp", "other"), code: api.CodeProviderToken, detail: "authorized party"},
	{name: "nonce of another sign-in", prepare: claim("nonce", "other"), code: api.CodeProviderToken, detail: "nonce"},
	{name: "nonce is missing", prepare: without("nonce"), code: api.CodeProviderToken, detail: "nonce"},
	{name: "unsigned token", prepare: signedAs(func(l *liar, h, c map[string]any) string { return signingInput(l.t, h, c) + "." }), code: api.CodeProviderToken, detail: "verify"},
	{name: "alg=none", prepare: signedAs(func(l *liar, h, c map[string]any) string {
		h["alg"] = "none"
		return signingInput(l.t, h, c) + "."
	}), code: api.CodeProviderToken, detail: "unexpected signature algorithm"},
	{name: "HS256 with the public key", prepare: signedAs(func(l *liar, h, c map[string]any) string {
		return signedWithPublic(l.t, h, c, &l.key.PublicKey)
	}), code: api.CodeProviderToken, detail: "unexpected signature algorithm"},
	{name: "signed by a foreign key", prepare: signedAs(func(l *liar, h, c map[string]any) string { return signed(l.t, h, c, liarsKeys()[2]) }), code: api.CodeProviderToken, detail: "failed to verify"},
	{name: "signed by a key that is retired", travel: func(a *attacked, address string) {
		a.open(address)
		old := a.liar.key
		a.liar.key, a.liar.kid = liarsKeys()[1], "two"
		a.open(a.choose(a.provider))
		a.liar.sign = func(h, c map[string]any) string {
			h["kid"] = "one"
			return signed(a.t, h, c, old)
		}
		a.open(a.choose(a.provider))
	}, code: api.CodeProviderToken, detail: "failed to verify", honest: 2},
	{name: "claims changed after signing", prepare: signedAs(func(l *liar, h, c map[string]any) string {
		token := strings.Split(signed(l.t, h, c, l.key), ".")
		c["sub"] = "boss-1"
		return signingInput(l.t, h, c) + "." + token[2]
	}), code: api.CodeProviderToken, detail: "failed to verify"},
	{name: "issuer is another provider", prepare: claim("iss", "https://other.example"), code: api.CodeProviderToken, detail: "different provider"},
	{name: "expired", prepare: claim("exp", soon(-2*time.Minute)), code: api.CodeProviderToken, detail: "expired"},
	{name: "expiry is missing", prepare: without("exp"), code: api.CodeProviderToken, detail: "expired"},
	{name: "issued in the future", prepare: claim("iat", soon(5*time.Minute)), code: api.CodeProviderToken, detail: "issued at"},
	{name: "holds in the future", prepare: claim("nbf", soon(5*time.Minute)), code: api.CodeProviderToken, detail: "holds from"},
	{name: "subject is missing", prepare: without("sub"), code: api.CodeProviderToken, detail: "subject"},
	{name: "subject is too long", prepare: claim("sub", strings.Repeat("s", api.MaxSubject+1)), code: api.CodeProviderToken, detail: "subject"},
	{name: "of another access token", prepare: claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), code: api.CodeProviderToken, detail: "another access token"},
	{name: "no ID token at all", prepare: func(l *liar, _ *api.NewProvider) {
		l.token = func(w http.ResponseWriter, _ *http.Request) {
			l.tell(w, map[string]string{"access_token": "access", "token_type": "Bearer"})
		}
	}, code: api.CodeProviderToken, detail: "holds none"},

	// The way through the browser.
	{name: "state of another session", travel: func(a *attacked, address string) {
		theirs := a.answer(address)
		victim := browserAt(a.t, a.d, a.base)
		victim.send("/signin/provider", "code", a.started.UserCode, "provider", a.provider)
		victim.open(theirs.String())
		a.page, a.code = victim.page, victim.code
	}, code: api.CodeProviderState, detail: "the state is not"},
	{name: "answer to a browser without a session", travel: func(a *attacked, address string) {
		theirs := a.answer(address)
		victim := browserAt(a.t, a.d, a.base)
		victim.open(theirs.String())
		a.page, a.code = victim.page, victim.code
	}, code: api.CodeProviderState, detail: "no session"},
	{name: "state is missing", travel: func(a *attacked, address string) {
		a.openChanged(address, func(q url.Values) { q.Del("state") })
	}, code: api.CodeProviderState, detail: "the state is not"},
	{name: "state is there twice", travel: func(a *attacked, address string) {
		a.openChanged(address, func(q url.Values) { q.Add("state", "other") })
	}, code: api.CodeProviderState, detail: "the state is not"},
	{name: "code is there twice", travel: func(a *attacked, address string) {
		a.openChanged(address, func(q url.Values) { q.Add("code", "other") })
	}, code: api.CodeProviderState, detail: "code is there 2 times"},
	{name: "answer is replayed", travel: func(a *attacked, address string) {
		answer := a.answer(address).String()
		a.open(answer)
		a.shows("Is this your new device?")
		a.open(answer)
	}, code: api.CodeProviderState, detail: "no session", honest: 1},
	{name: "code of another sign-in", travel: func(a *attacked, address string) {
		stolen := a.answer(address).Query().Get("code")
		a.openChanged(a.choose(a.provider), func(q url.Values) { q.Set("code", stolen) })
	}, code: api.CodeProviderRefused, detail: "invalid_grant"},
	{name: "code of another sign-in, PKCE unchecked", prepare: func(l *liar, _ *api.NewProvider) {
		l.token = func(w http.ResponseWriter, r *http.Request) {
			l.tell(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": l.idToken(l.codes[r.PostFormValue("code")].Get("nonce"))})
		}
	}, travel: func(a *attacked, address string) {
		stolen := a.answer(address).Query().Get("code")
		a.openChanged(a.choose(a.provider), func(q url.Values) { q.Set("code", stolen) })
	}, code: api.CodeProviderToken, detail: "nonce"},
	{name: "mix-up: iss of another provider", travel: func(a *attacked, address string) {
		a.openChanged(address, func(q url.Values) { q.Set("iss", "https://other.example") })
	}, code: api.CodeProviderMixUp, detail: "other.example"},
	{name: "mix-up: iss was left out", travel: func(a *attacked, address string) {
		a.openChanged(address, func(q url.Values) { q.Del("iss") })
	}, code: api.CodeProviderMixUp, detail: "the answer is by"},
	{name: "mix-up: answer at another's redirect URI", travel: func(a *attacked, address string) {
		to := a.answer(address)
		to.Path = api.PathCallback + "/other"
		a.open(to.String())
	}, code: api.CodeProviderState, detail: `the provider \"other\"`},
	{name: "redirect URI follows a forged Host", travel: func(a *attacked, _ string) {
		a.do(http.MethodPost, "/signin/provider", url.Values{"code": {a.started.UserCode}, "provider": {a.provider}}, http.Header{
			"X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example"},
		})
		address := html.UnescapeString(a.find(`<a class="button" href="([^"]+)"`))
		if u, err := url.Parse(address); err != nil || u.Query().Get("redirect_uri") != a.base+"/signin/callback/"+a.provider {
			a.t.Errorf("%s, %v", address, err)
		}
		a.open(address)
	}},
	{name: "redirect URI was changed on the way", travel: func(a *attacked, address string) {
		// A provider that lets it pass sends the code elsewhere; who brings it back
		// finds that the exchange names the registered address.
		code := a.answer(strings.Replace(address, url.QueryEscape(a.base), url.QueryEscape("https://evil.example"), 1)).Query()
		a.open(a.base + "/signin/callback/" + a.provider + "?" + code.Encode())
	}, code: api.CodeProviderRefused, detail: "invalid_grant"},
	{name: "the person gives up", prepare: func(l *liar, _ *api.NewProvider) {
		l.authorize = func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }
	}, code: api.CodeProviderRefused, detail: "access_denied"},
	{name: "an error with a novel in it", prepare: func(l *liar, _ *api.NewProvider) {
		l.authorize = func(q url.Values) { q.Del("code"); q.Set("error", "<script>"+strings.Repeat("x", 5000)) }
	}, code: api.CodeProviderMisconfigured, detail: "<script>xxx"},

	// The provider's own addresses.
	{name: "discovery names another issuer", prepare: saying("issuer", "https://other.example"), code: api.CodeProviderMisconfigured, detail: "calls itself"},
	{name: "discovery leads to plain HTTP elsewhere", prepare: func(l *liar, _ *api.NewProvider) {
		l.discovery = redirecting(elsewhere, http.StatusFound)
	}, code: api.CodeProviderMisconfigured, detail: "no https:// address"},
	{name: "discovery leads round and round", prepare: func(l *liar, _ *api.NewProvider) {
		l.discovery = redirecting("/.well-known/openid-configuration", http.StatusFound)
	}, code: api.CodeProviderMisconfigured, detail: "again and again"},
	{name: "discovery is huge", prepare: func(l *liar, _ *api.NewProvider) { l.discovery = huge }, code: api.CodeProviderUnavailable, detail: "longer than"},
	{name: "discovery is slow", prepare: func(l *liar, _ *api.NewProvider) { l.discovery = slow }, code: api.CodeProviderUnavailable, detail: "discovery"},
	{name: "discovery is no JSON", prepare: func(l *liar, _ *api.NewProvider) {
		l.discovery = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }
	}, code: api.CodeProviderUnavailable, detail: "decode"},
	{name: "provider is down", prepare: func(l *liar, _ *api.NewProvider) { l.Close() }, code: api.CodeProviderUnavailable, detail: "refused"},
	{name: "token endpoint over plain HTTP elsewhere", prepare: saying("token_endpoint", elsewhere), code: api.CodeProviderMisconfigured, detail: "token_endpoint"},
	{name: "authorization endpoint is a script", prepare: saying("authorization_endpoint", "javascript:alert(1)"), code: api.CodeProviderMisconfigured, detail: "authorization_endpoint"},
	{name: "signs by shared secrets only", prepare: saying("id_token_signing_alg_values_supported", []string{"HS256", "none"}), code: api.CodeProviderMisconfigured, detail: "signs ID tokens by"},
	{name: "takes no S256", prepare: saying("code_challenge_methods_supported", []string{"plain"}), code: api.CodeProviderMisconfigured, detail: "S256"},
	{name: "token endpoint is slow", prepare: func(l *liar, _ *api.NewProvider) { l.token = slow }, code: api.CodeProviderUnavailable, detail: "token endpoint"},
	{name: "token endpoint is huge", prepare: func(l *liar, _ *api.NewProvider) { l.token = huge }, code: api.CodeProviderUnavailable, detail: "longer than"},
	{name: "token endpoint hangs up", prepare: func(l *liar, _ *api.NewProvider) { l.token = hangUp }, code: api.CodeProviderUnavailable, detail: "EOF"},
	{name: "token endpoint leads elsewhere", prepare: func(l *liar, _ *api.NewProvider) {
		l.token = redirecting("/userinfo", http.StatusTemporaryRedirect)
	}, code: api.CodeProviderMisconfigured, detail: "take a secret along"},
	{name: "token endpoint leads elsewhere, secret in the form", prepare: func(l *liar, n *api.NewProvider) {
		saying("token_endpoint_auth_methods_supported", []string{secretPost})(l, n)
		l.token = redirecting("/userinfo", http.StatusTemporaryRedirect)
	}, code: api.CodeProviderMisconfigured, detail: "take a secret along"},
	{name: "client secret is wrong", prepare: func(_ *liar, n *api.NewProvider) { n.ClientSecret = "other" }, code: api.CodeProviderMisconfigured, detail: "invalid_client"},
	{name: "keys are huge", prepare: func(l *liar, _ *api.NewProvider) { l.keys = huge }, code: api.CodeProviderUnavailable, detail: "longer than"},
	{name: "keys are slow", prepare: func(l *liar, _ *api.NewProvider) { l.keys = slow }, code: api.CodeProviderUnavailable, detail: "keys of"},
	{name: "keys lead to plain HTTP elsewhere", prepare: func(l *liar, _ *api.NewProvider) {
		l.keys = redirecting(elsewhere, http.StatusFound)
	}, code: api.CodeProviderUnavailable, detail: "no https:// address"},
	{name: "userinfo is about somebody else", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { delete(c, "email") }
		l.userinfo = func(w http.ResponseWriter, _ *http.Request) {
			l.tell(w, map[string]any{"sub": "boss-1", "email": "boss@acme.example", "email_verified": true})
		}
	}, code: api.CodeProviderToken, detail: "another subject"},
	{name: "userinfo leads elsewhere", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { delete(c, "email") }
		l.userinfo = redirecting("/keys", http.StatusFound)
	}, code: api.CodeProviderMisconfigured, detail: "take a secret along"},

	// Who it is.
	{name: "e-mail address is not verified", prepare: claim("email_verified", false), code: api.CodeEmailUnverified, detail: "email_verified"},
	{name: "e-mail address may be verified", prepare: func(l *liar, _ *api.NewProvider) { delete(l.said, "email_verified") }, code: api.CodeEmailUnverified, detail: "email_verified"},
	{name: "userinfo verifies another address", prepare: func(l *liar, n *api.NewProvider) {
		n.Domains = []string{"acme.example"}
		l.claims = func(c map[string]any) { delete(c, "email_verified") }
		l.userinfo = func(w http.ResponseWriter, _ *http.Request) {
			l.tell(w, map[string]any{"sub": "ann-1", "email": "ann@home.example", "email_verified": true})
		}
	}, code: api.CodeProviderDomain, detail: "home.example"},
	{name: "userinfo verifies an address without naming it", prepare: func(l *liar, _ *api.NewProvider) {
		l.claims = func(c map[string]any) { delete(c, "email_verified") }
		l.userinfo = func(w http.ResponseWriter, _ *http.Request) {
			l.tell(w, map[string]any{"sub": "ann-1", "email_verified": true})
		}
	}, code: api.CodeEmailUnverified, detail: "email_verified"},
	{name: "hd is missing", prepare: func(_ *liar, n *api.NewProvider) { n.HostedDomains = []string{"acme.example"} }, code: api.CodeProviderDomain, detail: "hd is"},
	{name: "hd is another organisation", prepare: func(l *liar, n *api.NewProvider) {
		n.HostedDomains = []string{"acme.example"}
		l.said["hd"] = "evil.example"
	}, code: api.CodeProviderDomain, detail: "evil.example"},
	{name: "e-mail address of another domain", prepare: func(_ *liar, n *api.NewProvider) { n.Domains = []string{"other.example"} }, code: api.CodeProviderDomain, detail: "acme.example"},
	{name: "in none of the groups", prepare: func(l *liar, n *api.NewProvider) {
		n.Groups = []string{"staff"}
		l.said["groups"] = []string{"guests", "staff-not"}
	}, code: api.CodeProviderGroup, detail: "2 groups"},
	{name: "groups are missing", prepare: func(_ *liar, n *api.NewProvider) { n.Groups = []string{"staff"} }, code: api.CodeProviderGroup, detail: "0 groups"},
	{name: "second factor was left out", prepare: func(l *liar, n *api.NewProvider) {
		n.ACRValues = []string{"mfa"}
		l.said["acr"] = "password"
	}, code: api.CodeProviderAssurance, detail: "acr is"},
	{name: "signed in last week", prepare: func(l *liar, n *api.NewProvider) {
		n.MaxAge = api.Duration(time.Hour)
		l.said["auth_time"] = soon(-7 * 24 * time.Hour)
	}, code: api.CodeProviderAssurance, detail: "auth_time"},
	{name: "user name is of no letters", prepare: func(l *liar, n *api.NewProvider) {
		n.UserName = "nick"
		l.said["nick"] = "../../.."
	}, code: api.CodeProviderClaim, detail: "no Latin letters"},
	{name: "user name is somebody's", prepare: func(l *liar, n *api.NewProvider) {
		n.UserName = "nick"
		l.said["nick"] = "Boss"
	}, code: api.CodeUserTaken, detail: "boss"},
	{name: "e-mail address is somebody's", prepare: func(l *liar, n *api.NewProvider) {
		n.UserName = "sub"
		l.said["email"] = "boss@acme.example"
	}, code: api.CodeUserTaken, detail: "boss"},
	{name: "nobody is linked", prepare: func(_ *liar, n *api.NewProvider) { n.CreateUsers = false }, code: api.CodeUserUnknown, detail: "ann-1"},
}

func soon(in time.Duration) int64 { return time.Now().Add(in).Unix() }

// Each lie has its refusal, and nothing comes of it: no session of anybody, no
// user, no device.
func TestProviderAttacks(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for i, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			d, log := openWith(t, func(*Options) {})
			if strings.Contains(a.name, "slow") {
				d.times.provider, d.outside = moment, newOutside(moment)
			}
			user := newUser(t, d, "boss")
			b := newBrowser(t, d)
			l := newLiar(t)
			n := l.config(fmt.Sprintf("liar%d", i))
			if a.prepare != nil {
				a.prepare(l, n)
			}
			if _, err := d.CreateProvider(t.Context(), "token:ann", n); err != nil {
				t.Fatal(err)
			}
			device := newDevice(t, d, "S1")
			victim := &attacked{b, d, l, n.ID, start(t, d, device)}
			travel := a.travel
			if travel == nil {
				travel = func(_ *attacked, address string) { b.open(address) }
			}
			if address := victim.choose(n.ID); address != "" {
				travel(victim, address)
			}
			shown := string(a.code)
			if a.code == "" {
				b.shows("Is this your new device?")
				shown = "works"
			} else {
				b.shows("<code>" + string(a.code) + "</code>")
				if !strings.Contains(log.String(), a.detail) || !strings.Contains(log.String(), "code="+string(a.code)) {
					t.Errorf("the log does not say %q:\n%s", a.detail, log)
				}
				nothingCame(t, d, a.honest, user)
			}
			if strings.Contains(log.String(), liarsSecret) {
				t.Error("the log holds the client secret")
			}
			if v, err := d.Device(t.Context(), device); err != nil || len(v.Users) > 0 {
				t.Errorf("the device has %+v, %v", v, err)
			}
			fmt.Fprintf(w, "%s\t%s\n", a.name, shown)
		})
	}
	_ = w.Flush()
	t.Logf("attack -> refusal\n%s", &table)
}

// nothingCame makes sure that a lie gave nobody a session, made nobody, and
// changed nobody. Honest sign-ins before it were Ann's.
func nothingCame(t *testing.T, d *Directory, honest int, boss *api.User) {
	t.Helper()
	var sessions int
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM page_sessions WHERE user_id <> ''`).Scan(&sessions); err != nil || sessions != honest {
		t.Errorf("%d sessions of somebody, %v; %d were honest", sessions, err, honest)
	}
	users, err := d.Users(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if (u.ID != boss.ID && (u.Name != "ann" || honest == 0)) || u.ID == boss.ID && (u.Provider != "" || u.Email != boss.Email) {
			t.Errorf("there is the user %+v", u)
		}
	}
}
