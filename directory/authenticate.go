package directory

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Who guesses waits: not at all for the first few mistakes, then longer each
// time. Never for long, or anybody could keep an employee out.
const (
	freeFailures = 5
	firstLock    = 30 * time.Second
	longestLock  = 15 * time.Minute
)

// people are those whose passwords a table holds: users, or administrators.
type people struct {
	table  string
	action string // how what happens to one of them is called in the audit log
}

var (
	users          = people{"users", "user"}
	administrators = people{"administrators", "administrator"}
)

// credentials are what the directory knows of somebody whose password it has.
type credentials struct {
	of       people
	id       uuid.UUID
	name     string
	state    api.UserState
	password string
	totp     []byte // sealed
	step     int64
	recovery string
	failures int
	locked   int64
}

// actor is who they are in the audit log.
func (c *credentials) actor() string {
	if c.of == administrators {
		return adminActor(c.name)
	}
	return "user:" + c.id.String()
}

// attempt counts an attempt to prove who somebody is before it is looked at: of
// any number made at once none is free. empty credentials: there is nobody such.
func (d *Directory) attempt(ctx context.Context, of people, where string, who any) (*credentials, error) {
	c := credentials{of: of}
	err := d.change(ctx, func(t *transaction) error {
		c = credentials{of: of}
		err := t.QueryRowContext(ctx, `SELECT id, name, state, password, totp, totp_step, recovery, failures, locked_until FROM `+of.table+` WHERE `+where, who).
			Scan(&c.id, &c.name, &c.state, &c.password, &c.totp, &c.step, &c.recovery, &c.failures, &c.locked)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if wait := fromMillis(c.locked).Sub(d.now()); wait > 0 {
			refused := api.Refuse(api.CodeUserLocked, "after %d failures", c.failures)
			refused.RetryAfter = int(wait/time.Second) + 1
			return refused
		}
		c.failures++
		until := int64(0)
		if wait := lockAfter(c.failures); wait > 0 {
			until = millis(d.now().Add(wait))
		}
		// Of those who read the same number one writes the next.
		n, err := t.exec(`UPDATE `+of.table+` SET failures = $1, locked_until = $2 WHERE id = $3 AND failures = $1 - 1`, c.failures, until, c.id.String())
		if err == nil && n == 0 {
			return errAgain
		}
		return err
	})
	return &c, err
}

// lockAfter gives how long to wait after that many failures in a row.
func lockAfter(failures int) time.Duration {
	if failures < freeFailures {
		return 0
	}
	wait := firstLock
	for range failures - freeFailures {
		if wait *= 2; wait >= longestLock {
			return longestLock
		}
	}
	return wait
}

// failed leaves counted what attempt counted.
func (d *Directory) failed(ctx context.Context, c *credentials) error {
	if lockAfter(c.failures) == 0 {
		return errCredentials
	}
	err := d.change(ctx, func(t *transaction) error {
		t.audit(c.actor(), c.of.action+".lock", c.actor(), map[string]any{"failures": c.failures})
		return nil
	})
	return cmp.Or(err, error(errCredentials))
}

// succeeded takes back what attempt counted.
func (t *transaction) succeeded(c *credentials) error {
	_, err := t.exec(`UPDATE `+c.of.table+` SET failures = 0, locked_until = 0 WHERE id = $1`, c.id.String())
	return err
}

var errCredentials = api.Refuse(api.CodeCredentials, "no such user, or another password")

// checkLogin tells whose name (or address) and password these are.
func (d *Directory) checkLogin(ctx context.Context, name string, password api.Secret) (*api.User, error) {
	if !storable(name) {
		return nil, errCredentials
	}
	c, err := d.attempt(ctx, users, `issuer = '' AND (name = $1 OR email = $1 AND email <> '')`, strings.ToLower(strings.TrimSpace(name)))
	if err != nil {
		return nil, err
	}
	if err := d.judge(ctx, c, password); err != nil {
		return nil, err
	}
	var user *api.User
	err = d.change(ctx, func(t *transaction) error {
		if user, err = d.findUser(ctx, t, c.id.String()); err != nil || user.TOTP {
			return err // the second factor ends the attempt
		}
		return t.succeeded(c)
	})
	return user, err
}

// ofUserID finds a user of that id whose password the directory has.
const ofUserID = `issuer = '' AND id = $1`

// confirmLogin tells whether the password is that of a user who has signed in
// a moment ago.
func (d *Directory) confirmLogin(ctx context.Context, id uuid.UUID, password api.Secret) error {
	c, err := d.attempt(ctx, users, ofUserID, id.String())
	if err != nil {
		return err
	}
	if err := d.judge(ctx, c, password); err != nil {
		return err
	}
	return d.change(ctx, func(t *transaction) error { return t.succeeded(c) })
}

