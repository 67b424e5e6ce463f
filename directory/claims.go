package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"firstday.dev/api"
	"firstday.dev/internal/nametemplate"
)

// claims are what a provider says of a person. Nothing in them is of a type, or
// there, only because it should be.
type claims map[string]json.RawMessage

// text gives a claim that is a text, else nothing.
func (c claims) text(name string) string {
	var text string
	if json.Unmarshal(c[name], &text) != nil || !api.PlainText(text) {
		return ""
	}
	return strings.TrimSpace(text)
}

// texts gives a claim that is a list of texts, or one text.
func (c claims) texts(name string) []string {
	var list []string
	if json.Unmarshal(c[name], &list) == nil {
		return list
	}
	if text := c.text(name); text != "" {
		return []string{text}
	}
	return nil
}

// says tells whether a claim says yes, in any of the ways that providers have.
func (c claims) says(name string) bool {
	switch string(bytes.TrimSpace(c[name])) {
	case `true`, `"true"`, `1`, `"1"`:
		return true
	}
	return false
}

// address gives the e-mail address that is proved to be the person's, and the
// one that is only claimed to be.
func (c claims) address(verified string) (proved, claimed string) {
	claimed = strings.ToLower(c.text("email"))
	if c.says(verified) {
		return claimed, claimed
	}
	return "", claimed
}

// fullName gives the person's, as the provider writes it or put together.
func (c claims) fullName() string {
	if name := c.text("name"); name != "" {
		return name
	}
	name := strings.TrimSpace(c.text("given_name") + " " + c.text("family_name"))
	if !api.PlainText(name) {
		return "" // too long together
	}
	return name
}

// lacks tells whether a claim that is of use is not there.
func (rp *relyingParty) lacks(c claims) bool {
	names, _ := rp.UserNameClaims() // was checked
	names = append(names, "email", rp.VerifiedClaim)
	if len(rp.Groups) > 0 {
		names = append(names, rp.GroupsClaim)
	}
	return c.fullName() == "" || slices.ContainsFunc(names, func(name string) bool { return c[name] == nil })
}

// admit refuses who is not of the organisation.
func (rp *relyingParty) admit(c claims) error {
	if hd := strings.ToLower(c.text("hd")); len(rp.HostedDomains) > 0 && !slices.Contains(rp.HostedDomains, hd) {
		return api.Refuse(api.CodeProviderDomain, "hd is %.60q, none of %v", hd, rp.HostedDomains)
	}
	if len(rp.Domains) > 0 {
		proved, claimed := c.address(rp.VerifiedClaim)
		if proved == "" {
			return rp.unverified(claimed)
		}
		if _, host, _ := strings.Cut(proved, "@"); !slices.Contains(rp.Domains, host) {
			return api.Refuse(api.CodeProviderDomain, "%.60q is none of %v", host, rp.Domains)
		}
	}
	if groups := c.texts(rp.GroupsClaim); len(rp.Groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(rp.Groups, g) }) {
		return api.Refuse(api.CodeProviderGroup, "%d groups in the claim %q, none of them of %q", len(groups), rp.GroupsClaim, rp.Groups)
	}
	return nil
}

func (rp *relyingParty) unverified(address string) error {
	return api.Refuse(api.CodeEmailUnverified, "the provider %s does not say by %s that %.70q is verified", rp.ID, rp.VerifiedClaim, address)
}

// person gives what is to be known of whom the claims are about.
func (rp *relyingParty) person(c claims) api.Person {
	proved, _ := c.address(rp.VerifiedClaim)
	u := &api.NewUser{Email: proved, FullName: c.fullName()}
	if u.CheckEmail() != nil {
		u.Email = "" // it is no address
	}
	return api.Person{Email: u.Email, FullName: u.FullName}
}

// userName makes a new user's name of the claims.
func (rp *relyingParty) userName(c claims) (string, error) {
	name, err := nametemplate.Fill(rp.UserName, func(claim string) (string, error) {
		value := c.text(claim)
		if claim == "email" {
			proved, claimed := c.address(rp.VerifiedClaim)
			if proved == "" && claimed != "" {
				return "", rp.unverified(claimed)
			}
			value = proved
		}
		folded := nametemplate.Fold(nametemplate.Local(value))
		if strings.Trim(folded, "._-") == "" {
			return "", api.Refuse(api.CodeProviderClaim, "the claim %q is missing, or has no Latin letters", claim)
		}
		return folded, nil
	})
	var refused *api.Error
	if errors.As(err, &refused) {
		return "", refused
	}
	if err != nil {
		return "", err
	}
	name = strings.Trim(name, "._-")
	if err := (&api.NewUser{Name: name}).Check(); err != nil {
		return "", api.Refuse(api.CodeProviderClaim, "%v", err)
	}
	return name, nil
}
