package console

import (
	"errors"
	"net/http"
	"net/url"

	"firstday.dev/api"
	"firstday.dev/directory"
)

func (c *Console) signInRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "sign-in", serve: c.showSignIn},
		{method: http.MethodPost, path: "sign-in", serve: c.takeSignIn},
		{method: http.MethodGet, path: "welcome/{secret}", serve: c.showWelcome},
		{method: http.MethodPost, path: "welcome/{secret}", serve: c.takeWelcome},
		{method: http.MethodGet, path: "ceremony", serve: c.showCeremony},
		{method: http.MethodPost, path: "ceremony", serve: c.takeCeremony},
		{method: http.MethodGet, path: "prove", roles: readers, serve: c.showProve},
		{method: http.MethodPost, path: "prove", roles: readers, serve: c.takeProve},
		{method: http.MethodPost, path: "sign-out", serve: c.signOut},
	}
}

const (
	pathCeremony = Path + "ceremony"
	pathWelcome  = Path + "welcome/"
)

// waysIn are what a page offers to prove who somebody is.
type waysIn struct {
	Passkeys  bool
	Password  bool
	Providers []*api.Provider
	Name      bool   // whether it asks whose passkey it is
	To        string // where to go on
	Action    string // where the form is sent
}

// showSignIn offers the ways in.
func (c *Console) showSignIn(v *visit) (*page, error) {
	if v.Administrator != nil {
		return &page{to: onward(v.form("to"))}, nil
	}
	p, err := c.signInPage(v)
	if err != nil {
		return nil, err
	}
	return v.told(p)
}

func (c *Console) signInPage(v *visit) (*page, error) {
	providers, err := c.directory.Providers(v.Context())
	if err != nil {
		return nil, err
	}
	return &page{Title: "Sign in", Template: "signin", Data: waysIn{
		Passkeys: c.directory.PasskeysWork(), Password: true, Providers: providers, Name: true, To: onward(v.form("to")), Action: pathSignIn,
	}}, nil
}

// told says on a page what became of a way that led elsewhere, such as to a
// provider.
func (v *visit) told(p *page) (*page, error) {
	code := api.Code(v.form("code"))
	for _, known := range api.Problems {
		if known.Code == code {
			return v.again(p, api.Refuse(code, ""))
		}
	}
	return p, nil
}

// onward is where to go on: a page of the console.
func onward(to string) string {
	if !local(to) {
		return Path
	}
	return to
}

// secret is a field as it was typed: of a password, spaces count.
func (v *visit) secret(name string) api.Secret { return api.Secret(v.PostForm.Get(name)) }

// takeSignIn takes name, password and code, or begins another way.
func (c *Console) takeSignIn(v *visit) (*page, error) {
	form, err := c.signInPage(v)
	if err != nil {
		return nil, err
	}
	way := api.Way(v.form("way"))
	if way == api.WayPassword {
		out, err := c.directory.LogIn(v.Request, v.form("name"), v.secret("password"), v.form("code"), onward(v.form("to")))
		if err != nil {
			return v.again(form, err)
		}
		return v.enter(out)
	}
	name := ""
	if way == api.WayPasskey {
		name = v.form("whose")
	}
	return c.begin(v, form, &directory.Beginning{Purpose: directory.ToSignIn, Way: way, Name: name, Back: pathSignIn})
}

// begin begins a ceremony, and leads to its page.
func (c *Console) begin(v *visit, form *page, b *directory.Beginning) (*page, error) {
	b.Provider = v.form("provider")
	if b.Next == "" {
		b.Next = onward(v.form("to"))
	}
	cookie, err := c.directory.Begin(v.Request, b)
	if err != nil {
		return v.again(form, err)
	}
	return &page{to: pathCeremony, cookies: []*http.Cookie{cookie}}, nil
}

// enter goes on after a way in, and shows codes for recovery before, if there are
// any.
func (v *visit) enter(out *directory.Outcome) (*page, error) {
	p := &page{to: out.Next}
	if len(out.Codes) > 0 {
		p = &page{Title: "Keep these codes", Template: "codes", Data: codesData{out.Codes, out.Next}}
	}
	if out.Cookie != nil {
		p.cookies = append(p.cookies, out.Cookie)
	}
	return p, nil
}

