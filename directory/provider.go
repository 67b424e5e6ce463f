package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"firstday.dev/api"
)

// providerSecret is the name under which a provider's client secret is sealed.
func providerSecret(id string) string { return "provider " + id }

// CreateProvider lets people sign in with a provider.
func (d *Directory) CreateProvider(ctx context.Context, actor string, n *api.NewProvider) (*api.Provider, error) {
	n.Normalise()
	if err := n.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	document, err := json.Marshal(&n.ProviderConfig)
	if err != nil {
		return nil, err
	}
	p := &api.Provider{ProviderConfig: n.ProviderConfig, RedirectURI: d.redirectURI(n.ID), CreatedAt: d.now(), CreatedBy: actor}
	secret := []byte(n.ClientSecret.Reveal())
	defer clear(secret)
	return p, d.change(ctx, func(t *transaction) error {
		rows, err := t.exec(`INSERT INTO providers (id, issuer, document, created_at, created_by) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			p.ID, p.Issuer, string(document), millis(p.CreatedAt), actor)
		if err != nil {
			return err
		}
		if rows == 0 {
			return api.Refuse(api.CodeConflict, "there is a provider %s, or one with the issuer %s, already", p.ID, p.Issuer)
		}
		t.audit(actor, "provider.create", "provider:"+p.ID, map[string]any{"provider": &n.ProviderConfig})
		_, err = t.exec(`INSERT INTO secrets (name, value) VALUES ($1, $2)`, providerSecret(p.ID), d.seal.close(providerSecret(p.ID), secret))
		return err
	})
}

// RemoveProvider lets nobody sign in with a provider any more. Its users stay:
// they are back as soon as one with the same issuer is. The one by which the last
// owner signs in to the console stays, too.
func (d *Directory) RemoveProvider(ctx context.Context, actor, id string) error {
	return d.change(ctx, func(t *transaction) error {
		return t.keepingOwner(func() error {
			n, err := t.exec(`DELETE FROM providers WHERE id = $1`, id)
			if err != nil {
				return err
			}
			if n == 0 {
				return noProvider(id)
			}
			t.audit(actor, "provider.remove", "provider:"+id, nil)
			_, err = t.exec(`DELETE FROM secrets WHERE name = $1`, providerSecret(id))
			return err
		})
	})
}

func noProvider(id string) error {
	return api.Refuse(api.CodeProviderUnknown, "there is no provider %.40q", id)
}

const providerColumns = `document, created_at, created_by`

func (d *Directory) scanProvider(row scanner) (*api.Provider, error) {
	var p api.Provider
	var document string
	var created int64
	if err := row.Scan(&document, &created, &p.CreatedBy); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(document), &p.ProviderConfig); err != nil {
		return nil, fmt.Errorf("reading a provider: %w", err)
	}
	p.CreatedAt, p.RedirectURI = fromMillis(created), d.redirectURI(p.ID)
	return &p, nil
}

// Providers lists providers by id.
func (d *Directory) Providers(ctx context.Context) (list []*api.Provider, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT `+providerColumns+` FROM providers ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p, err := d.scanProvider(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// Provider gives one provider.
func (d *Directory) Provider(ctx context.Context, id string) (*api.Provider, error) {
	return d.provider(ctx, d.store.read, id)
}

func (d *Directory) provider(ctx context.Context, q querier, id string) (*api.Provider, error) {
	p, err := d.scanProvider(q.QueryRowContext(ctx, `SELECT `+providerColumns+` FROM providers WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noProvider(id)
	}
	return p, err
}

// clientSecret opens what a provider knows the directory by.
func (d *Directory) clientSecret(ctx context.Context, id string) (api.Secret, error) {
	var sealed []byte
	err := d.store.read.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = $1`, providerSecret(id)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noProvider(id) // it was removed a moment ago
	}
	if err != nil {
		return "", err
	}
	secret, err := d.seal.open(providerSecret(id), sealed)
	defer clear(secret)
	return api.Secret(secret), err
}

// redirectURI is where a provider sends people back to, to the letter.
func (d *Directory) redirectURI(id string) string { return d.PagesURL + api.PathCallback + "/" + id }

// LinkUser lets a user sign in with a provider, and no more with a password of
// the directory.
func (d *Directory) LinkUser(ctx context.Context, actor, name string, l *api.UserLink) (*api.User, error) {
	if err := l.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	var linked *api.User
	err := d.changeUser(ctx, name, func(t *transaction, u *api.User) error {
		p, err := d.provider(ctx, t, l.Provider)
		if err != nil {
			return err
		}
		var other string
		err = t.QueryRowContext(ctx, `SELECT name FROM users WHERE issuer = $1 AND subject = $2 AND id <> $3`, p.Issuer, l.Subject, u.ID.String()).Scan(&other)
		if err == nil {
			return api.Refuse(api.CodeConflict, "%s is linked to that subject already", other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		t.audit(actor, "user.link", "user:"+u.ID.String(), map[string]any{"name": u.Name, "provider": l.Provider, "issuer": p.Issuer, "subject": l.Subject})
		if _, err := t.exec(`UPDATE users SET issuer = $1, subject = $2, password = '', temporary = 0, totp = $3, totp_step = 0, recovery = '[]', failures = 0, locked_until = 0 WHERE id = $4`,
			p.Issuer, l.Subject, []byte{}, u.ID.String()); err != nil {
			return err
		}
		linked, err = d.findUser(ctx, t, u.ID.String())
		return err
	})
	return linked, err
}

// UnlinkUser lets a user sign in with a password of the directory again: a
// temporary one, in the answer.
func (d *Directory) UnlinkUser(ctx context.Context, actor, name string) (*api.CreatedUser, error) {
	return d.giveTemporary(ctx, name, func(t *transaction, u *api.User) error {
		if u.Provider == "" {
			return api.Refuse(api.CodeConflict, "%s signs in with a password of the directory", u.Name)
		}
		t.audit(actor, "user.unlink", "user:"+u.ID.String(), map[string]any{"name": u.Name, "issuer": u.Provider})
		u.Provider = ""
		_, err := t.exec(`UPDATE users SET issuer = '', subject = '' WHERE id = $1`, u.ID.String())
		return err
	})
}
