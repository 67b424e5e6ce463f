package console

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

const pathTokens = pathAdministrators + "/tokens"

func (c *Console) tokenRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "administrators/tokens", roles: auditors, serve: c.tokens},
		{method: http.MethodGet, path: "administrators/tokens/new", roles: owners, serve: c.showNewToken},
		{method: http.MethodPost, path: "administrators/tokens", roles: owners, fresh: true, serve: c.createToken},
		{method: http.MethodGet, path: "administrators/tokens/{id}/revoke", roles: owners, serve: c.askRevokeToken},
		{method: http.MethodPost, path: "administrators/tokens/{id}/revoke", roles: owners, serve: c.revokeToken},
	}
}

// shownToken is a token as pages show it.
type shownToken struct{ api.Token }

// Usable tells whether the token opens anything.
func (t shownToken) Usable() bool { return t.RevokedAt.IsZero() && time.Now().Before(t.ExpiresAt) }

// Badge is where the token stands.
func (t shownToken) Badge() badge {
	switch {
	case !t.RevokedAt.IsZero():
		return badge{"bad", sentence("revoked")}
	case !t.Usable():
		return badge{"plain", sentence("expired")}
	}
	return badge{"good", sentence("holds")}
}

func (c *Console) tokens(v *visit) (*page, error) {
	all, err := c.directory.Tokens(v.Context())
	if err != nil {
		return nil, err
	}
	var list []shownToken
	for _, t := range all {
		list = append(list, shownToken{t})
	}
	return &page{Title: "Tokens", Up: upToAdministrators, Template: "tokens", Data: list}, nil
}

var upToTokens = link{pathTokens, "Tokens"}

func (c *Console) showNewToken(*visit) (*page, error) {
	return &page{Title: "Make a token", Up: upToTokens, Template: "tokennew", Data: roleChoices([]api.Role{api.Technician, api.Builder, api.Auditor, api.Owner})}, nil
}

// maxTokenDays is how long a token may live that is made here.
const maxTokenDays = 3660

// createToken makes a token and shows it, this once.
func (c *Console) createToken(v *visit) (*page, error) {
	form, _ := c.showNewToken(v)
	days := v.number("days", 1, maxTokenDays)
	if len(v.wrongs) > 0 {
		return v.again(form, nil)
	}
	t, err := c.directory.CreateToken(v.Context(), v.actor(), api.NewToken{Name: v.form("name"), Role: api.Role(v.form("role")), Life: api.Duration(time.Duration(days) * 24 * time.Hour)})
	if err != nil {
		return v.again(form, err)
	}
	return &page{Title: "The new token", Up: upToTokens, Template: "tokenmade", Data: madeToken{t}}, nil
}

// madeToken is a new token, which its page shows.
type madeToken struct{ *api.CreatedToken }

// Text is the token itself.
func (t madeToken) Text() string { return t.Secret.Reveal() }

func (c *Console) findToken(v *visit) (api.Token, error) {
	id, err := v.id()
	if err != nil {
		return api.Token{}, err
	}
	all, err := c.directory.Tokens(v.Context())
	if err != nil {
		return api.Token{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return api.Token{ID: uuid.Nil}, api.Refuse(api.CodeNotFound, "there is no token %s", id)
}

func (c *Console) askRevokeToken(v *visit) (*page, error) {
	t, err := c.findToken(v)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Revoke a token", Up: upToTokens, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to revoke this token?"), Of: t.Name, Do: sentence("Revoke this token"), To: pathTokens + "/" + t.ID.String() + "/revoke", Back: pathTokens,
		Then: []sentence{sentence("Who has it is refused at once. This cannot be taken back.")},
	}}, nil
}

func (c *Console) revokeToken(v *visit) (*page, error) {
	t, err := c.findToken(v)
	if err != nil {
		return nil, err
	}
	if err := c.directory.RevokeToken(v.Context(), v.actor(), t.ID); err != nil {
		return nil, err
	}
	return v.done(pathTokens, "The token %s is revoked.", t.Name)
}
