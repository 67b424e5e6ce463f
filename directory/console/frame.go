package console

import (
	"net/http"
	"time"

	"firstday.dev/api"
)

func (c *Console) frameRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "language", serve: c.setLanguage},
	}
}

// languageLife is how long a browser remembers the language.
const languageLife = 400 * 24 * time.Hour

// setLanguage keeps what language somebody reads, in the browser.
func (c *Console) setLanguage(v *visit) (*page, error) {
	l := c.languageOf(v.form("language"))
	if l == nil {
		return nil, api.Refuse(api.CodeBadRequest, "the console does not speak %.20q, but %v", v.form("language"), c.tags())
	}
	to := v.form("to")
	if !local(to) {
		to = Path
	}
	return &page{to: to, cookies: []*http.Cookie{{
		Name: languageCookie, Value: l.Tag, Path: "/", MaxAge: int(languageLife / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}}}, nil
}
