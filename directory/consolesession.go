package directory

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// ConsoleSession is a browser in which an administrator is signed in.
type ConsoleSession struct {
	api.ConsoleSession
	// Administrator is who, as of now, without passkeys.
	Administrator *api.Admin
}

// Actor is who acts in the session, for the audit log.
func (s *ConsoleSession) Actor() string { return adminActor(s.Administrator.Name) }

// consoleCookie is for this host only, over TLS only, and never sent along from
// other sites. What a provider sends back comes with another one, see ceremony.go.
const consoleCookie = "__Host-firstday-console"

const (
	// maxBrowser bounds what a browser calls itself, in bytes.
	maxBrowser = 256
	// usePrecision is how exactly the last use of a session is known.
	usePrecision = time.Minute
)

func sessionCookieOf(name, value string, life time.Duration, site http.SameSite) *http.Cookie {
	age := int(life / time.Second)
	if value == "" {
		age = -1
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: site}
}

// errSignedOut: the browser brings no cookie of a session that lives.
var errSignedOut = api.Refuse(api.CodeSignedOut, "no session of the console")

const consoleSessionColumns = `s.id, s.way, s.address, s.browser, s.began_at, s.used_at, s.proved_at, s.ends_at`

// scanConsoleSession reads a session, then what more there is.
func scanConsoleSession(s *api.ConsoleSession, row scanner) error {
	var began, used, proved, ends int64
	err := row.Scan(&s.ID, &s.Way, &s.Address, &s.Browser, &began, &used, &proved, &ends)
	s.BeganAt, s.UsedAt, s.ProvedAt, s.EndsAt = fromMillis(began), fromMillis(used), fromMillis(proved), fromMillis(ends)
	return err
}

// live is what holds for sessions that are not over; its parameters are two
// times, see d.liveSince.
const live = `s.ends_at > $1 AND s.used_at > $2`

func (d *Directory) liveSince() (now, idle int64) {
	return millis(d.now()), millis(d.now().Add(-api.ConsoleIdle))
}

// ConsoleSession finds the session of a request. What scripts ask for by
// themselves is no use of it: a console that nobody looks at ends.
func (d *Directory) ConsoleSession(r *http.Request) (*ConsoleSession, error) {
	cookie, err := r.Cookie(consoleCookie)
	if err != nil {
		return nil, errSignedOut
	}
	s := new(ConsoleSession)
	var administrator uuid.UUID
	now, idle := d.liveSince()
	row := d.store.read.QueryRowContext(r.Context(), `SELECT s.administrator, `+consoleSessionColumns+` FROM console_sessions s WHERE `+live+` AND s.hash = $3`,
		now, idle, secretHash(api.Secret(cookie.Value)))
	err = scanConsoleSession(&s.ConsoleSession, after{row, []any{&administrator}})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errSignedOut
	}
	if err != nil {
		return nil, err
	}
	s.Administrator, err = d.scanAdministrator(d.store.read.QueryRowContext(r.Context(), `SELECT `+adminColumns+` FROM administrators WHERE id = $1`, administrator.String()))
	if err != nil {
		return nil, err
	}
	if s.Administrator.State != api.AdministratorActive {
		return nil, errSignedOut
	}
	if r.Header.Get("Sec-Fetch-Dest") != "empty" && d.now().Sub(s.UsedAt) >= usePrecision {
		d.useConsoleSession(r.Context(), s)
	}
	return s, nil
}

// after scans some columns before those of a row that somebody else scans.
type after struct {
	scanner
	first []any
}

// Scan is of [sql.Row].
func (a after) Scan(rest ...any) error { return a.scanner.Scan(append(a.first, rest...)...) }

// useConsoleSession notes that a session is in use. If that cannot be written,
// who looks at pages still may.
func (d *Directory) useConsoleSession(ctx context.Context, s *ConsoleSession) {
	now := d.now()
	err := d.change(ctx, func(t *transaction) error {
		_, err := t.exec(`UPDATE console_sessions SET used_at = $1 WHERE id = $2 AND used_at < $1`, millis(now), s.ID.String())
		return err
	})
	if err != nil {
		d.Log.WarnContext(ctx, "the use of a session cannot be noted", "administrator", s.Administrator.Name, "error", err)
		return
	}
	s.UsedAt = now
}

// Proved tells whether it was proved a moment ago who sits there.
func (d *Directory) Proved(s *ConsoleSession) bool {
	return d.now().Sub(s.ProvedAt) < api.ConsoleProof
}

// errProof: a proof is too old for what was asked.
var errProof = api.Refuse(api.CodeProofRequired, "the last proof is older than %v", api.ConsoleProof)

// freshSession is one that is not written down yet.
type freshSession struct {
	api.ConsoleSession
	hash   []byte
	before []byte // hash of the one that the same browser had
	cookie *http.Cookie
}

// newConsoleSession makes a session for the browser that sends a request. What it
// is called in the cookie is new: nobody can have put it there before.
func (d *Directory) newConsoleSession(r *http.Request, way api.Way, proved time.Time) (*freshSession, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	secret, hash := newSecret("")
	browser := r.UserAgent()
	if len(browser) > maxBrowser {
		browser = browser[:maxBrowser]
	}
	browser = strings.ToValidUTF8(browser, "")
	if !api.PlainText(browser) {
		browser = ""
	}
	now := d.now()
	s := &freshSession{
		ConsoleSession: api.ConsoleSession{ID: id, Way: way, Address: remote(r), Browser: browser, BeganAt: now, UsedAt: now, ProvedAt: proved, EndsAt: now.Add(api.ConsoleLife)},
		hash:           hash, cookie: sessionCookieOf(consoleCookie, secret.Reveal(), api.ConsoleLife, http.SameSiteStrictMode),
	}
	if old, err := r.Cookie(consoleCookie); err == nil {
		s.before = secretHash(api.Secret(old.Value))
	}
	return s, nil
}