func (d *Directory) judge(ctx context.Context, c *credentials, password api.Secret) error {
	ok, err := checkPassword(ctx, password, c.password)
	switch {
	case err != nil:
		return err
	case !ok:
		return d.failed(ctx, c)
	case c.state != api.UserActive:
		return api.Refuse(api.CodeUserDisabled, "%s", c.actor())
	}
	return nil
}

// checkSecondFactor takes a code of the user's app, or a recovery code.
func (d *Directory) checkSecondFactor(ctx context.Context, id uuid.UUID, typed string) error {
	c, err := d.attempt(ctx, users, ofUserID, id.String())
	if err != nil {
		return err
	}
	return d.judgeSecondFactor(ctx, c, typed)
}

// judgeSecondFactor takes a code, and ends the attempt well.
func (d *Directory) judgeSecondFactor(ctx context.Context, c *credentials, typed string) error {
	if c.id == uuid.Nil || len(c.totp) == 0 {
		return errCredentials
	}
	secret, err := d.seal.open(totpSeal(c.id), c.totp)
	if err != nil {
		return err
	}
	defer clear(secret)
	if step, ok := checkTOTP(string(secret), typed, c.step, d.now()); ok {
		return d.change(ctx, func(t *transaction) error {
			n, err := t.exec(`UPDATE `+c.of.table+` SET totp_step = $1 WHERE id = $2 AND totp_step < $1`, step, c.id.String())
			if err == nil && n == 0 {
				return errCredentials // somebody else used it a moment ago
			}
			return errors.Join(err, t.succeeded(c))
		})
	}
	return d.useRecoveryCode(ctx, c, typed)
}

func (d *Directory) useRecoveryCode(ctx context.Context, c *credentials, typed string) error {
	hash := recoveryHash(typed)
	var hashes []string
	if err := json.Unmarshal([]byte(c.recovery), &hashes); err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(hashes), func(h string) bool { return h == hash })
	if len(left) == len(hashes) {
		return d.failed(ctx, c)
	}
	rest, err := json.Marshal(left)
	if err != nil {
		return err
	}
	return d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE `+c.of.table+` SET recovery = $1 WHERE id = $2 AND recovery = $3`, string(rest), c.id.String(), c.recovery)
		if err == nil && n == 0 {
			return errCredentials // somebody else used one a moment ago
		}
		t.audit(c.actor(), c.of.action+".recovery-code", c.actor(), map[string]any{"left": len(left)})
		return errors.Join(err, t.succeeded(c))
	})
}

func totpSeal(id uuid.UUID) string { return "totp " + id.String() }

// setSecondFactor keeps a second factor that its user has proved to have, and
// gives the recovery codes.
func (d *Directory) setSecondFactor(ctx context.Context, id uuid.UUID, secret, typed string) ([]string, error) {
	step, ok := checkTOTP(secret, typed, 0, d.now())
	if !ok {
		return nil, errCredentials
	}
	codes, hashes := newRecoveryCodes()
	recovery, err := json.Marshal(hashes)
	if err != nil {
		return nil, err
	}
	return codes, d.change(ctx, func(t *transaction) error {
		t.audit("user:"+id.String(), "user.second-factor", "user:"+id.String(), nil)
		_, err := t.exec(`UPDATE users SET totp = $1, totp_step = $2, recovery = $3 WHERE id = $4`, d.seal.close(totpSeal(id), []byte(secret)), step, string(recovery), id.String())
		return err
	})
}

// isPassword tells whether a user has this password already.
func (d *Directory) isPassword(ctx context.Context, id uuid.UUID, password api.Secret) (bool, error) {
	var hash string
	if err := d.store.read.QueryRowContext(ctx, `SELECT password FROM users WHERE id = $1`, id.String()).Scan(&hash); err != nil {
		return false, err
	}
	return checkPassword(ctx, password, hash)
}

// setPassword changes a password that its user has proved to know.
func (d *Directory) setPassword(ctx context.Context, id uuid.UUID, password api.Secret) error {
	hash, err := hashPassword(ctx, password, chosen)
	if err != nil {
		return err
	}
	return d.change(ctx, func(t *transaction) error {
		t.audit("user:"+id.String(), "user.password", "user:"+id.String(), nil)
		_, err := t.exec(`UPDATE users SET password = $1, temporary = 0 WHERE id = $2`, hash, id.String())
		return err
	})
}