// codesData are codes for recovery, which are shown once.
type codesData struct {
	Codes []string
	Next  string
}

// signOut ends the session.
func (c *Console) signOut(v *visit) (*page, error) {
	gone, err := c.directory.SignOut(v.Request)
	if err != nil {
		return nil, err
	}
	p, err := v.done(pathSignIn, "You are signed out.")
	p.cookies = append(p.cookies, gone)
	return p, err
}

// showProve offers the ways that the administrator has to prove once more who they
// are.
func (c *Console) showProve(v *visit) (*page, error) {
	p, err := c.provePage(v)
	if err != nil {
		return nil, err
	}
	return v.told(p)
}

func (c *Console) provePage(v *visit) (*page, error) {
	a, err := c.directory.FindAdministrator(v.Context(), v.Administrator.ID.String())
	if err != nil {
		return nil, err
	}
	ways := waysIn{Passkeys: len(a.Passkeys) > 0 && c.directory.PasskeysWork(), Password: a.Password, To: onward(v.form("to")), Action: pathProve}
	if a.Provider != "" {
		all, err := c.directory.Providers(v.Context())
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if p.Issuer == a.Provider {
				ways.Providers = append(ways.Providers, p)
			}
		}
	}
	return &page{Title: "Is it you?", Template: "prove", Data: ways}, nil
}

// takeProve takes password and code, or begins another way.
func (c *Console) takeProve(v *visit) (*page, error) {
	form, err := c.provePage(v)
	if err != nil {
		return nil, err
	}
	way := api.Way(v.form("way"))
	if way == api.WayPassword {
		if err := c.directory.ProveWithPassword(v.Request, v.Session, v.secret("password"), v.form("code")); err != nil {
			return v.again(form, err)
		}
		return &page{to: onward(v.form("to"))}, nil
	}
	return c.begin(v, form, &directory.Beginning{Purpose: directory.ToProve, Way: way, Session: v.Session, Back: pathProve})
}

// welcomeData is who joins by a link, and by what ways they may.
type welcomeData struct {
	waysIn
	Joins *api.Admin // nil: the first owner
}

// showWelcome greets who has a link. Looking at the page does not use it up.
func (c *Console) showWelcome(v *visit) (*page, error) {
	p, err := c.welcomePage(v)
	if err != nil {
		return p, err
	}
	return v.told(p)
}

func (c *Console) welcomePage(v *visit) (*page, error) {
	secret := v.PathValue("secret")
	joins, err := c.directory.Invited(v.Request, api.Secret(secret))
	if err != nil {
		return &page{Title: "This link has ended", Template: "problem", Private: true}, err
	}
	providers, err := c.directory.Providers(v.Context())
	if err != nil {
		return nil, err
	}
	return &page{Title: "Welcome to the console", Template: "welcome", Private: true, Data: welcomeData{
		waysIn{Passkeys: c.directory.PasskeysWork(), Password: true, Providers: providers, Action: pathWelcome + url.PathEscape(secret)}, joins,
	}}, nil
}

// takeWelcome begins the way in that somebody has chosen.
func (c *Console) takeWelcome(v *visit) (*page, error) {
	form, err := c.welcomePage(v)
	if err != nil {
		return form, err
	}
	data := form.Data.(welcomeData)
	if data.Joins == nil && v.form("name") == "" {
		v.wrong("name", "Please say what you are called in the audit log.")
		return v.again(form, nil)
	}
	way := api.Way(v.form("way"))
	if v.form("provider") != "" {
		way = api.WayProvider
	}
	return c.begin(v, form, &directory.Beginning{
		Purpose: directory.ToJoin, Way: way, Name: v.form("name"), FullName: v.form("fullName"),
		Link: api.Secret(v.PathValue("secret")), Next: Path, Back: data.Action,
	})
}

// ended tells a ceremony that has to begin anew.
func ended(err error) bool {
	return errors.Is(err, api.CodeCeremony) || errors.Is(err, api.CodeInvitation) || errors.Is(err, api.CodeSignedOut)
}
