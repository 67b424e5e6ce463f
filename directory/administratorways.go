package directory

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// LogIn takes name, password and a code of the second factor, all at once: what
// of them is wrong nobody learns.
func (d *Directory) LogIn(r *http.Request, name string, password api.Secret, code, next string) (*Outcome, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if !storable(name) {
		return nil, errCredentials
	}
	c, err := d.checkAdministrator(r, `name = $1`, name, password, code)
	if err != nil {
		return nil, err
	}
	cookie, err := d.signInAs(r, c.id, api.WayPassword, d.now(), nil)
	return &Outcome{Cookie: cookie, Next: insideConsole(next)}, err
}

// ProveWithPassword takes password and second factor of who is signed in already.
func (d *Directory) ProveWithPassword(r *http.Request, s *ConsoleSession, password api.Secret, code string) error {
	if _, err := d.checkAdministrator(r, `id = $1`, s.Administrator.ID.String(), password, code); err != nil {
		return err
	}
	return d.change(r.Context(), func(t *transaction) error { return t.prove(s.ID, d.now()) })
}

// checkAdministrator tells whose password and second factor these are.
func (d *Directory) checkAdministrator(r *http.Request, where, who string, password api.Secret, code string) (*credentials, error) {
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	if len(who) > api.MaxPassword || len(password) > api.MaxPassword || len(code) > api.MaxPassword {
		return nil, errCredentials
	}
	ctx := r.Context()
	c, err := d.attempt(ctx, administrators, where, who)
	if err != nil {
		return nil, err
	}
	ok, err := checkPassword(ctx, password, c.password)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, d.failed(ctx, c)
	}
	return c, d.judgeSecondFactor(ctx, c, code)
}

// setAdministratorPassword gives an administrator a password that is hashed already.
func (t *transaction) setAdministratorPassword(actor string, id uuid.UUID, hash string) error {
	t.audit(actor, "administrator.password", actor, nil)
	_, err := t.exec(`UPDATE administrators SET password = $1, failures = 0, locked_until = 0 WHERE id = $2`, hash, id.String())
	return err
}

// TakePassword takes a new password, and a code that proves that the second factor
// of the ceremony is set up. What is mistyped can be typed again.
func (d *Directory) TakePassword(r *http.Request, password, again api.Secret, code string) (*Outcome, error) {
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	c, err := d.Ceremony(r)
	if err != nil {
		return nil, err
	}
	if c.Way != api.WayPassword {
		return nil, errCeremony
	}
	if err := checkNewPassword(password, again); err != nil {
		return nil, err
	}
	step, ok := checkTOTP(c.TOTP.Reveal(), code, 0, d.now())
	if !ok {
		return nil, errCredentials
	}
	hash, err := hashPassword(r.Context(), password, chosen)
	if err != nil {
		return nil, err
	}
	codes, recovery, err := encodeRecovery()
	if err != nil {
		return nil, err
	}
	out, err := d.addWay(r, c, func(t *transaction, actor string) error {
		if err := t.endCeremony(c); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE administrators SET totp = $1, totp_step = $2, recovery = $3 WHERE id = $4`,
			d.seal.close(totpSeal(c.Administrator), []byte(c.TOTP.Reveal())), step, recovery, c.Administrator.String())
		return errors.Join(err, t.setAdministratorPassword(actor, c.Administrator, hash))
	})
	if err != nil {
		return nil, err
	}
	out.Codes = codes
	return out, nil
}

func checkNewPassword(password, again api.Secret) error {
	if password != again {
		return api.Refuse(api.CodePasswordsDiffer, "the two are not the same")
	}
	if err := api.CheckPassword(password); err != nil {
		return api.Refuse(api.CodePasswordWeak, "%v", err)
	}
	return nil
}

// encodeRecovery makes recovery codes, and what the database keeps of them.
func encodeRecovery() (codes []string, kept string, err error) {
	codes, hashes := newRecoveryCodes()
	b, err := json.Marshal(hashes)
	return codes, string(b), err
}

// addWay adds a way in: to who joins, and is signed in by it then; or to who is
// signed in, whose other sessions end.
func (d *Directory) addWay(r *http.Request, c *Ceremony, add func(t *transaction, actor string) error) (*Outcome, error) {
	if c.Purpose == ToJoin {
		s, err := d.newConsoleSession(r, c.Way, d.now())
		if err != nil {
			return nil, err
		}
		return &Outcome{Cookie: s.cookie, Next: c.Next}, d.change(r.Context(), func(t *transaction) error {
			if err := t.join(c.Newcomer, c.Way, s.Address); err != nil {
				return err
			}
			if err := add(t, adminActor(c.Newcomer.Name)); err != nil {
				return err
			}
			return t.beginConsoleSession(s, c.Administrator, c.Newcomer.Name)
		})
	}
	if c.Purpose != ToAdd {
		return nil, errCeremony
	}
	s, err := d.sessionOf(r, c)
	if err != nil {
		return nil, err
	}
	return &Outcome{Next: c.Next}, d.changeOwn(r.Context(), s, func(t *transaction, a *api.Admin) error {
		return errors.Join(add(t, s.Actor()), t.endConsoleSessions(a.ID, s.ID))
	})
}

// changeOwn changes something of who is signed in, and has proved it a moment ago.
func (d *Directory) changeOwn(ctx context.Context, s *ConsoleSession, f func(*transaction, *api.Admin) error) error {
	if !d.Proved(s) {
		return errProof
	}
	return d.changeAdministrator(ctx, s.Administrator.ID.String(), func(t *transaction, a *api.Admin) error {
		var there int
		if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM console_sessions WHERE id = $1`, s.ID.String()).Scan(&there); err != nil {
			return err
		}
		if there == 0 || a.State != api.AdministratorActive {
			return errSignedOut // a moment ago
		}
		return f(t, a)
	})
}

