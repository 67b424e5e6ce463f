package api

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"firstday.dev/internal/nametemplate"
)

// PathCallback is where a provider sends people back to, followed by a slash and
// the provider's id: each has a redirect URI of its own.
const PathCallback = PathPages + "/callback"

// ProviderConfig says how people sign in with an OpenID Connect provider.
type ProviderConfig struct {
	ID       string `json:"id"`   // a word; it stands in the redirect URI
	Name     string `json:"name"` // on the button
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	// Scopes are asked for besides openid; none: profile and email.
	Scopes []string `json:"scopes,omitempty"`

	// HostedDomains are those of Google Workspace, one of which the claim hd must
	// name; Domains those of verified e-mail addresses. None: all.
	HostedDomains []string `json:"hostedDomains,omitempty"`
	Domains       []string `json:"domains,omitempty"`
	// Groups, one of which must be in the claim GroupsClaim (empty: groups).
	Groups      []string `json:"groups,omitempty"`
	GroupsClaim string   `json:"groupsClaim,omitempty"`
	// VerifiedClaim tells whether an e-mail address is the person's own; empty:
	// email_verified. No address is believed without it.
	VerifiedClaim string `json:"verifiedClaim,omitempty"`

	// UserName is the template of new users' names, made of claims:
	// {given_name}.{family_name}, or the name of a claim alone; empty: email. Of
	// an address the part before the @ counts.
	UserName string `json:"userName,omitempty"`
	// CreateUsers: who is not known yet becomes a user.
	CreateUsers bool `json:"createUsers,omitempty"`

	// ACRValues are what the provider may do to be sure, such as asking for a
	// second factor: one of them must have been done. MaxAge is how long ago at
	// most; 0: any time. Prompt is login, select_account or consent.
	ACRValues []string `json:"acrValues,omitempty"`
	MaxAge    Duration `json:"maxAge,omitempty"`
	Prompt    string   `json:"prompt,omitempty"`
}

// NewProvider asks for a provider.
type NewProvider struct {
	ProviderConfig
	ClientSecret Secret `json:"clientSecret"`
}

// Provider is a provider that people may sign in with. Its client secret is
// shown to nobody.
type Provider struct {
	ProviderConfig
	// RedirectURI is what the provider must know the directory by.
	RedirectURI string    `json:"redirectUri"`
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
}

// ProviderCheck is something that was looked at to find out whether people can
// sign in with a provider.
type ProviderCheck struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found, or what is wrong
}

// UserLink says who a user is at a provider.
type UserLink struct {
	Provider string `json:"provider"` // its id
	Subject  string `json:"subject"`  // the claim sub
}

const (
	maxProviderName  = 60   // characters
	maxClientID      = 256  // bytes
	maxClientSecret  = 1024 // bytes
	maxProviderList  = 100  // scopes, domains, groups, …
	maxProviderValue = 256  // bytes, of each
	maxAuthAge       = Duration(365 * 24 * time.Hour)
	// MaxSubject bounds the claim sub, in bytes (OpenID Connect Core §2).
	MaxSubject = 255
)

var providerID = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Normalise writes out what is left empty.
func (p *ProviderConfig) Normalise() {
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"profile", "email"}
	}
	p.Scopes = slices.DeleteFunc(p.Scopes, func(s string) bool { return s == "openid" })
	if len(p.Groups) > 0 && p.GroupsClaim == "" {
		p.GroupsClaim = "groups"
	}
	if p.VerifiedClaim == "" {
		p.VerifiedClaim = "email_verified"
	}
	switch {
	case p.UserName == "":
		p.UserName = "{email}"
	case !strings.ContainsAny(p.UserName, "{}"):
		p.UserName = "{" + p.UserName + "}"
	}
	for _, list := range [][]string{p.HostedDomains, p.Domains} {
		for i := range list {
			list[i] = strings.ToLower(list[i])
		}
	}
}

// Check refuses a provider that makes no sense. Errors name the field.
func (p *NewProvider) Check() error {
	if !fits(p.ClientSecret.Reveal(), maxClientSecret) {
		return fmt.Errorf("clientSecret: missing, longer than %d bytes, or not visible ASCII", maxClientSecret)
	}
	return p.ProviderConfig.Check()
}