// beginConsoleSession writes a session down, in the transaction that proves who
// it is. Sessions that are over go.
func (t *transaction) beginConsoleSession(s *freshSession, administrator uuid.UUID, name string) error {
	now, idle := t.d.liveSince()
	if _, err := t.exec(`DELETE FROM console_sessions WHERE ends_at <= $1 OR used_at <= $2 OR hash = $3`, now, idle, s.before); err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO console_sessions (id, hash, administrator, way, address, browser, began_at, used_at, proved_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
		s.ID.String(), s.hash, administrator.String(), s.Way, s.Address, s.Browser, millis(s.BeganAt), millis(s.ProvedAt), millis(s.EndsAt))
	if err != nil || n == 0 {
		return err
	}
	if _, err := t.exec(`UPDATE administrators SET signed_in_at = $1 WHERE id = $2`, millis(s.BeganAt), administrator.String()); err != nil {
		return err
	}
	t.audit(adminActor(name), "administrator.sign-in", adminActor(name), map[string]any{"way": s.Way, "address": s.Address, "session": s.ID})
	return nil
}

// signInAs begins a session for an administrator who has proved who they are. Who
// was disabled in the meantime is not let in.
func (d *Directory) signInAs(r *http.Request, id uuid.UUID, way api.Way, proved time.Time, also func(*transaction) error) (*http.Cookie, error) {
	s, err := d.newConsoleSession(r, way, proved)
	if err != nil {
		return nil, err
	}
	err = d.change(r.Context(), func(t *transaction) error {
		if err := t.alone(); err != nil { // nobody disables them meanwhile
			return err
		}
		a, err := d.findAdministrator(t.ctx, t, id.String())
		if err != nil {
			return err
		}
		if a.State != api.AdministratorActive {
			return api.Refuse(api.CodeUserDisabled, "administrator %s is %s", a.Name, a.State)
		}
		if also != nil {
			if err := also(t); err != nil {
				return err
			}
		}
		return t.beginConsoleSession(s, a.ID, a.Name)
	})
	return s.cookie, err
}

// prove notes that it was proved once more who sits there.
func (t *transaction) prove(session uuid.UUID, at time.Time) error {
	n, err := t.exec(`UPDATE console_sessions SET proved_at = $1 WHERE id = $2`, millis(at), session.String())
	if err == nil && n == 0 {
		return errSignedOut
	}
	return err
}

// endConsoleSessions ends all sessions of an administrator but one.
func (t *transaction) endConsoleSessions(administrator, but uuid.UUID) error {
	_, err := t.exec(`DELETE FROM console_sessions WHERE administrator = $1 AND id <> $2`, administrator.String(), but.String())
	return err
}

// ConsoleSessions lists the sessions of an administrator, named by id or name:
// those used last first.
func (d *Directory) ConsoleSessions(ctx context.Context, name string) (list []*api.ConsoleSession, err error) {
	a, err := d.FindAdministrator(ctx, name)
	if err != nil {
		return nil, err
	}
	now, idle := d.liveSince()
	rows, err := d.store.read.QueryContext(ctx, `SELECT `+consoleSessionColumns+` FROM console_sessions s WHERE `+live+` AND s.administrator = $3 ORDER BY s.used_at DESC, s.id DESC`, now, idle, a.ID.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		s := new(api.ConsoleSession)
		if err := scanConsoleSession(s, rows); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// EndConsoleSession ends one session of an administrator.
func (d *Directory) EndConsoleSession(ctx context.Context, actor, name string, id uuid.UUID) error {
	return d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		n, err := t.exec(`DELETE FROM console_sessions WHERE administrator = $1 AND id = $2`, a.ID.String(), id.String())
		if err == nil && n == 0 {
			return api.Refuse(api.CodeNotFound, "%s has no session %s", a.Name, id)
		}
		t.audit(actor, "administrator.end-session", adminActor(a.Name), map[string]any{"session": id})
		return err
	})
}

// EndConsoleSessions ends all sessions of an administrator but one, which may be
// none.
func (d *Directory) EndConsoleSessions(ctx context.Context, actor, name string, but uuid.UUID) error {
	return d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		t.audit(actor, "administrator.end-sessions", adminActor(a.Name), nil)
		return t.endConsoleSessions(a.ID, but)
	})
}

// SignOut ends the session of a request, and gives the cookie that says so.
func (d *Directory) SignOut(r *http.Request) (*http.Cookie, error) {
	gone := sessionCookieOf(consoleCookie, "", 0, http.SameSiteStrictMode)
	s, err := d.ConsoleSession(r)
	if errors.Is(err, api.CodeSignedOut) {
		return gone, nil
	}
	if err != nil {
		return nil, err
	}
	return gone, d.change(r.Context(), func(t *transaction) error {
		t.audit(s.Actor(), "administrator.sign-out", s.Actor(), map[string]any{"session": s.ID})
		_, err := t.exec(`DELETE FROM console_sessions WHERE id = $1`, s.ID.String())
		return err
	})
}
