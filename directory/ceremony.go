package directory

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"firstday.dev/api"
)

// Purpose is what a ceremony is for.
type Purpose string

// The purposes.
const (
	ToSignIn Purpose = "sign-in"
	ToJoin   Purpose = "join"  // by a link
	ToProve  Purpose = "prove" // once more, in a session
	ToAdd    Purpose = "add"   // a way in to one's own account
)

// Ceremony is a way in that has begun in a browser and is not at its end: a
// challenge for a passkey, a password and second factor that are being set up, or
// a person who is at their provider.
type Ceremony struct {
	Purpose Purpose
	Way     api.Way
	hash    []byte
	pendingCeremony
}

// pendingCeremony is what a ceremony remembers. The database has it sealed.
type pendingCeremony struct {
	// Administrator is who, as far as that is known; Session the one in which
	// something is proved or added; Newcomer who joins.
	Administrator uuid.UUID `json:"administrator"`
	Session       uuid.UUID `json:"session"`
	Newcomer      *newcomer `json:"newcomer,omitempty"`
	// Next is the path of the console where to go on, Back where to begin again.
	Next string `json:"next,omitempty"`
	Back string `json:"back,omitempty"`

	// Options are what navigator.credentials is given.
	Options    json.RawMessage       `json:"options,omitempty"`
	Challenge  *webauthn.SessionData `json:"challenge,omitempty"`
	TOTP       api.Secret            `json:"totp,omitempty"` // of the second factor that is set up
	TOTPURL    api.Secret            `json:"totpUrl,omitempty"`
	Federation *federation           `json:"federation,omitempty"`
}

// Beginning says what ceremony to begin.
type Beginning struct {
	Purpose Purpose
	Way     api.Way
	// Name is whose passkey is asked for, if they say; or the first owner's, who
	// joins.
	Name, FullName string
	Provider       string          // its id
	Link           api.Secret      // the secret of it, of who joins
	Session        *ConsoleSession // in which something is proved or added
	Next, Back     string          // paths of the console
}

const (
	ceremonyLife = 10 * time.Minute
	// ceremonyCookie is sent along when a provider sends people back.
	ceremonyCookie = "__Host-firstday-ceremony"
	ceremonySeal   = "ceremony"
	// maxNext bounds where to go on, in bytes.
	maxNext = 2048
)

// errCeremony: the browser is in no ceremony of that kind.
var errCeremony = api.Refuse(api.CodeCeremony, "no such ceremony of a browser")

// Begin begins a ceremony, and gives its cookie.
func (d *Directory) Begin(r *http.Request, b *Beginning) (*http.Cookie, error) {
	if err := b.Way.CheckWay(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	c := &Ceremony{Purpose: b.Purpose, Way: b.Way, pendingCeremony: pendingCeremony{Next: insideConsole(b.Next), Back: insideConsole(b.Back)}}
	if err := d.whoBegins(r, c, b); err != nil {
		return nil, err
	}
	var err error
	switch b.Way {
	case api.WayPasskey:
		err = d.preparePasskey(r.Context(), c, b.Name)
	case api.WayPassword:
		err = d.preparePassword(r.Context(), c)
	case api.WayProvider:
		err = d.prepareProvider(r.Context(), c, b.Provider)
	}
	if err != nil {
		return nil, err
	}
	return d.keepCeremony(r.Context(), c)
}

// whoBegins notes who begins a ceremony, as far as that is known.
func (d *Directory) whoBegins(r *http.Request, c *Ceremony, b *Beginning) error {
	switch b.Purpose {
	case ToSignIn:
		if b.Way == api.WayPassword {
			return api.Refuse(api.CodeBadRequest, "passwords are taken without a ceremony") // see LogIn
		}
	case ToJoin:
		n, err := d.welcome(r.Context(), b.Link, b.Name, b.FullName)
		if errors.Is(err, api.CodeInvitation) {
			return d.strangers.guessed(addressKey(remote(r)), err)
		}
		if err != nil {
			return err
		}
		c.Newcomer, c.Administrator = n, n.ID
	case ToProve, ToAdd:
		if b.Purpose == ToAdd && !d.Proved(b.Session) {
			return errProof
		}
		if b.Purpose == ToAdd && b.Way == api.WayProvider || b.Purpose == ToProve && b.Way == api.WayPassword {
			return api.Refuse(api.CodeBadRequest, "%s is no way to %s", b.Way, b.Purpose)
		}
		c.Administrator, c.Session = b.Session.Administrator.ID, b.Session.ID
	}
	return nil
}

// insideConsole gives a path of the console, whatever a request says.
func insideConsole(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host != "" || len(address) > maxNext || !strings.HasPrefix(address, api.PathConsole) || !strings.HasPrefix(path.Clean(u.Path)+"/", api.PathConsole) ||
		strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return api.PathConsole
	}
	return address
}