// removeWay takes a way in from who is signed in, if another one is left. Their
// other sessions end.
func (d *Directory) removeWay(ctx context.Context, s *ConsoleSession, remove func(*transaction, *api.Admin) error) error {
	return d.changeOwn(ctx, s, func(t *transaction, a *api.Admin) error {
		if err := remove(t, a); err != nil {
			return err
		}
		left, err := d.findAdministrator(ctx, t, a.ID.String())
		if err != nil {
			return err
		}
		if ways(left) == 0 {
			return api.Refuse(api.CodeLastWay, "it is the last one of %s", a.Name)
		}
		return t.endConsoleSessions(a.ID, s.ID)
	})
}

// errNoPassword: something is asked of a password that is not there.
var errNoPassword = api.Refuse(api.CodeConflict, "you have no password")

// ChangePassword changes the password of who is signed in. Their second factor
// stays, their other sessions end.
func (d *Directory) ChangePassword(ctx context.Context, s *ConsoleSession, password, again api.Secret) error {
	if err := checkNewPassword(password, again); err != nil {
		return err
	}
	hash, err := hashPassword(ctx, password, chosen)
	if err != nil {
		return err
	}
	return d.changeOwn(ctx, s, func(t *transaction, a *api.Admin) error {
		if !a.Password {
			return errNoPassword
		}
		return errors.Join(t.setAdministratorPassword(s.Actor(), a.ID, hash), t.endConsoleSessions(a.ID, s.ID))
	})
}

// NewRecoveryCodes gives who is signed in other codes for recovery. Those before
// are no good any more.
func (d *Directory) NewRecoveryCodes(ctx context.Context, s *ConsoleSession) ([]string, error) {
	codes, recovery, err := encodeRecovery()
	if err != nil {
		return nil, err
	}
	return codes, d.changeOwn(ctx, s, func(t *transaction, a *api.Admin) error {
		if !a.Password {
			return errNoPassword
		}
		t.audit(s.Actor(), "administrator.recovery-codes", s.Actor(), nil)
		_, err := t.exec(`UPDATE administrators SET recovery = $1 WHERE id = $2`, recovery, a.ID.String())
		return err
	})
}

// RemovePassword takes password and second factor from who is signed in.
func (d *Directory) RemovePassword(ctx context.Context, s *ConsoleSession) error {
	return d.removeWay(ctx, s, func(t *transaction, a *api.Admin) error {
		if !a.Password {
			return errNoPassword
		}
		t.audit(s.Actor(), "administrator.password-remove", s.Actor(), nil)
		_, err := t.exec(`UPDATE administrators SET password = '', totp = $1, totp_step = 0, recovery = '[]', failures = 0, locked_until = 0 WHERE id = $2`, []byte{}, a.ID.String())
		return err
	})
}

// RemoveLink ends that who is signed in may sign in with a provider.
func (d *Directory) RemoveLink(ctx context.Context, s *ConsoleSession) error {
	return d.removeWay(ctx, s, func(t *transaction, a *api.Admin) error {
		if a.Provider == "" {
			return api.Refuse(api.CodeConflict, "you are linked to no provider")
		}
		t.audit(s.Actor(), "administrator.unlink", s.Actor(), map[string]any{"issuer": a.Provider})
		_, err := t.exec(`UPDATE administrators SET issuer = '', subject = '' WHERE id = $1`, a.ID.String())
		return err
	})
}
