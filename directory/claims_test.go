package directory

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"firstday.dev/api"
)

func TestUserNames(t *testing.T) {
	for _, c := range []struct {
		template, claims, want string
		code                   api.Code
	}{
		{"", `{"email": "Ann.Example+x@acme.example", "email_verified": true}`, "ann.example", ""},
		{"", `{"email": "ann@acme.example", "email_verified": "true"}`, "ann", ""},
		{"", `{"email": "ann@acme.example", "email_verified": "yes"}`, "", api.CodeEmailUnverified},
		{"", `{"email": "ann@acme.example"}`, "", api.CodeEmailUnverified},
		{"", `{"email": ["ann@acme.example"], "email_verified": true}`, "", api.CodeProviderClaim},
		{"", `{}`, "", api.CodeProviderClaim},
		{"preferred_username", `{"preferred_username": "ANN@acme.example"}`, "ann", ""},
		{"{given_name}.{family_name}", `{"given_name": "Søren", "family_name": "Ærøskøbing"}`, "soren.aeroskobing", ""},
		{"{given_name}.{family_name}", `{"given_name": "Søren"}`, "", api.CodeProviderClaim},
		{"{given_name}", `{"given_name": "Юлия"}`, "", api.CodeProviderClaim},
		{"{https://acme.example/login}", `{"https://acme.example/login": "ann"}`, "ann", ""},
		{"x{nick}", `{"nick": "..a../../b.."}`, "x..a....b", ""},
		{"nick", `{"nick": "root\u0000"}`, "", api.CodeProviderClaim},
		{"nick", `{"nick": ""}`, "", api.CodeProviderClaim},
		{"nick", `{"nick": 7}`, "", api.CodeProviderClaim},
		{"{nick}{nick}", `{"nick": "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"}`, "", api.CodeProviderClaim}, // too long
	} {
		p := &api.ProviderConfig{ID: "id", UserName: c.template}
		p.Normalise()
		var said claims
		if err := json.Unmarshal([]byte(c.claims), &said); err != nil {
			t.Fatal(err)
		}
		got, err := (&relyingParty{Provider: &api.Provider{ProviderConfig: *p}}).userName(said)
		if got != c.want || api.CodeOf(err) != c.code || c.code == "" && err != nil {
			t.Errorf("%s of %s: %q, %v; want %q, %s", c.template, c.claims, got, err, c.want, c.code)
		}
	}
}

func TestWhoIsAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.ProviderConfig)
		claims string
		code   api.Code
	}{
		"all":              {func(*api.ProviderConfig) {}, `{}`, ""},
		"hd":               {func(p *api.ProviderConfig) { p.HostedDomains = []string{"Acme.example"} }, `{"hd": "acme.EXAMPLE"}`, ""},
		"hd, a list":       {func(p *api.ProviderConfig) { p.HostedDomains = []string{"acme.example"} }, `{"hd": ["acme.example"]}`, api.CodeProviderDomain},
		"domain":           {func(p *api.ProviderConfig) { p.Domains = []string{"acme.example"} }, `{"email": "a@Acme.example", "email_verified": true}`, ""},
		"a domain below":   {func(p *api.ProviderConfig) { p.Domains = []string{"acme.example"} }, `{"email": "a@x.acme.example", "email_verified": true}`, api.CodeProviderDomain},
		"two at signs":     {func(p *api.ProviderConfig) { p.Domains = []string{"acme.example"} }, `{"email": "a@acme.example@evil.example", "email_verified": true}`, api.CodeProviderDomain},
		"no address":       {func(p *api.ProviderConfig) { p.Domains = []string{"acme.example"} }, `{"email_verified": true}`, api.CodeEmailUnverified},
		"Entra's claim":    {func(p *api.ProviderConfig) { p.Domains, p.VerifiedClaim = []string{"acme.example"}, "xms_edov" }, `{"email": "a@acme.example", "xms_edov": "1"}`, ""},
		"not Entra's":      {func(p *api.ProviderConfig) { p.Domains, p.VerifiedClaim = []string{"acme.example"}, "xms_edov" }, `{"email": "a@acme.example", "email_verified": true}`, api.CodeEmailUnverified},
		"group":            {func(p *api.ProviderConfig) { p.Groups = []string{"staff", "it"} }, `{"groups": ["it"]}`, ""},
		"group, one text":  {func(p *api.ProviderConfig) { p.Groups, p.GroupsClaim = []string{"staff"}, "roles" }, `{"roles": "staff"}`, ""},
		"groups of Entra":  {func(p *api.ProviderConfig) { p.Groups = []string{"staff"} }, `{"_claim_names": {"groups": "src1"}}`, api.CodeProviderGroup},
		"another's claim":  {func(p *api.ProviderConfig) { p.Groups, p.GroupsClaim = []string{"staff"}, "roles" }, `{"groups": ["staff"]}`, api.CodeProviderGroup},
		"group, not exact": {func(p *api.ProviderConfig) { p.Groups = []string{"staff"} }, `{"groups": ["Staff", "staff "]}`, api.CodeProviderGroup},
	} {
		p := &api.ProviderConfig{ID: "id"}
		c.change(p)
		p.Normalise()
		var said claims
		if err := json.Unmarshal([]byte(c.claims), &said); err != nil {
			t.Fatal(err)
		}
		if err := (&relyingParty{Provider: &api.Provider{ProviderConfig: *p}}).admit(said); api.CodeOf(err) != c.code || c.code == "" && err != nil {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// Whatever a provider says of a person: the name is one that a user may have,
// and an address is proved, or not there.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"email": "ann@acme.example", "email_verified": true, "name": "Ann", "groups": ["staff"]}`,
		`{"email": "ann@acme.example", "email_verified": false, "given_name": "Søren", "family_name": "\u0000"}`,
		`{"email": "<ann@acme.example>", "email_verified": 1, "groups": "staff", "hd": {}}`,
		`{"email": null, "email_verified": [], "groups": [1]}`, `{"email": "a@b@c", "email_verified": "1"}`, `null`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var said claims
		if json.Unmarshal([]byte(document), &said) != nil {
			return
		}
		p := &api.ProviderConfig{ID: "id", UserName: "{email}-{given_name}", Groups: []string{"staff"}}
		p.Normalise()
		rp := &relyingParty{Provider: &api.Provider{ProviderConfig: *p}}
		person := rp.person(said)
		u := api.NewUser{Name: "ann", Email: person.Email, FullName: person.FullName}
		if err := u.Check(); err != nil {
			t.Errorf("%s gives %+v: %v", document, person, err)
		}
		if person.Email != "" && !said.says("email_verified") {
			t.Errorf("%s is believed: %s", document, person.Email)
		}
		if name, err := rp.userName(said); err == nil {
			u.Name = name
			if err := u.Check(); err != nil || person.Email == "" && !said.says("email_verified") {
				t.Errorf("%s gives the name %q: %v", document, name, err)
			}
		} else if api.CodeOf(err) == "" {
			t.Errorf("%s: %v", document, err)
		}
		if rp.admit(said) == nil && !slices.Contains(said.texts("groups"), "staff") {
			t.Errorf("%s is admitted", document)
		}
	})
}

