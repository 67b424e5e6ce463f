package console

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// visit is a request, and who makes it.
type visit struct {
	*http.Request
	// Session and Administrator are nil where nobody is signed in, which only
	// routes without roles see.
	Session       *directory.ConsoleSession
	Administrator *api.Admin

	console  *Console
	language *language
	wrongs   map[string]said
}

// actor is who acts, for the audit log.
func (v *visit) actor() string { return v.Session.Actor() }

// may tells whether somebody has one of the roles.
func (v *visit) may(roles []api.Role) bool {
	for _, role := range roles {
		if v.Administrator != nil && v.Administrator.Role == role {
			return true
		}
	}
	return false
}

// id is {id} of the path.
func (v *visit) id() (uuid.UUID, error) {
	id, err := uuid.Parse(v.PathValue("id"))
	if err != nil {
		return uuid.Nil, api.Refuse(api.CodeNotFound, "%.60q is no id", v.PathValue("id"))
	}
	return id, nil
}

// readForm reads what was sent. A route that reads an upload itself has a body of
// another type.
func (v *visit) readForm() error {
	err := v.ParseForm()
	if err == nil && strings.HasPrefix(v.Header.Get("Content-Type"), "multipart/form-data") {
		return nil // streamed by who takes it
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return api.Refuse(api.CodeTooLarge, "at most %d bytes", large.Limit)
	case err != nil:
		return api.Refuse(api.CodeBadRequest, "the form is not one that a browser sends")
	}
	return nil
}

// form is a field of the form that was sent, or of the address, without spaces
// around it. What no person types, a database cannot have either.
func (v *visit) form(name string) string {
	values := v.PostForm[name]
	if v.Method == http.MethodGet {
		values = v.query()[name]
	}
	if len(values) == 0 {
		return ""
	}
	return clean(values[0])
}

// forms are all values of a field of several.
func (v *visit) forms(name string) (list []string) {
	values := v.PostForm[name]
	if v.Method == http.MethodGet {
		values = v.query()[name]
	}
	for _, value := range values {
		if value = clean(value); value != "" {
			list = append(list, value)
		}
	}
	return list
}

func (v *visit) query() url.Values { return v.URL.Query() }

func clean(value string) string {
	if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
}

// wrong says what is wrong with a field.
func (v *visit) wrong(field string, what sentence, args ...any) {
	if v.wrongs == nil {
		v.wrongs = make(map[string]said)
	}
	if _, known := v.wrongs[field]; !known {
		v.wrongs[field] = said{what, args, ""}
	}
}

// again shows the page of a form once more, with what was typed, and what is wrong
// with it. Without an error the fields say all.
func (v *visit) again(p *page, err error) (*page, error) {
	if err == nil && len(v.wrongs) > 0 {
		p.status = http.StatusUnprocessableEntity
	}
	return p, err
}

// done leads on after a form has done what it is for, and says so once.
func (v *visit) done(to string, what sentence, args ...any) (*page, error) {
	return &page{to: to, said: &said{what, args, "good"}}, nil
}

// said is a sentence, and what is put into it.
type said struct {
	Sentence sentence `json:"s"`
	Args     []any    `json:"a,omitempty"`
	Kind     string   `json:"k,omitempty"`
}

// saidCookie holds what the next page says once.
const saidCookie = "__Host-firstday-said"

// maxSaid bounds it, in bytes.
const maxSaid = 2 << 10

func (s *said) cookie() *http.Cookie {
	text, err := json.Marshal(s)
	if err != nil || len(text) > maxSaid {
		text, _ = json.Marshal(&said{Sentence: "Done.", Kind: s.Kind})
	}
	return &http.Cookie{Name: saidCookie, Value: base64.RawURLEncoding.EncodeToString(text), Path: "/", MaxAge: 60, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// said is what the form before had to say, with a cookie that takes it away. It is
// the browser's word, and no more than text.
func (v *visit) said() (*said, *http.Cookie) {
	cookie, err := v.Cookie(saidCookie)
	if err != nil || v.Header.Get("Firstday-Live") != "" {
		return nil, nil
	}
	spent := &http.Cookie{Name: saidCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	s := new(said)
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(text) > maxSaid || json.Unmarshal(text, s) != nil {
		return nil, spent
	}
	for i, arg := range s.Args {
		if number, ok := arg.(float64); ok {
			s.Args[i] = int(number) // JSON has one kind of number
		}
	}
	return s, spent
}