// preparePassword makes the second factor that goes with a new password.
func (d *Directory) preparePassword(ctx context.Context, c *Ceremony) error {
	name := ""
	if c.Newcomer != nil {
		name = c.Newcomer.Name
	} else {
		a, err := d.FindAdministrator(ctx, c.Administrator.String())
		if err != nil {
			return err
		}
		name = a.Name
	}
	key, err := newTOTP(d.Organisation, name)
	if err != nil {
		return err
	}
	c.TOTP, c.TOTPURL = api.Secret(key.Secret()), api.Secret(key.URL())
	return nil
}

// prepareProvider makes what a browser is sent to a provider with. Who has to
// prove who they are may only do so at the provider that they are linked to.
func (d *Directory) prepareProvider(ctx context.Context, c *Ceremony, provider string) error {
	rp, err := d.relyingParty(ctx, provider)
	if err != nil {
		return err
	}
	if c.Purpose == ToProve {
		a, err := d.FindAdministrator(ctx, c.Administrator.String())
		if err != nil {
			return err
		}
		if a.Provider != rp.Issuer {
			return api.Refuse(api.CodeNotLinked, "%s is not linked to %s", a.Name, rp.ID)
		}
	}
	c.Federation = &federation{rp.ID, rand.Text(), rand.Text(), oauth2.GenerateVerifier()}
	return nil
}

// keepCeremony writes a ceremony down. Those that are over go: they remember
// secrets. So does the one that the same browser was in before.
func (d *Directory) keepCeremony(ctx context.Context, c *Ceremony) (*http.Cookie, error) {
	secret, hash := newSecret("")
	c.hash = hash
	plain, err := json.Marshal(&c.pendingCeremony)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	sealed := d.seal.close(ceremonySeal+string(hash), plain)
	err = d.change(ctx, func(t *transaction) error {
		if _, err := t.exec(`DELETE FROM ceremonies WHERE expires_at <= $1`, millis(d.now())); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO ceremonies (hash, purpose, way, expires_at, pending) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hash) DO NOTHING`,
			hash, c.Purpose, c.Way, millis(d.now().Add(ceremonyLife)), sealed)
		return err
	})
	return sessionCookieOf(ceremonyCookie, secret.Reveal(), ceremonyLife, http.SameSiteLaxMode), err
}

// Ceremony finds the ceremony that a request's browser is in. What is proved or
// added in a session is so in that session only.
func (d *Directory) Ceremony(r *http.Request) (*Ceremony, error) {
	cookie, err := r.Cookie(ceremonyCookie)
	if err != nil {
		return nil, errCeremony
	}
	c := &Ceremony{hash: secretHash(api.Secret(cookie.Value))}
	var sealed []byte
	err = d.store.read.QueryRowContext(r.Context(), `SELECT purpose, way, pending FROM ceremonies WHERE hash = $1 AND expires_at > $2`, c.hash, millis(d.now())).
		Scan(&c.Purpose, &c.Way, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errCeremony
	}
	if err != nil {
		return nil, err
	}
	plain, err := d.seal.open(ceremonySeal+string(c.hash), sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return c, json.Unmarshal(plain, &c.pendingCeremony)
}

// sessionOf gives the session in which a ceremony was begun, if the request's
// browser is signed in to that.
func (d *Directory) sessionOf(r *http.Request, c *Ceremony) (*ConsoleSession, error) {
	s, err := d.ConsoleSession(r)
	if err != nil {
		return nil, err
	}
	if s.ID != c.Session {
		return nil, api.Refuse(api.CodeCeremony, "the ceremony was begun in another session")
	}
	return s, nil
}

// endCeremony uses a ceremony up: of two requests one does.
func (t *transaction) endCeremony(c *Ceremony) error {
	n, err := t.exec(`DELETE FROM ceremonies WHERE hash = $1`, c.hash)
	if err == nil && n == 0 {
		return errCeremony
	}
	return err
}

// Outcome is what comes of a way in.
type Outcome struct {
	Cookie *http.Cookie // of a session that begins; nil: none does
	Codes  []string     // for recovery, to be shown once
	Next   string       // path of the console where to go on
}
