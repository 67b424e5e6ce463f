package api

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestProviderCheck(t *testing.T) {
	for name, change := range map[string]func(*NewProvider){
		"": func(*NewProvider) {},
		"everything": func(p *NewProvider) {
			p.Scopes, p.HostedDomains, p.Domains, p.Groups = []string{"openid", "groups"}, []string{"ACME.example"}, []string{"acme.example"}, []string{"Staff of Acme"}
			p.UserName, p.ACRValues, p.MaxAge, p.Prompt = "{given_name}.{family_name}", []string{"urn:okta:loa:2fa:any"}, Duration(time.Hour), "login"
		},
		"loopback":               func(p *NewProvider) { p.Issuer = "http://127.0.0.1:9998/realm" },
		"loopback of IPv6":       func(p *NewProvider) { p.Issuer = "http://[::1]:9998" },
		"id: empty":              func(p *NewProvider) { p.ID = "" },
		"id: a path":             func(p *NewProvider) { p.ID = "../x" },
		"id: upper case":         func(p *NewProvider) { p.ID = "Okta" },
		"id: long":               func(p *NewProvider) { p.ID = strings.Repeat("a", 33) },
		"name: empty":            func(p *NewProvider) { p.Name = " " },
		"name: long":             func(p *NewProvider) { p.Name = strings.Repeat("é", 61) },
		"name: two lines":        func(p *NewProvider) { p.Name = "a\nb" },
		"clientId: empty":        func(p *NewProvider) { p.ClientID = "" },
		"clientId: a space":      func(p *NewProvider) { p.ClientID = "a b" },
		"clientSecret: empty":    func(p *NewProvider) { p.ClientSecret = "" },
		"clientSecret: a line":   func(p *NewProvider) { p.ClientSecret = "secret\n" },
		"clientSecret: long":     func(p *NewProvider) { p.ClientSecret = Secret(strings.Repeat("x", 1025)) },
		"issuer: plain HTTP":     func(p *NewProvider) { p.Issuer = "http://id.example" },
		"issuer: a name for us":  func(p *NewProvider) { p.Issuer = "http://localhost:1" },
		"issuer: a user":         func(p *NewProvider) { p.Issuer = "https://a:b@id.example" },
		"issuer: a query":        func(p *NewProvider) { p.Issuer = "https://id.example?x=y" },
		"issuer: a fragment":     func(p *NewProvider) { p.Issuer = "https://id.example#x" },
		"issuer: no host":        func(p *NewProvider) { p.Issuer = "https:///x" },
		"issuer: a file":         func(p *NewProvider) { p.Issuer = "file:///etc/passwd" },
		"issuer: long":           func(p *NewProvider) { p.Issuer = "https://id.example/" + strings.Repeat("x", maxURL) },
		"scopes: two in one":     func(p *NewProvider) { p.Scopes = []string{"email groups"} },
		"scopes: many":           func(p *NewProvider) { p.Scopes = make([]string, 101) },
		"hostedDomains: a URL":   func(p *NewProvider) { p.HostedDomains = []string{"https://acme.example"} },
		"domains: an at sign":    func(p *NewProvider) { p.Domains = []string{"@acme.example"} },
		"groups: an empty one":   func(p *NewProvider) { p.Groups = []string{""} },
		"groupsClaim: no groups": func(p *NewProvider) { p.GroupsClaim = "roles" },
		"userName: no template":  func(p *NewProvider) { p.UserName = "{email" },
		"userName: no field":     func(p *NewProvider) { p.UserName = "{}" },
		"userName: other signs":  func(p *NewProvider) { p.UserName = "{email}@acme" },
		"acrValues: two in one":  func(p *NewProvider) { p.ACRValues = []string{"a b"} },
		"maxAge: negative":       func(p *NewProvider) { p.MaxAge = -1 },
		"maxAge: a half second":  func(p *NewProvider) { p.MaxAge = Duration(time.Second / 2) },
		"prompt: none":           func(p *NewProvider) { p.Prompt = "none" },
	} {
		p := &NewProvider{ClientSecret: "secret", ProviderConfig: ProviderConfig{ID: "okta", Name: "Okta", Issuer: "https://acme.okta.example", ClientID: "firstday"}}
		change(p)
		p.Normalise()
		err := p.Check()
		field, _, bad := strings.Cut(name, ":")
		switch {
		case !bad && err != nil, bad && (err == nil || !strings.HasPrefix(err.Error(), field+":")):
			t.Errorf("%s: %v", name, err)
		case err != nil && strings.Contains(err.Error(), p.ClientSecret.Reveal()) && p.ClientSecret != "":
			t.Errorf("%s quotes the secret: %v", name, err)
		}
	}
}

// FuzzCheckIssuer: whatever is taken for an issuer is reached over TLS, or on
// this machine.
func FuzzCheckIssuer(f *testing.F) {
	for _, s := range []string{"https://id.example", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "https:id.example", "http://[::1%25x]", "https://id.example/a b", "HTTPS://ID.example", "https://\u202e", "http://2130706433"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, issuer string) {
		if CheckIssuer(issuer) != nil {
			return
		}
		u, err := url.Parse(issuer)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q, %v", issuer, err)
		}
		if host := u.Hostname(); u.Scheme != "https" && !strings.HasPrefix(host, "127.") && !strings.Contains(host, "::1") && !strings.Contains(host, "::ffff:127.") && !strings.Contains(host, "::ffff:7f") {
			t.Errorf("%q is taken", issuer)
		}
	})
}
