package directory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"firstday.dev/api"
)

// TestProvider looks at all of a provider that can be looked at without a
// person: what it says of itself, its keys, and whether it knows the directory.
func (d *Directory) TestProvider(ctx context.Context, id string) ([]api.ProviderCheck, error) {
	p, err := d.Provider(ctx, id)
	if err != nil {
		return nil, err
	}
	secret, err := d.clientSecret(ctx, id)
	if err != nil {
		return nil, err
	}
	var checks []api.ProviderCheck
	note := func(what string, found string, err error) {
		if err != nil {
			found = err.Error()
			var refused *api.Error
			if errors.As(err, &refused) {
				found = refused.Detail
			}
		}
		checks = append(checks, api.ProviderCheck{What: what, OK: err == nil, Detail: found})
	}
	rp, err := d.discover(ctx, p) // what is remembered may be old
	if err != nil {
		note("discovery", "", err)
		return checks, nil
	}
	note("discovery", fmt.Sprintf("%s signs ID tokens by %v", p.Issuer, rp.metadata.algorithms()), nil)
	found, err := d.countKeys(ctx, rp)
	note("keys", found, err)
	found, err = rp.checkOffers()
	note("request", found, err)
	found, err = d.tryClient(ctx, rp, secret)
	note("client", found, err)
	note("redirect URI", p.RedirectURI+" must be registered with the provider, to the letter; nobody can look from outside", nil)
	return checks, nil
}

// countKeys asks for the keys that ID tokens are signed by.
func (d *Directory) countKeys(ctx context.Context, rp *relyingParty) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, rp.metadata.Keys, nil)
	if err != nil {
		return "", err
	}
	resp, err := d.outside.Do(r)
	if err != nil {
		return "", errors.New(short(err))
	}
	defer resp.Body.Close()
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s, and no set of keys", rp.metadata.Keys, resp.Status)
	}
	usable := 0
	for _, k := range set.Keys {
		if k.Use != "enc" && slices.Contains([]string{"RSA", "EC", "OKP"}, k.Type) {
			usable++
		}
	}
	if usable == 0 {
		return "", fmt.Errorf("%s gives no key to verify signatures with", rp.metadata.Keys)
	}
	return fmt.Sprintf("%d at %s", usable, rp.metadata.Keys), nil
}

// checkOffers compares what will be asked for with what the provider says that
// it offers.
func (rp *relyingParty) checkOffers() (string, error) {
	m := &rp.metadata
	switch {
	case len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code"):
		return "", fmt.Errorf("the provider gives no authorization codes, only %.100q", m.ResponseTypes)
	case m.PushedOnly:
		return "", errors.New("the provider takes pushed requests only (RFC 9126); allow others for this client")
	case !m.takes(secretBasic) && !m.takes(secretPost):
		return "", fmt.Errorf("the provider takes no client secret, only %.100q", m.Authentication)
	}
	for _, scope := range rp.Scopes {
		if len(m.Scopes) > 0 && !slices.Contains(m.Scopes, scope) {
			return "", fmt.Errorf("the provider does not offer the scope %q; it offers %.300q", scope, m.Scopes)
		}
	}
	found := "code with PKCE"
	if len(m.Challenges) == 0 {
		found += ", which the provider does not say that it checks"
	}
	if !m.SendsIssuer {
		found += "; answers do not name their issuer (RFC 9207), the redirect URI alone tells providers apart"
	}
	return found, nil
}

// tryClient shows the client secret with a code that nobody gave: who does not
// know the client says so.
func (d *Directory) tryClient(ctx context.Context, rp *relyingParty, secret api.Secret) (string, error) {
	_, err := rp.client(secret).Exchange(oidc.ClientContext(ctx, d.outside), rand.Text(), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return "", errors.New("the provider takes a code that it never gave")
	case !errors.As(err, &refused) || refused.ErrorCode == "":
		return "", tokenRefusal(rp, err)
	case refused.ErrorCode == "invalid_client" || refused.ErrorCode == "unauthorized_client":
		return "", fmt.Errorf("the provider does not know the client id %q with this secret: %.60q", rp.ClientID, refused.ErrorCode)
	case refused.ErrorCode == "invalid_grant":
		return "the provider knows the client id and its secret", nil
	default:
		return fmt.Sprintf("the provider answers %.60q, which says nothing of the secret", refused.ErrorCode), nil
	}
}
