package testbrowser

import (
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
)

// Authenticator holds passkeys for a browser, as the laptop's own would.
type Authenticator struct {
	b  *Browser
	id webauthn.AuthenticatorID
}

// Authenticator gives the browser one, whose owner is there and is looked at.
func (b *Browser) Authenticator() *Authenticator {
	b.tb.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	made := call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	return &Authenticator{b, made.AuthenticatorID}
}

// Looks sets whether it finds out that it is its owner who is there.
func (a *Authenticator) Looks(is bool) {
	a.b.tb.Helper()
	call(a.b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: is})
}

// Passkeys are those that it holds.
func (a *Authenticator) Passkeys() []*webauthn.Credential {
	a.b.tb.Helper()
	return call(a.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id}).Credentials
}

// Put puts a copy of a passkey into it, in place of the one that it holds.
func (a *Authenticator) Put(c *webauthn.Credential) {
	a.b.tb.Helper()
	call(a.b, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: a.id})
	call(a.b, addPasskey, addPasskeyParams{a.id, passkey{c.CredentialID, c.IsResidentCredential, c.RpID, c.PrivateKey, c.UserHandle, c.SignCount}})
}

// addPasskey is [webauthn.AddCredential] without what Chromium's authenticator does not
// know, and refuses whatever it says.
var addPasskey = cdp.Command[addPasskeyParams, cdp.Empty]{Method: webauthn.CommandAddCredential}

type addPasskeyParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      passkey                  `json:"credential"`
}

type passkey struct {
	ID         []byte  `json:"credentialId"`
	IsResident bool    `json:"isResidentCredential"`
	RPID       string  `json:"rpId"`
	PrivateKey []byte  `json:"privateKey"`
	UserHandle []byte  `json:"userHandle"`
	SignCount  float64 `json:"signCount"`
}

// Remove takes the authenticator away, as a security key is.
func (a *Authenticator) Remove() {
	a.b.tb.Helper()
	call[webauthn.RemoveVirtualAuthenticatorParams, cdp.Empty](a.b, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: a.id})
}
