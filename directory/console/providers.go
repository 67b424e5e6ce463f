package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const pathProviders = Path + "settings/providers"

func (c *Console) providerRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "settings/providers", roles: readers, serve: c.providers},
		{method: http.MethodPost, path: "settings/providers", roles: owners, fresh: true, serve: c.createProvider},
		{method: http.MethodGet, path: "settings/providers/new", roles: owners, fresh: true, serve: c.newProvider},
		{method: http.MethodGet, path: "settings/providers/{id}", roles: readers, serve: c.provider},
		{method: http.MethodPost, path: "settings/providers/{id}/test", roles: keepers, serve: c.testProvider},
		{method: http.MethodGet, path: "settings/providers/{id}/remove", roles: owners, fresh: true, serve: c.askRemoveProvider},
		{method: http.MethodPost, path: "settings/providers/{id}/remove", roles: owners, fresh: true, serve: c.removeProvider},
	}
}

// providersLink leads back to all of them.
var providersLink = link{pathProviders, sentence("Identity providers")}

type providersData struct{ Providers []*api.Provider }

func (c *Console) providers(v *visit) (*page, error) {
	list, err := c.directory.Providers(v.Context())
	if err != nil {
		return nil, err
	}
	return &page{
		Title: "Identity providers", Up: link{Path + "settings", "Settings"}, Template: "providers", Data: providersData{list},
		Topics: []directory.Topic{directory.TopicSettings},
	}, nil
}

// providerData is a provider, and what came of a test.
type providerData struct {
	*api.Provider
	Checks []providerCheck
}

// providerCheck is something that was looked at, in words.
type providerCheck struct {
	api.ProviderCheck
	Sentence sentence
}

// checkWords say what is looked at.
var checkWords = map[string]sentence{
	"discovery": sentence("The provider says who it is"), "keys": sentence("It has keys that sign-ins are verified by"), "request": sentence("It offers what is asked for"),
	"client": sentence("It knows the client id and its secret"), "redirect URI": sentence("It sends people back to this directory"),
}

// State is what came of it. Nobody can look at the redirect URI from outside.
func (p providerCheck) State() badge {
	switch {
	case !p.OK:
		return badge{"bad", sentence("wrong")}
	case p.What == "redirect URI":
		return badge{"wait", sentence("please look")}
	}
	return badge{"good", sentence("right")}
}

// Day is MaxAge in words of a form: seconds.
func (d providerData) Seconds() int { return int(time.Duration(d.MaxAge) / time.Second) }

func (c *Console) provider(v *visit) (*page, error) {
	p, err := c.directory.Provider(v.Context(), v.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return &page{Title: "Identity provider", Of: p.Name, Up: providersLink, Template: "identityprovider", Data: providerData{Provider: p}}, nil
}

// testProvider looks at all that can be looked at without a person.
func (c *Console) testProvider(v *visit) (*page, error) {
	page, err := c.provider(v)
	if err != nil {
		return nil, err
	}
	checks, err := c.directory.TestProvider(v.Context(), v.PathValue("id"))
	if err != nil {
		return page, err
	}
	data := page.Data.(providerData)
	for _, check := range checks {
		data.Checks = append(data.Checks, providerCheck{check, checkWords[check.What]})
	}
	page.Data = data
	return page, nil
}

func (c *Console) newProvider(*visit) (*page, error) {
	return &page{Title: "Add an identity provider", Up: providersLink, Template: "providernew"}, nil
}

// createProvider adds one, and leads to where it can be tested.
func (c *Console) createProvider(v *visit) (*page, error) {
	form, _ := c.newProvider(v)
	n := &api.NewProvider{
		ClientSecret: api.Secret(v.form("clientSecret")),
		ProviderConfig: api.ProviderConfig{
			ID: v.form("id"), Name: v.form("name"), Issuer: v.form("issuer"), ClientID: v.form("clientId"),
			Scopes: strings.Fields(v.form("scopes")), HostedDomains: split(v.form("hostedDomains"), "\n"), Domains: split(v.form("domains"), "\n"),
			Groups: split(v.form("groups"), "\n"), GroupsClaim: v.form("groupsClaim"), VerifiedClaim: v.form("verifiedClaim"),
			UserName: v.form("userName"), CreateUsers: v.form("createUsers") != "", ACRValues: strings.Fields(v.form("acrValues")), Prompt: v.form("prompt"),
		},
	}
	if text := v.form("maxAge"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > maxProviderAge {
			v.wrong("maxAge", "This is a number from %d to %d.", 0, maxProviderAge)
		}
		n.MaxAge = api.Duration(time.Duration(seconds) * time.Second)
	}
	if len(v.wrongs) > 0 {
		return v.again(form, nil)
	}
	n.Normalise()
	if err := n.Check(); err != nil {
		field, _, _ := strings.Cut(err.Error(), ":")
		if wrong, known := providerWrongs[field]; known {
			v.wrong(field, wrong)
			return v.again(form, nil)
		}
	}
	p, err := c.directory.CreateProvider(v.Context(), v.actor(), n)
	if err != nil {
		return v.again(form, err)
	}
	return v.done(pathProviders+"/"+p.ID, "People may sign in with %s as soon as it knows the address to send them back to.", p.Name)
}

// maxProviderAge is a year, in seconds.
const maxProviderAge = 365 * 24 * 60 * 60

// providerWrongs say what a field may hold, by the names that [api.NewProvider.Check]
// has for them.
var providerWrongs = map[string]sentence{
	"id": sentence("These are up to 32 letters, digits and dashes in lower case."), "name": sentence("This is a name of at most 60 characters."),
	"issuer": sentence("This is an address that begins with https://, without a user, query or fragment."), "clientId": sentence("This is missing, too long, or has characters that no client id has."),
	"clientSecret": sentence("This is missing, too long, or has characters that no secret has."), "scopes": sentence("These are words with spaces between."),
	"acrValues": sentence("These are words with spaces between."), "hostedDomains": sentence("Each line is a domain in lower case, such as acme.example; at most 100."),
	"domains": sentence("Each line is a domain in lower case, such as acme.example; at most 100."), "groups": sentence("Each line is the name of a group; at most 100."),
	"groupsClaim": sentence("This has a meaning only together with groups."), "userName": sentence("This is a template of claims, such as {given_name}.{family_name}."),
	"prompt": sentence("Please choose one of the list."), "maxAge": sentence("This is a number of seconds, at most a year."),
}

func (c *Console) askRemoveProvider(v *visit) (*page, error) {
	p, err := c.directory.Provider(v.Context(), v.PathValue("id"))
	if err != nil {
		return nil, err
	}
	at := pathProviders + "/" + p.ID
	return &page{Title: "Remove an identity provider", Up: link{at, "Identity provider"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to remove this identity provider?"), Of: p.Name, Do: sentence("Remove this provider"), To: at + "/remove", Back: at,
		Then: []sentence{sentence("Nobody signs in with it any more, at once."), sentence("Its users stay: they are back as soon as one with the same issuer is."), sentence("The directory forgets the client secret.")},
	}}, nil
}

func (c *Console) removeProvider(v *visit) (*page, error) {
	p, err := c.directory.Provider(v.Context(), v.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := c.directory.RemoveProvider(v.Context(), v.actor(), p.ID); err != nil {
		return nil, err
	}
	return v.done(pathProviders, "The identity provider %s is removed.", p.Name)
}
