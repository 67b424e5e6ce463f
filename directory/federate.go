package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"firstday.dev/api"
)

// federation is what a browser was sent to a provider with. Its session
// remembers it until the provider's answer comes, once.
type federation struct {
	Provider string `json:"provider"` // its id
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // RFC 7636
}

// offer says on a page how people may sign in: with the providers, and where
// anybody has a password of the directory, or nothing else is left, with that.
func (d *Directory) offer(ctx context.Context, p *page) error {
	providers, err := d.Providers(ctx)
	if err != nil {
		return err
	}
	for _, provider := range providers {
		p.Providers = append(p.Providers, pageProvider{provider.ID, provider.Name})
	}
	var local int
	err = d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT id FROM users WHERE password <> '' LIMIT 1) AS one`).Scan(&local)
	p.Local = local > 0 || len(providers) == 0
	return err
}

// chooseProvider begins to sign somebody in with a provider.
func (d *Directory) chooseProvider(r *http.Request) (*page, error) {
	s, p, err := d.beginLogin(r)
	if err != nil {
		return nil, err
	}
	// Before the person goes there: another way may be open.
	rp, err := d.relyingParty(r.Context(), r.PostForm.Get("provider"))
	if err != nil {
		return p, err
	}
	session := &pageSession{signIn: s.id, step: stepProvider, pending: pending{
		Federation: &federation{rp.ID, rand.Text(), rand.Text(), oauth2.GenerateVerifier()},
	}}
	cookie, err := d.beginSession(r.Context(), session)
	return &page{cookie: cookie, next: true}, err
}

// providerPage leads to the provider. A form that is answered by a redirect
// would not: browsers hold form-action against where it leads, too.
func (d *Directory) providerPage(ctx context.Context, s *pageSession) (*page, error) {
	rp, err := d.relyingParty(ctx, s.pending.Federation.Provider)
	if err != nil {
		return nil, err
	}
	return &page{template: "continue", Title: "You are led to " + rp.Name, Continue: rp.authorization(s.pending.Federation)}, nil
}

// takeCallback takes a provider's answer, for the console if that waits for it.
// What goes wrong is said on the page on which another way can be chosen.
func (d *Directory) takeCallback(r *http.Request) (*page, error) {
	ceremony, err := d.ceremonyOf(r)
	if err != nil {
		return nil, err
	}
	if ceremony != nil {
		return d.takeAdministrator(r, ceremony)
	}
	session, err := d.takeFederation(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*d.times.provider)
	defer cancel()
	user, err := d.federate(ctx, session.pending.Federation, r.URL.Query())
	if r.Context().Err() == nil { // else the browser left: no word on the provider
		d.metrics.federations.WithLabelValues(session.pending.Federation.Provider, result(err)).Inc()
	}
	if err != nil {
		if s, gone := d.signInOf(r.Context(), session); gone == nil {
			d.noteTry(r.Context(), s.device, nil, remote(r), err)
		}
		return d.otherWay(r.Context(), session), err
	}
	next := &pageSession{signIn: session.signIn, user: user.ID}
	if next.step, err = d.nextStep(r.Context(), next); err != nil {
		return nil, err
	}
	cookie, err := d.beginSession(r.Context(), next)
	return &page{cookie: cookie, next: true}, err
}

// otherWay shows the first page again, if the device still waits.
func (d *Directory) otherWay(ctx context.Context, session *pageSession) *page {
	s, err := d.signInOf(ctx, session)
	if err != nil || s.waits(d.now()) != nil {
		return nil
	}
	p, err := d.loginPage(ctx, s)
	if err != nil {
		return nil
	}
	return p
}

// takeFederation ends the session that waits for this very answer, so that no
// answer is good twice.
func (d *Directory) takeFederation(r *http.Request) (*pageSession, error) {
	refused := api.Refuse(api.CodeProviderState, "no session of this browser waits for the provider %.40q", r.PathValue("provider"))
	s, err := d.session(r)
	if err != nil {
		if api.CodeOf(err) == api.CodeExpiredToken {
			return nil, refused
		}
		return nil, err
	}
	f := s.pending.Federation
	if s.step != stepProvider || f == nil || f.Provider != r.PathValue("provider") {
		return nil, refused
	}
	state, err := one(r.URL.Query(), "state")
	if err != nil || subtle.ConstantTimeCompare([]byte(state), []byte(f.State)) != 1 {
		return nil, api.Refuse(api.CodeProviderState, "the state is not that of this browser's sign-in with %s", f.Provider)
	}
	return s, d.change(r.Context(), func(t *transaction) error {
		n, err := t.exec(`DELETE FROM page_sessions WHERE hash = $1`, s.hash)
		if err == nil && n == 0 {
			return refused
		}
		return err
	})
}

// one gives a parameter that may be there once (RFC 6749 §3.1).
func one(q url.Values, name string) (string, error) {
	if len(q[name]) > 1 {
		return "", api.Refuse(api.CodeProviderState, "%s is there %d times", name, len(q[name]))
	}
	return q.Get(name), nil
}

// federate tells which user has signed in with a provider, by its answer.
func (d *Directory) federate(ctx context.Context, f *federation, answer url.Values) (*api.User, error) {
	rp, err := d.relyingParty(ctx, f.Provider)
	if err != nil {
		return nil, err
	}
	subject, c, err := d.identify(ctx, rp, f, answer)
	if err != nil {
		return nil, err
	}
	return d.federatedUser(ctx, rp, subject, c)
}

// identify tells who has signed in with a provider, by its answer, and what it
// says of them.
func (d *Directory) identify(ctx context.Context, rp *relyingParty, f *federation, answer url.Values) (subject string, c claims, err error) {
	code, err := rp.code(answer)
	if err != nil {
		return "", nil, err
	}
	tokens, err := d.exchange(ctx, rp, f, code)
	if err != nil {
		return "", nil, err
	}
	token, c, err := d.verify(ctx, rp, tokens, f.Nonce)
	if err != nil {
		return "", nil, err
	}
	if err := d.addUserInfo(ctx, rp, tokens, token.Subject, c); err != nil {
		return "", nil, err
	}
	return token.Subject, c, rp.admit(c)
}

// code gives the authorization code of an answer, or says why there is none.
func (rp *relyingParty) code(answer url.Values) (string, error) {
	values := make(map[string]string)
	for _, name := range []string{"iss", "error", "code"} {
		var err error
		if values[name], err = one(answer, name); err != nil {
			return "", err
		}
	}
	// RFC 9207 §2.4. Those who do not send it have a redirect URI of their own.
	if iss := values["iss"]; iss != rp.Issuer && (iss != "" || rp.metadata.SendsIssuer) {
		return "", api.Refuse(api.CodeProviderMixUp, "the answer is by %.100q, asked was %q", iss, rp.Issuer)
	}
	switch refused := values["error"]; {
	case refused == "server_error" || refused == "temporarily_unavailable":
		return "", api.Refuse(api.CodeProviderUnavailable, "the provider %s says %q", rp.ID, refused)
	case refused == "access_denied" || refused == "login_required" || refused == "interaction_required" || refused == "consent_required" || refused == "account_selection_required" || refused == "unmet_authentication_requirements":
		return "", api.Refuse(api.CodeProviderRefused, "the provider %s says %q", rp.ID, refused)
	case refused != "":
		return "", api.Refuse(api.CodeProviderMisconfigured, "the provider %s says %.60q", rp.ID, refused)
	case values["code"] == "":
		return "", api.Refuse(api.CodeProviderMisconfigured, "the provider %s gives no code", rp.ID)
	}
	return values["code"], nil
}
