package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// maxImport bounds how many users come at once.
const maxImport = 10_000

// CreateUsers makes users whose passwords the directory has, all of them or
// none. Who gets no password gets one that is in the answer and nowhere else.
func (d *Directory) CreateUsers(ctx context.Context, actor string, list []api.NewUser) ([]*api.CreatedUser, error) {
	if len(list) == 0 || len(list) > maxImport {
		return nil, api.Refuse(api.CodeBadRequest, "%d users, from 1 to %d are allowed", len(list), maxImport)
	}
	created := make([]*api.CreatedUser, len(list))
	hashes := make([]string, len(list))
	for i := range list {
		var err error
		if created[i], hashes[i], err = d.newUser(ctx, actor, list[i]); err != nil {
			return nil, ofUser(i, len(list), list[i].Name, err)
		}
	}
	err := d.change(ctx, func(t *transaction) error {
		for i, u := range created {
			if err := t.addUser(u.User, hashes[i], "", ""); err != nil {
				return ofUser(i, len(list), u.Name, err)
			}
			t.audit(actor, "user.create", "user:"+u.ID.String(), map[string]any{"name": u.Name})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return created, nil
}

// ofUser says which of several users an error is about.
func ofUser(i, of int, name string, err error) error {
	var refused *api.Error
	if of == 1 || !errors.As(err, &refused) {
		return err
	}
	return api.Refuse(refused.Code, "user %d, %.70q: %s", i+1, name, refused.Detail)
}

func (d *Directory) newUser(ctx context.Context, actor string, n api.NewUser) (*api.CreatedUser, string, error) {
	n.Normalise()
	if err := n.Check(); err != nil {
		return nil, "", api.Refuse(api.CodeBadRequest, "%v", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, "", err
	}
	u := &api.CreatedUser{User: api.User{
		Person: api.Person{ID: id, Name: n.Name, Email: n.Email, FullName: n.FullName},
		State:  api.UserActive, Temporary: true, CreatedAt: d.now(), CreatedBy: actor,
	}}
	cost := chosen
	if n.Password == "" {
		n.Password, cost = temporaryPassword(), made
		u.Password = n.Password
	}
	hash, err := hashPassword(ctx, n.Password, cost)
	return u, hash, err
}

// temporaryPassword is to be typed once, by somebody who reads it.
func temporaryPassword() api.Secret {
	secret, _ := newSecret("")
	letters := strings.ToLower(secret.Reveal())[:20] // 100 bits
	return api.Secret(letters[:5] + "-" + letters[5:10] + "-" + letters[10:15] + "-" + letters[15:])
}

// addUser writes a new user down.
func (t *transaction) addUser(u api.User, password, issuer, subject string) error {
	n, err := t.exec(`INSERT INTO users (id, name, email, full_name, state, issuer, subject, password, temporary, totp, totp_step, recovery, failures, locked_until, created_at, created_by, signed_in_at, words)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '[]', 0, 0, $11, $12, 0, $13) ON CONFLICT DO NOTHING`,
		u.ID.String(), u.Name, u.Email, u.FullName, u.State, issuer, subject, password, bit(u.Temporary), []byte{}, millis(u.CreatedAt), u.CreatedBy, userWords(&u.Person))
	if err != nil {
		return fmt.Errorf("adding the user: %w", err)
	}
	if n > 0 {
		return nil
	}
	var same int // the attempt before this one was committed, and its answer lost
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM users WHERE id = $1`, u.ID.String()).Scan(&same); err != nil || same > 0 {
		return err
	}
	return api.Refuse(api.CodeConflict, "somebody has the name %s or the address %q already", u.Name, u.Email)
}

const userColumns = `id, name, email, full_name, state, issuer, temporary, totp, created_at, created_by, signed_in_at, locked_until`

func (d *Directory) scanUser(row scanner) (*api.User, error) {
	var u api.User
	var totp []byte
	var temporary, created, signedIn, locked int64
	if err := row.Scan(&u.ID, &u.Name, &u.Email, &u.FullName, &u.State, &u.Provider, &temporary, &totp, &created, &u.CreatedBy, &signedIn, &locked); err != nil {
		return nil, err
	}
	u.Temporary, u.TOTP, u.CreatedAt, u.SignedInAt = temporary != 0, len(totp) > 0, fromMillis(created), fromMillis(signedIn)
	if until := fromMillis(locked); until.After(d.now()) {
		u.LockedUntil = until
	}
	return &u, nil
}

// FindUser gives the user of that id, name or address.
func (d *Directory) FindUser(ctx context.Context, name string) (*api.User, error) {
	return d.findUser(ctx, d.store.read, name)
}

func (d *Directory) findUser(ctx context.Context, q querier, name string) (*api.User, error) {
	if !storable(name) {
		return nil, api.Refuse(api.CodeNotFound, "there is no user %.70q", name)
	}
	u, err := d.scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1 OR name = $1 OR email = $1 AND email <> ''`, strings.ToLower(strings.TrimSpace(name))))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no user %.70q", name)
	}
	return u, err
}

// SetUserState lets a user sign in, or no more. Accounts that they have on
// devices stay as they are: those end with the binding.
func (d *Directory) SetUserState(ctx context.Context, actor, name string, state api.UserState) error {
	return d.changeUser(ctx, name, func(t *transaction, u *api.User) error {
		if u.State == state {
			return nil
		}
		t.audit(actor, "user."+string(state), "user:"+u.ID.String(), map[string]any{"name": u.Name})
		_, err := t.exec(`UPDATE users SET state = $1 WHERE id = $2`, state, u.ID.String())
		return err
	})
}

// ResetUser gives a user a temporary password, takes the second factor away,
// and ends the wait after wrong passwords.
func (d *Directory) ResetUser(ctx context.Context, actor, name string) (*api.CreatedUser, error) {
	return d.giveTemporary(ctx, name, func(t *transaction, u *api.User) error {
		if u.Provider != "" {
			return api.Refuse(api.CodeConflict, "%s signs in with %s, which has the password; or: firstday user unlink", u.Name, u.Provider)
		}
		t.audit(actor, "user.reset", "user:"+u.ID.String(), map[string]any{"name": u.Name})
		return nil
	})
}

// giveTemporary gives a user a temporary password, where first allows it.
func (d *Directory) giveTemporary(ctx context.Context, name string, first func(*transaction, *api.User) error) (*api.CreatedUser, error) {
	password := temporaryPassword()
	hash, err := hashPassword(ctx, password, made)
	if err != nil {
		return nil, err
	}
	out := &api.CreatedUser{Password: password}
	err = d.changeUser(ctx, name, func(t *transaction, u *api.User) error {
		if err := first(t, u); err != nil {
			return err
		}
		out.User = *u
		out.TOTP, out.Temporary = false, true
		_, err := t.exec(`UPDATE users SET password = $1, temporary = 1, totp = $2, totp_step = 0, recovery = '[]', failures = 0, locked_until = 0 WHERE id = $3`, hash, []byte{}, u.ID.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d *Directory) changeUser(ctx context.Context, name string, f func(*transaction, *api.User) error) error {
	return d.change(ctx, func(t *transaction) error {
		u, err := d.findUser(ctx, t, name)
		if err != nil {
			return err
		}
		return f(t, u)
	})
}
