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

// adminActor is who an administrator is in the audit log.
func adminActor(name string) string { return "admin:" + name }

const adminColumns = `id, name, full_name, email, role, state, issuer, password <> '', created_at, created_by, signed_in_at, locked_until`

func (d *Directory) scanAdministrator(row scanner) (*api.Admin, error) {
	var a api.Admin
	var created, signedIn, locked int64
	if err := row.Scan(&a.ID, &a.Name, &a.FullName, &a.Email, &a.Role, &a.State, &a.Provider, &a.Password, &created, &a.CreatedBy, &signedIn, &locked); err != nil {
		return nil, err
	}
	a.TOTP = a.Password // never one without the other
	a.CreatedAt, a.SignedInAt = fromMillis(created), fromMillis(signedIn)
	if until := fromMillis(locked); until.After(d.now()) {
		a.LockedUntil = until
	}
	return &a, nil
}

// Administrators lists them by name, with their passkeys.
func (d *Directory) Administrators(ctx context.Context) (list []*api.Admin, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT `+adminColumns+` FROM administrators ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	of := make(map[uuid.UUID]*api.Admin)
	for rows.Next() {
		a, err := d.scanAdministrator(rows)
		if err != nil {
			return nil, err
		}
		of[a.ID] = a
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return list, passkeysOf(ctx, d.store.read, "", func(id uuid.UUID, p api.Passkey) {
		if a := of[id]; a != nil {
			a.Passkeys = append(a.Passkeys, p)
		}
	})
}

// FindAdministrator gives the administrator of that id or name.
func (d *Directory) FindAdministrator(ctx context.Context, name string) (*api.Admin, error) {
	return d.findAdministrator(ctx, d.store.read, name)
}

func (d *Directory) findAdministrator(ctx context.Context, q queriers, name string) (*api.Admin, error) {
	none := api.Refuse(api.CodeNotFound, "there is no administrator %.70q", name)
	if !storable(name) {
		return nil, none
	}
	a, err := d.scanAdministrator(q.QueryRowContext(ctx, `SELECT `+adminColumns+` FROM administrators WHERE id = $1 OR name = $1`, strings.ToLower(strings.TrimSpace(name))))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	return a, passkeysOf(ctx, q, a.ID.String(), func(_ uuid.UUID, p api.Passkey) { a.Passkeys = append(a.Passkeys, p) })
}

// alone lets one transaction at a time through, whatever the database: what they
// count stays so until each is committed. The audit log's head is a lock that all
// wait for in the end.
func (t *transaction) alone() error {
	_, err := t.exec(`UPDATE audit_head SET seq = seq WHERE id = 1`)
	return err
}

// changeAdministrator changes one, and keeps an owner who can sign in where there
// was one.
func (d *Directory) changeAdministrator(ctx context.Context, name string, f func(*transaction, *api.Admin) error) error {
	return d.change(ctx, func(t *transaction) error {
		return t.keepingOwner(func() error {
			a, err := d.findAdministrator(ctx, t, name)
			if err != nil {
				return err
			}
			return f(t, a)
		})
	})
}

// keepingOwner refuses a change after which no owner can sign in, where one could
// before.
func (t *transaction) keepingOwner(f func() error) error {
	if err := t.alone(); err != nil {
		return err
	}
	before, err := activeOwners(t.ctx, t)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := activeOwners(t.ctx, t)
	if err == nil && before > 0 && after == 0 {
		return api.Refuse(api.CodeLastOwner, "no other active owner has a way in")
	}
	return err
}

// activeOwners counts the owners who can sign in to the console.
func activeOwners(ctx context.Context, q querier) (n int, err error) {
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM administrators a WHERE a.role = $1 AND a.state = $2 AND (
		a.password <> '' OR EXISTS (SELECT 1 FROM passkeys p WHERE p.administrator = a.id) OR a.issuer IN (SELECT issuer FROM providers))`,
		api.Owner, api.AdministratorActive).Scan(&n)
	return n, err
}

// SetAdministratorRole gives an administrator another role. Their sessions end.
func (d *Directory) SetAdministratorRole(ctx context.Context, actor, name string, role api.Role) error {
	if err := role.CheckAdministrator(); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		if a.Role == role {
			return nil
		}
		t.audit(actor, "administrator.role", adminActor(a.Name), map[string]any{"from": a.Role, "to": role})
		if _, err := t.exec(`UPDATE administrators SET role = $1 WHERE id = $2`, role, a.ID.String()); err != nil {
			return err
		}
		return t.endConsoleSessions(a.ID, uuid.Nil)
	})
}

// DisableAdministrator lets one sign in no more. Their sessions end, and links
// that they have.
func (d *Directory) DisableAdministrator(ctx context.Context, actor, name string) error {
	return d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		if a.State == api.AdministratorDisabled {
			return nil
		}
		t.audit(actor, "administrator.disable", adminActor(a.Name), nil)
		if _, err := t.exec(`UPDATE administrators SET state = $1 WHERE id = $2`, api.AdministratorDisabled, a.ID.String()); err != nil {
			return err
		}
		return errors.Join(t.endInvitations(a.ID), t.endConsoleSessions(a.ID, uuid.Nil))
	})
}

// EnableAdministrator lets a disabled one sign in again, by the ways that they
// had.
func (d *Directory) EnableAdministrator(ctx context.Context, actor, name string) error {
	return d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		switch {
		case a.State == api.AdministratorActive:
			return nil
		case ways(a) == 0:
			return api.Refuse(api.CodeConflict, "%s has no way in; a reset gives a link by which they choose one", a.Name)
		}
		t.audit(actor, "administrator.enable", adminActor(a.Name), nil)
		_, err := t.exec(`UPDATE administrators SET state = $1 WHERE id = $2`, api.AdministratorActive, a.ID.String())
		return err
	})
}

// ways counts the ways in that somebody has.
func ways(a *api.Admin) int {
	n := len(a.Passkeys)
	if a.Password {
		n++
	}
	if a.Provider != "" {
		n++
	}
	return n
}

// ResetAdministrator takes all ways in from an administrator, and gives a link by
// which they choose others. Their sessions end.
func (d *Directory) ResetAdministrator(ctx context.Context, actor, name string) (*api.Invitation, error) {
	invitation, hash := d.newInvitation(api.InvitationLife)
	err := d.changeAdministrator(ctx, name, func(t *transaction, a *api.Admin) error {
		t.audit(actor, "administrator.reset", adminActor(a.Name), nil)
		if err := t.takeWays(a.ID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE administrators SET state = $1 WHERE id = $2`, api.AdministratorInvited, a.ID.String()); err != nil {
			return err
		}
		if err := errors.Join(t.endConsoleSessions(a.ID, uuid.Nil), t.addInvitation(hash, a.ID, invitation)); err != nil {
			return err
		}
		var err error
		invitation.Administrator, err = d.findAdministrator(ctx, t, a.ID.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return invitation, nil
}

// takeWays takes all ways in from an administrator.
func (t *transaction) takeWays(id uuid.UUID) error {
	if _, err := t.exec(`DELETE FROM passkeys WHERE administrator = $1`, id.String()); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE administrators SET issuer = '', subject = '', password = '', totp = $1, totp_step = 0, recovery = '[]', failures = 0, locked_until = 0 WHERE id = $2`,
		[]byte{}, id.String())
	return err
}

// addAdministrator writes a new administrator down, who has no way in yet.
func (t *transaction) addAdministrator(a *api.Admin) error {
	n, err := t.exec(`INSERT INTO administrators (id, name, full_name, email, role, state, issuer, subject, password, totp, totp_step, recovery, failures, locked_until, created_at, created_by, signed_in_at)
		VALUES ($1, $2, $3, $4, $5, $6, '', '', '', $7, 0, '[]', 0, 0, $8, $9, 0) ON CONFLICT DO NOTHING`,
		a.ID.String(), a.Name, a.FullName, a.Email, a.Role, a.State, []byte{}, millis(a.CreatedAt), a.CreatedBy)
	if err != nil {
		return fmt.Errorf("adding the administrator: %w", err)
	}
	if n > 0 {
		return nil
	}
	var same int // the attempt before this one was committed, and its answer lost
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM administrators WHERE id = $1`, a.ID.String()).Scan(&same); err != nil || same > 0 {
		return err
	}
	return api.Refuse(api.CodeConflict, "there is an administrator %s already", a.Name)
}
