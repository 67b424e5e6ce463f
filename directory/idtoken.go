package directory

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"firstday.dev/api"
)

// clockLeeway is how far a provider's clock may be off.
const clockLeeway = time.Minute

// exchange gives the tokens for a code, or says who is to blame that there are
// none. What the provider answered may hold a secret, and is not quoted.
func (d *Directory) exchange(ctx context.Context, rp *relyingParty, f *federation, code string) (*oauth2.Token, error) {
	secret, err := d.clientSecret(ctx, rp.ID)
	if err != nil {
		return nil, err
	}
	tokens, err := rp.client(secret).Exchange(oidc.ClientContext(ctx, d.outside), code, oauth2.VerifierOption(f.Verifier))
	return tokens, tokenRefusal(rp, err)
}

func tokenRefusal(rp *relyingParty, err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRedirect):
		return api.Refuse(api.CodeProviderMisconfigured, "the token endpoint of %s: %s", rp.Issuer, short(err))
	case !errors.As(err, &refused):
		return api.Refuse(api.CodeProviderUnavailable, "the token endpoint of %s: %s", rp.Issuer, short(err))
	case refused.ErrorCode == "invalid_grant":
		return api.Refuse(api.CodeProviderRefused, "the provider %s does not take the code: invalid_grant", rp.ID)
	case refused.ErrorCode == "" || refused.ErrorCode == "temporarily_unavailable" || refused.ErrorCode == "server_error":
		return api.Refuse(api.CodeProviderUnavailable, "the token endpoint of %s answers %s %.60q", rp.Issuer, refused.Response.Status, refused.ErrorCode)
	default:
		return api.Refuse(api.CodeProviderMisconfigured, "the token endpoint of %s answers %.60q", rp.Issuer, refused.ErrorCode)
	}
}

// fetchedKeys tells a provider that does not give its keys from a token that
// none of them signed.
type fetchedKeys struct {
	oidc.KeySet
	failed error
}

// VerifySignature is of [oidc.KeySet].
func (k *fetchedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys") {
		k.failed = err
	}
	return payload, err
}

// verify gives the claims of an ID token that holds (OpenID Connect Core
// §3.1.3.7). go-oidc looks at signature, issuer and audience, this at the rest.
func (d *Directory) verify(ctx context.Context, rp *relyingParty, tokens *oauth2.Token, nonce string) (*oidc.IDToken, claims, error) {
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return nil, nil, badToken(rp, "the answer holds none")
	}
	keys := &fetchedKeys{KeySet: rp.keys}
	token, err := oidc.NewVerifier(rp.Issuer, keys, &oidc.Config{
		ClientID: rp.ClientID, SupportedSigningAlgs: rp.metadata.algorithms(), SkipExpiryCheck: true, // see checkTimes
	}).Verify(ctx, raw)
	switch {
	case keys.failed != nil:
		return nil, nil, api.Refuse(api.CodeProviderUnavailable, "the keys of %s: %s", rp.Issuer, short(keys.failed))
	case err != nil:
		return nil, nil, badToken(rp, "%s", short(err))
	}
	var extra struct {
		AuthorizedParty *string `json:"azp"`
		NotBefore       float64 `json:"nbf"`
		AuthTime        float64 `json:"auth_time"`
		ACR             string  `json:"acr"`
	}
	var all claims
	if err := errors.Join(token.Claims(&extra), token.Claims(&all)); err != nil {
		return nil, nil, badToken(rp, "%s", short(err))
	}
	switch party := extra.AuthorizedParty; {
	case token.Subject == "" || len(token.Subject) > api.MaxSubject || !api.PlainText(token.Subject):
		return nil, nil, badToken(rp, "its subject is missing, too long, or no plain text")
	case party != nil && *party != rp.ClientID, party == nil && len(token.Audience) > 1:
		return nil, nil, badToken(rp, "its authorized party is another client than %q", rp.ClientID)
	case nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return nil, nil, badToken(rp, "its nonce is not that of this sign-in")
	case token.AccessTokenHash != "" && token.VerifyAccessToken(tokens.AccessToken) != nil:
		return nil, nil, badToken(rp, "it came with another access token")
	}
	if err := checkTimes(token, fromSeconds(extra.NotBefore), d.now()); err != nil {
		return nil, nil, badToken(rp, "%v", err)
	}
	return token, all, rp.checkAssurance(extra.ACR, fromSeconds(extra.AuthTime), d.now())
}

func badToken(rp *relyingParty, format string, args ...any) error {
	return api.Refuse(api.CodeProviderToken, "the ID token of %s: %s", rp.ID, fmt.Sprintf(format, args...))
}

func checkTimes(token *oidc.IDToken, notBefore, now time.Time) error {
	switch {
	case !now.Before(token.Expiry.Add(clockLeeway)):
		return fmt.Errorf("it expired at %v", token.Expiry.UTC())
	case token.IssuedAt.IsZero() || token.IssuedAt.After(now.Add(clockLeeway)):
		return fmt.Errorf("it was issued at %v, which is yet to come, or never", token.IssuedAt.UTC())
	case notBefore.After(now.Add(clockLeeway)):
		return fmt.Errorf("it holds from %v on", notBefore.UTC())
	}
	return nil
}

// fromSeconds reads a time as JSON Web Tokens have it; 0: none.
func fromSeconds(s float64) time.Time {
	if s <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

// checkAssurance makes sure that the provider did what it was asked for: the
// person's browser carried the question, and could have left it out.
func (rp *relyingParty) checkAssurance(acr string, signedIn, now time.Time) error {
	if len(rp.ACRValues) > 0 && !slices.Contains(rp.ACRValues, acr) {
		return api.Refuse(api.CodeProviderAssurance, "acr is %.60q, none of %v", acr, rp.ACRValues)
	}
	if rp.MaxAge > 0 && (signedIn.IsZero() || now.Sub(signedIn) > time.Duration(rp.MaxAge)+clockLeeway) {
		return api.Refuse(api.CodeProviderAssurance, "auth_time is %v, more than %v ago", signedIn.UTC(), time.Duration(rp.MaxAge))
	}
	return nil
}

// addUserInfo asks the provider for what it did not put into the ID token. What
// the token says stands; of an address and whether it is verified, both come from
// one place.
func (d *Directory) addUserInfo(ctx context.Context, rp *relyingParty, tokens *oauth2.Token, subject string, c claims) error {
	if rp.metadata.UserInfo == "" || !rp.lacks(c) {
		return nil
	}
	info, err := rp.oidc.UserInfo(oidc.ClientContext(ctx, d.outside), oauth2.StaticTokenSource(tokens))
	switch {
	case errors.Is(err, errRedirect):
		return api.Refuse(api.CodeProviderMisconfigured, "userinfo of %s: %s", rp.Issuer, short(err))
	case err != nil:
		return api.Refuse(api.CodeProviderUnavailable, "userinfo of %s: %s", rp.Issuer, short(err))
	case info.Subject != subject:
		return api.Refuse(api.CodeProviderToken, "userinfo of %s is about another subject than the ID token", rp.ID)
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return api.Refuse(api.CodeProviderUnavailable, "userinfo of %s: %s", rp.Issuer, short(err))
	}
	if _, ok := more["email"]; ok && (c["email"] == nil || c[rp.VerifiedClaim] == nil) {
		delete(c, "email")
		delete(c, rp.VerifiedClaim)
	} else {
		delete(more, "email")
		delete(more, rp.VerifiedClaim)
	}
	maps.Copy(more, c)
	clear(c)
	maps.Copy(c, more)
	return nil
}