// Whatever comes to a redirect URI, there is a code or a refusal.
func FuzzCallback(f *testing.F) {
	for _, s := range []string{"code=x&iss=https://a.example", "code=x&code=y", "error=access_denied&iss=https://a.example", "iss=https://b.example&code=x", "error=%00", "code=%ff&iss=", ";", "%"} {
		f.Add(s)
	}
	rp := &relyingParty{Provider: &api.Provider{ProviderConfig: api.ProviderConfig{ID: "id", Issuer: "https://a.example"}}, metadata: metadata{SendsIssuer: true}}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		code, err := rp.code(values)
		var refused *api.Error
		switch {
		case err != nil && (!errors.As(err, &refused) || len(refused.Detail) > 600):
			t.Errorf("%q: %v", query, err)
		case err == nil && (code == "" || values.Get("iss") != rp.Issuer || len(values["code"]) != 1 || values.Has("error") && values.Get("error") != ""):
			t.Errorf("%q gives the code %q", query, code)
		}
	})
}

// Whatever a provider says of itself: people and secrets are led over TLS only,
// and tokens are signed by a key that nobody else has.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{
		`{"issuer": "https://a.example", "authorization_endpoint": "https://a.example/a", "token_endpoint": "https://a.example/t", "jwks_uri": "https://a.example/k"}`,
		`{"issuer": "http://127.0.0.1:1", "authorization_endpoint": "http://127.0.0.1:1/a", "token_endpoint": "http://[::1]/t", "jwks_uri": "http://127.0.0.1/k", "id_token_signing_alg_values_supported": ["none", "ES256"]}`,
		`{"issuer": "https://a.example", "authorization_endpoint": "javascript:alert(1)", "token_endpoint": "//x", "jwks_uri": "https://u:p@a.example"}`,
		`{"id_token_signing_alg_values_supported": ["HS256"], "code_challenge_methods_supported": ["plain"]}`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var m metadata
		if json.Unmarshal([]byte(document), &m) != nil || m.check() != nil {
			return
		}
		for _, address := range []string{m.Authorization, m.Token, m.Keys, m.UserInfo} {
			u, err := url.Parse(address)
			local := err == nil && u.Scheme == "http" && strings.HasPrefix(strings.ToLower(m.Issuer), "http://")
			if address != m.UserInfo && (err != nil || u.Host == "") || err == nil && address != "" && u.Scheme != "https" && !local {
				t.Errorf("%s is taken, with %q", document, address)
			}
		}
		for _, a := range m.algorithms() {
			if a == "none" || strings.HasPrefix(a, "HS") {
				t.Errorf("%s is taken, with %s", document, a)
			}
		}
	})
}
