package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"firstday.dev/api"
)

// relyingParty is what the directory is to a provider, with what that says of
// itself.
type relyingParty struct {
	*api.Provider
	oidc     *oidc.Provider
	keys     oidc.KeySet
	metadata metadata
	until    time.Time // when the metadata is asked for again
}

// metadata is what a provider says of itself (OpenID Connect Discovery §3), as
// far as go-oidc does not read it.
type metadata struct {
	Issuer         string   `json:"issuer"`
	Authorization  string   `json:"authorization_endpoint"`
	Token          string   `json:"token_endpoint"`
	UserInfo       string   `json:"userinfo_endpoint"`
	Keys           string   `json:"jwks_uri"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes  []string `json:"response_types_supported"`
	Challenges     []string `json:"code_challenge_methods_supported"`
	Authentication []string `json:"token_endpoint_auth_methods_supported"`
	Scopes         []string `json:"scopes_supported"`
	SendsIssuer    bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	PushedOnly     bool     `json:"require_pushed_authorization_requests"`          // RFC 9126
}

// signatures are the algorithms by which ID tokens may be signed: those with a
// private key that only the provider has.
var signatures = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// metadataLife is how long a provider's metadata is taken for new. Its keys are
// asked for again whenever a token is signed by one that is not known.
const metadataLife = time.Hour

// relyingParties remember what providers say of themselves.
type relyingParties struct {
	flight singleflight.Group
	mu     sync.Mutex
	known  map[string]*relyingParty // by id
}

// relyingParty gives the provider of that id. Who asks at the same time waits for
// the same answer.
func (d *Directory) relyingParty(ctx context.Context, id string) (*relyingParty, error) {
	p, err := d.Provider(ctx, id)
	if err != nil {
		return nil, err
	}
	d.parties.mu.Lock()
	known := d.parties.known[id]
	d.parties.mu.Unlock()
	if known != nil && d.now().Before(known.until) && reflect.DeepEqual(known.Provider, p) {
		return known, nil
	}
	answers := d.parties.flight.DoChan(id+" "+p.CreatedAt.String(), func() (any, error) {
		found, err := d.discover(context.WithoutCancel(ctx), p)
		if err != nil {
			return nil, err
		}
		d.parties.mu.Lock()
		defer d.parties.mu.Unlock()
		if d.parties.known == nil {
			d.parties.known = make(map[string]*relyingParty)
		}
		d.parties.known[id] = found
		return found, nil
	})
	select {
	case a := <-answers:
		if a.Err != nil {
			return nil, a.Err
		}
		return a.Val.(*relyingParty), nil
	case <-ctx.Done():
		return nil, api.Refuse(api.CodeProviderUnavailable, "discovery of %s: %v", p.Issuer, ctx.Err())
	}
}

// discover asks a provider for its metadata, and refuses what is not safe.
func (d *Directory) discover(ctx context.Context, p *api.Provider) (*relyingParty, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, d.outside), p.Issuer)
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return nil, api.Refuse(api.CodeProviderMisconfigured, "the provider %s calls itself %.200q, not %q", p.ID, mismatch.Discovered, p.Issuer)
	case errors.Is(err, errRedirect):
		return nil, api.Refuse(api.CodeProviderMisconfigured, "discovery of %s: %s", p.Issuer, short(err))
	case err != nil:
		return nil, api.Refuse(api.CodeProviderUnavailable, "discovery of %s: %s", p.Issuer, short(err))
	}
	rp := &relyingParty{Provider: p, oidc: found, until: d.now().Add(metadataLife)}
	if err := found.Claims(&rp.metadata); err != nil {
		return nil, api.Refuse(api.CodeProviderMisconfigured, "metadata of %s: %s", p.Issuer, short(err))
	}
	if err := rp.metadata.check(); err != nil {
		return nil, api.Refuse(api.CodeProviderMisconfigured, "metadata of %s: %s", p.Issuer, short(err))
	}
	rp.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), d.outside), rp.metadata.Keys)
	return rp, nil
}

// check refuses metadata by which somebody in between could sign people in.
func (m *metadata) check() error {
	issuer, err := url.Parse(m.Issuer)
	if err != nil {
		return err
	}
	for _, endpoint := range []struct{ name, address string }{
		{"authorization_endpoint", m.Authorization}, {"token_endpoint", m.Token}, {"jwks_uri", m.Keys}, {"userinfo_endpoint", m.UserInfo},
	} {
		if endpoint.address == "" && endpoint.name == "userinfo_endpoint" {
			continue
		}
		u, err := url.Parse(endpoint.address)
		if err != nil || !api.SecureURL(u, api.OnLoopback(issuer)) || u.User != nil {
			return fmt.Errorf("the %s %.100q is not an https:// address", endpoint.name, endpoint.address)
		}
	}
	if len(m.algorithms()) == 0 {
		return fmt.Errorf("it signs ID tokens by %.100q, which are none of %v", m.Algorithms, signatures)
	}
	if len(m.Challenges) > 0 && !slices.Contains(m.Challenges, "S256") {
		return errors.New("it takes no code challenges by S256")
	}
	return nil
}

// algorithms are those by which the provider may sign ID tokens.
func (m *metadata) algorithms() []string {
	if len(m.Algorithms) == 0 {
		return []string{oidc.RS256} // OpenID Connect Core §3.1.3.7
	}
	return slices.DeleteFunc(slices.Clone(m.Algorithms), func(a string) bool { return !slices.Contains(signatures, a) })
}

// The ways to show a client secret (OpenID Connect Core §9). Who names none takes
// the first.
const (
	secretBasic = "client_secret_basic"
	secretPost  = "client_secret_post"
)

func (m *metadata) takes(way string) bool {
	return slices.Contains(m.Authentication, way) || len(m.Authentication) == 0 && way == secretBasic
}

// client is how the directory speaks to the provider as OAuth 2.0 wants it.
func (rp *relyingParty) client(secret api.Secret) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if !rp.metadata.takes(secretBasic) {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: rp.ClientID, ClientSecret: secret.Reveal(), RedirectURL: rp.RedirectURI, Scopes: append([]string{oidc.ScopeOpenID}, rp.Scopes...),
		Endpoint: oauth2.Endpoint{AuthURL: rp.metadata.Authorization, TokenURL: rp.metadata.Token, AuthStyle: style},
	}
}

// authorization is the address at which the person signs in.
func (rp *relyingParty) authorization(f *federation) string {
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	add := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	add("acr_values", strings.Join(rp.ACRValues, " "))
	add("prompt", rp.Prompt)
	if rp.MaxAge > 0 {
		add("max_age", strconv.FormatInt(int64(time.Duration(rp.MaxAge)/time.Second), 10))
	}
	if len(rp.HostedDomains) == 1 {
		add("hd", rp.HostedDomains[0]) // Google offers only accounts of it
	}
	return rp.client("").AuthCodeURL(f.State, options...)
}

// short is an error for the log: providers' answers may be long.
func short(err error) string {
	const most = 300 // bytes
	text := err.Error()
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}