// Check refuses a configuration that makes no sense. Errors name the field.
func (p *ProviderConfig) Check() error {
	switch {
	case !providerID.MatchString(p.ID):
		return fmt.Errorf("id: %.40q is not up to 32 letters, digits and dashes in lower case", p.ID)
	case strings.TrimSpace(p.Name) == "" || !PlainText(p.Name) || len([]rune(p.Name)) > maxProviderName:
		return fmt.Errorf("name: missing, longer than %d characters, or no plain text", maxProviderName)
	case !fits(p.ClientID, maxClientID):
		return fmt.Errorf("clientId: missing, longer than %d bytes, or not visible ASCII", maxClientID)
	case p.MaxAge < 0 || p.MaxAge > maxAuthAge || p.MaxAge%Duration(time.Second) != 0:
		return fmt.Errorf("maxAge: not whole seconds up to %v", time.Duration(maxAuthAge))
	case p.Prompt != "" && p.Prompt != "login" && p.Prompt != "select_account" && p.Prompt != "consent":
		return fmt.Errorf("prompt: %.20q is none of login, select_account and consent", p.Prompt)
	case p.GroupsClaim != "" && len(p.Groups) == 0:
		return errors.New("groupsClaim: no groups are allowed")
	}
	if err := CheckIssuer(p.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if _, err := p.UserNameClaims(); err != nil {
		return fmt.Errorf("userName: %w", err)
	}
	return errors.Join(p.checkLists(), p.checkDomains())
}

func (p *ProviderConfig) checkLists() error {
	for name, list := range map[string][]string{"scopes": p.Scopes, "acrValues": p.ACRValues} {
		if len(list) > maxProviderList || slices.ContainsFunc(list, func(s string) bool { return !fits(s, maxProviderValue) }) {
			return fmt.Errorf("%s: more than %d, or one is empty, too long, or not visible ASCII without spaces", name, maxProviderList)
		}
	}
	claims := []string{p.GroupsClaim, p.VerifiedClaim}
	if len(p.Groups) > maxProviderList || slices.ContainsFunc(slices.Concat(p.Groups, claims), func(s string) bool { return !PlainText(s) }) || slices.Contains(p.Groups, "") {
		return fmt.Errorf("groups: more than %d, or one is empty, too long, or no plain text", maxProviderList)
	}
	return nil
}

func (p *ProviderConfig) checkDomains() error {
	for name, list := range map[string][]string{"hostedDomains": p.HostedDomains, "domains": p.Domains} {
		if len(list) > maxProviderList {
			return fmt.Errorf("%s: %d, at most %d are allowed", name, len(list), maxProviderList)
		}
		for _, d := range list {
			if !domain.MatchString(d) || len(d) > 253 {
				return fmt.Errorf("%s: %.60q is not a domain in lower case", name, d)
			}
		}
	}
	return nil
}

// UserNameClaims names those that UserName is made of.
func (p *ProviderConfig) UserNameClaims() ([]string, error) {
	var names []string
	_, err := nametemplate.Fill(p.UserName, func(name string) (string, error) {
		if name == "" || !PlainText(name) {
			return "", errors.New("a claim has no name, or no plain one")
		}
		names = append(names, name)
		return "", nil
	})
	return names, err
}

// CheckIssuer refuses addresses that no provider may have. Over plain HTTP it
// may only be on the directory's own machine: that is for trying things out.
func CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || len(issuer) > maxURL || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsFunc(issuer, unicode.IsSpace) {
		return fmt.Errorf("%.60q is not https://host[:port][/path], without user, query or fragment", issuer)
	}
	if !SecureURL(u, OnLoopback(u)) {
		return fmt.Errorf("%.60q is not an https:// address", issuer)
	}
	return nil
}

// SecureURL tells whether nobody on the way can change what the address gives:
// over TLS or, where that is allowed, on this machine.
func SecureURL(u *url.URL, loopback bool) bool {
	return u.Host != "" && (u.Scheme == "https" || loopback && OnLoopback(u))
}

// OnLoopback tells plain HTTP on this machine.
func OnLoopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback() && u.Scheme == "http"
}

// Check refuses a link that cannot be one.
func (l *UserLink) Check() error {
	switch {
	case !providerID.MatchString(l.Provider):
		return fmt.Errorf("provider: %.40q is no id", l.Provider)
	case l.Subject == "" || len(l.Subject) > MaxSubject || !PlainText(l.Subject):
		return fmt.Errorf("subject: missing, longer than %d bytes, or no plain text", MaxSubject)
	}
	return nil
}

// fits tells words of visible ASCII, of so many bytes at most.
func fits(text string, most int) bool {
	return text != "" && len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
