package directory

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// tokenPrefix tells people what it is.
const tokenPrefix = "fdt_"

const maxTokenLife = 10 * 366 * 24 * time.Hour

// CreateToken makes a token for who administers. It is in the answer and
// nowhere else.
func (d *Directory) CreateToken(ctx context.Context, actor string, n api.NewToken) (*api.CreatedToken, error) {
	switch {
	case n.Name == "" || len(n.Name) > maxLabel || strings.ContainsFunc(n.Name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return nil, api.Refuse(api.CodeBadRequest, "the name is missing, longer than %d bytes, or not one word", maxLabel)
	case !n.Role.Known():
		return nil, api.Refuse(api.CodeBadRequest, "role %.20q is none of %v", string(n.Role), api.Roles)
	case n.Life <= 0 || time.Duration(n.Life) > maxTokenLife:
		return nil, api.Refuse(api.CodeBadRequest, "a token lives from now on, and at most %v", maxTokenLife)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	secret, hash := newSecret(tokenPrefix)
	token := api.Token{ID: id, Name: n.Name, Role: n.Role, CreatedAt: d.now(), ExpiresAt: d.now().Add(time.Duration(n.Life)).Truncate(time.Millisecond)}
	err = d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`INSERT INTO tokens (id, hash, name, role, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
			id.String(), hash, token.Name, token.Role, millis(token.CreatedAt), actor, millis(token.ExpiresAt))
		if n == 0 {
			return err // or the attempt before this one was committed, and its answer lost
		}
		t.audit(actor, "token.create", "token:"+token.Name, map[string]any{"id": id, "role": token.Role, "expires": token.ExpiresAt})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatedToken{Token: token, Secret: secret}, nil
}

// HasOwner tells whether anybody can administer everything now.
func (d *Directory) HasOwner(ctx context.Context) (bool, error) {
	var n int
	err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM tokens WHERE role = $1 AND revoked_at = 0 AND expires_at > $2`, api.Owner, millis(d.now())).Scan(&n)
	return n > 0, err
}

// Tokens lists tokens, the newest first.
func (d *Directory) Tokens(ctx context.Context) (list []api.Token, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT id, name, role, created_at, expires_at, revoked_at FROM tokens ORDER BY id DESC`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		token, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, token)
	}
	return list, rows.Err()
}

func scanToken(row scanner) (api.Token, error) {
	var token api.Token
	var created, expires, revoked int64
	err := row.Scan(&token.ID, &token.Name, &token.Role, &created, &expires, &revoked)
	token.CreatedAt, token.ExpiresAt, token.RevokedAt = fromMillis(created), fromMillis(expires), fromMillis(revoked)
	return token, err
}

// RevokeToken ends a token at once.
func (d *Directory) RevokeToken(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, millis(d.now()), id.String())
		if err != nil {
			return err
		}
		if n == 0 {
			return api.Refuse(api.CodeNotFound, "there is no token %s, or no more", id)
		}
		t.audit(actor, "token.revoke", "token:"+id.String(), nil)
		return nil
	})
}

// who tells whose token it is.
func (d *Directory) who(ctx context.Context, secret api.Secret) (*api.Token, error) {
	token, err := scanToken(d.store.read.QueryRowContext(ctx, `SELECT id, name, role, created_at, expires_at, revoked_at FROM tokens WHERE hash = $1`, secretHash(secret)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, api.Refuse(api.CodeUnauthorized, "no such token")
	case err != nil:
		return nil, err
	case !token.RevokedAt.IsZero():
		return nil, api.Refuse(api.CodeUnauthorized, "the token was revoked at %v", token.RevokedAt)
	case !d.now().Before(token.ExpiresAt):
		return nil, api.Refuse(api.CodeUnauthorized, "the token expired at %v", token.ExpiresAt)
	}
	return &token, nil
}
