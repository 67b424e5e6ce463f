package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// step is a page of a sign-in, after the first one.
type step string

const (
	stepProvider step = "provider" // signs in with a provider
	stepTOTP     step = "totp"     // a code of the second factor is asked for
	stepPassword step = "password" // a temporary one is changed
	stepEnrol    step = "enrol"    // a second factor is set up
	stepRecovery step = "recovery" // its recovery codes are shown
	stepConfirm  step = "confirm"  // is that device in front of you?
	stepDone     step = "done"
)

// pageSession is a browser in the middle of a sign-in. It begins with a proof of
// who sits there, and what it is called in the browser's cookie is new then:
// nobody can have put it there before.
type pageSession struct {
	hash    []byte
	signIn  uuid.UUID
	step    step
	user    uuid.UUID
	pending pending
}

// pending is what a session remembers from page to page. The database has it
// sealed.
type pending struct {
	Proved bool     `json:"proved,omitempty"` // the second factor
	Secret string   `json:"secret,omitempty"` // of the one that is being set up
	URL    string   `json:"url,omitempty"`    // the same, for apps
	Codes  []string `json:"codes,omitempty"`  // for recovery
	Number string   `json:"number,omitempty"`

	Federation *federation `json:"federation,omitempty"`
}

// pageSessionLife is that of a sign-in at most, and of its last page.
const pageSessionLife = api.SignInLife + 5*time.Minute

// sessionCookie begins with __Host-: browsers take it from this host only, over
// TLS only, and for all paths.
const sessionCookie = "__Host-firstday"

const sessionSeal = "page session"

// beginSession makes a session, and gives its cookie. Sessions that are over go:
// they remember secrets.
func (d *Directory) beginSession(ctx context.Context, s *pageSession) (*http.Cookie, error) {
	secret, hash := newSecret("")
	s.hash = hash
	sealed, err := d.sealPending(s)
	if err != nil {
		return nil, err
	}
	err = d.change(ctx, func(t *transaction) error {
		if _, err := t.exec(`DELETE FROM page_sessions WHERE expires_at <= $1`, millis(d.now())); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO page_sessions (hash, signin, expires_at, step, user_id, pending) VALUES ($1, $2, $3, $4, $5, $6)`,
			hash, s.signIn.String(), millis(d.now().Add(pageSessionLife)), s.step, uuidText(s.user), sealed)
		return err
	})
	return &http.Cookie{
		Name: sessionCookie, Value: secret.Reveal(), Path: "/", MaxAge: int(pageSessionLife / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, // a provider sends people back from another site
	}, err
}

func (d *Directory) sealPending(s *pageSession) ([]byte, error) {
	plain, err := json.Marshal(&s.pending)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return d.seal.close(sessionSeal+string(s.hash), plain), nil
}

// errNoSession: the browser brings no cookie of a session that lives.
var errNoSession = api.Refuse(api.CodeExpiredToken, "no such session of a browser")

// session finds the session of a request.
func (d *Directory) session(r *http.Request) (*pageSession, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, errNoSession
	}
	s := &pageSession{hash: secretHash(api.Secret(cookie.Value))}
	var user string
	var sealed []byte
	err = d.store.read.QueryRowContext(r.Context(), `SELECT signin, step, user_id, pending FROM page_sessions WHERE hash = $1 AND expires_at > $2`, s.hash, millis(d.now())).
		Scan(&s.signIn, &s.step, &user, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, err
	}
	s.user = parseUUID(user)
	plain, err := d.seal.open(sessionSeal+string(s.hash), sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return s, json.Unmarshal(plain, &s.pending)
}

// moveOn brings a session from one step to its next. Of two requests that came
// at once from the same page the second one is told.
func (d *Directory) moveOn(ctx context.Context, s *pageSession, to step) error {
	sealed, err := d.sealPending(s)
	if err != nil {
		return err
	}
	from := s.step
	err = d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE page_sessions SET step = $1, pending = $2 WHERE hash = $3 AND step = $4`, to, sealed, s.hash, from)
		if err == nil && n == 0 {
			return api.Refuse(api.CodeConflict, "the page was sent twice")
		}
		return err
	})
	if err == nil {
		s.step = to
	}
	return err
}

// endSession forgets a session.
func (d *Directory) endSession(ctx context.Context, s *pageSession) error {
	return d.change(ctx, func(t *transaction) error {
		_, err := t.exec(`DELETE FROM page_sessions WHERE hash = $1`, s.hash)
		return err
	})
}

// signInOf gives the sign-in of a session.
func (d *Directory) signInOf(ctx context.Context, s *pageSession) (*signIn, error) {
	found, err := scanSignIn(d.store.read.QueryRowContext(ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE id = $1`, s.signIn.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoSession
	}
	return found, err
}
