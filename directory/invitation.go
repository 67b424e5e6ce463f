package directory

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// invitationPrefix tells people, and those who search for secrets that got lost,
// what it is.
const invitationPrefix = "fdi_"

// pathWelcome is where links lead.
const pathWelcome = api.PathConsole + "welcome/"

// newInvitation makes a link that is not written down yet.
func (d *Directory) newInvitation(life time.Duration) (*api.Invitation, []byte) {
	secret, hash := newSecret(invitationPrefix)
	return &api.Invitation{
		Secret: secret, Link: api.Secret(d.PagesURL + pathWelcome + secret.Reveal()),
		ExpiresAt: d.now().Add(life).Truncate(time.Millisecond),
	}, hash
}

// addInvitation writes a link down. The one that its administrator had before
// ends; those of a first owner hold side by side, one of each replica.
func (t *transaction) addInvitation(hash []byte, administrator uuid.UUID, i *api.Invitation) error {
	now := t.d.now()
	if _, err := t.exec(`DELETE FROM invitations WHERE expires_at <= $1`, millis(now)); err != nil {
		return err
	}
	if administrator != uuid.Nil {
		if err := t.endInvitations(administrator); err != nil {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO invitations (hash, administrator, created_at, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		hash, uuidText(administrator), millis(now), millis(i.ExpiresAt))
	return err
}

func (t *transaction) endInvitations(administrator uuid.UUID) error {
	_, err := t.exec(`DELETE FROM invitations WHERE administrator = $1`, uuidText(administrator))
	return err
}

// InviteAdministrator gives a link by which somebody becomes an administrator.
// Who was invited before, and has not come yet, gets another link.
func (d *Directory) InviteAdministrator(ctx context.Context, actor string, n api.NewAdministrator) (*api.Invitation, error) {
	n.Normalise()
	if err := n.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	invitation, hash := d.newInvitation(api.InvitationLife)
	fresh := &api.Admin{ID: id, Name: n.Name, FullName: n.FullName, Email: n.Email, Role: n.Role, State: api.AdministratorInvited, CreatedAt: d.now(), CreatedBy: actor}
	err = d.change(ctx, func(t *transaction) error {
		a, err := d.findAdministrator(ctx, t, n.Name)
		switch {
		case errors.Is(err, api.CodeNotFound):
			a, err = fresh, t.addAdministrator(fresh)
		case err == nil && a.State != api.AdministratorInvited:
			return api.Refuse(api.CodeConflict, "there is an administrator %s already, who is %s", a.Name, a.State)
		case err == nil:
			a.FullName, a.Email, a.Role = n.FullName, n.Email, n.Role
			_, err = t.exec(`UPDATE administrators SET full_name = $1, email = $2, role = $3 WHERE id = $4`, n.FullName, n.Email, n.Role, a.ID.String())
		}
		if err != nil {
			return err
		}
		invitation.Administrator = a
		t.audit(actor, "administrator.invite", adminActor(a.Name), map[string]any{"role": a.Role, "until": invitation.ExpiresAt})
		return t.addInvitation(hash, a.ID, invitation)
	})
	if err != nil {
		return nil, err
	}
	return invitation, nil
}

// InviteFirstOwner gives a link by which somebody becomes the first owner, while
// no owner can sign in; else nil. Who has the directory's folder is never locked
// out.
func (d *Directory) InviteFirstOwner(ctx context.Context) (*api.Invitation, error) {
	invitation, hash := d.newInvitation(api.FirstInvitationLife)
	there := false
	err := d.change(ctx, func(t *transaction) error {
		n, err := activeOwners(ctx, t)
		if there = n > 0; err != nil || there {
			return err
		}
		t.audit("system", "administrator.invite", "administrator", map[string]any{"role": api.Owner, "until": invitation.ExpiresAt})
		return t.addInvitation(hash, uuid.Nil, invitation)
	})
	if err != nil || there {
		return nil, err
	}
	return invitation, nil
}

// invited is what a link says of who may join by it.
type invited struct {
	hash          []byte
	administrator *api.Admin // nil: the first owner
}

// Invited tells whom a link is for; nil: the first owner. Looking at it does not
// use it up: mail programs look at links, too.
func (d *Directory) Invited(r *http.Request, secret api.Secret) (*api.Admin, error) {
	i, err := d.readInvitation(r.Context(), d.store.read, secretHash(secret))
	if errors.Is(err, api.CodeInvitation) {
		return nil, d.strangers.guessed(addressKey(remote(r)), err)
	}
	if err != nil {
		return nil, err
	}
	return i.administrator, nil
}

// readInvitation finds a link that holds.
func (d *Directory) readInvitation(ctx context.Context, q queriers, hash []byte) (*invited, error) {
	ended := api.Refuse(api.CodeInvitation, "no link that holds")
	i := &invited{hash: hash}
	var id string
	err := q.QueryRowContext(ctx, `SELECT administrator FROM invitations WHERE hash = $1 AND expires_at > $2`, hash, millis(d.now())).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ended
	}
	if err != nil {
		return nil, err
	}
	if id == "" {
		n, err := activeOwners(ctx, q)
		if err == nil && n > 0 {
			return nil, ended
		}
		return i, err
	}
	if i.administrator, err = d.findAdministrator(ctx, q, id); err == nil && i.administrator.State != api.AdministratorInvited {
		return nil, ended
	}
	return i, err
}

// newcomer is who joins by a link: for the first owner, who they say they are.
type newcomer struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	FullName string    `json:"fullName,omitempty"`
	Link     []byte    `json:"link"` // hash of its secret
}

// welcome says who joins by a link.
func (d *Directory) welcome(ctx context.Context, secret api.Secret, name, fullName string) (*newcomer, error) {
	hash := secretHash(secret)
	i, err := d.readInvitation(ctx, d.store.read, hash)
	if err != nil {
		return nil, err
	}
	if a := i.administrator; a != nil {
		return &newcomer{a.ID, a.Name, a.FullName, hash}, nil
	}
	first := &api.NewAdministrator{Name: name, FullName: fullName, Role: api.Owner}
	first.Normalise()
	if err := first.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if _, err := d.FindAdministrator(ctx, first.Name); !errors.Is(err, api.CodeNotFound) {
		if err == nil {
			err = api.Refuse(api.CodeConflict, "there is an administrator %s already", first.Name)
		}
		return nil, err
	}
	id, err := uuid.NewV7()
	return &newcomer{id, first.Name, first.FullName, hash}, err
}

// join uses a link up: its administrator is active from now on, by the way in
// that the same transaction adds.
func (t *transaction) join(n *newcomer, way api.Way, address string) error {
	if err := t.alone(); err != nil {
		return err
	}
	i, err := t.d.readInvitation(t.ctx, t, n.Link)
	if err != nil {
		return err
	}
	if i.administrator == nil {
		first := &api.Admin{ID: n.ID, Name: n.Name, FullName: n.FullName, Role: api.Owner, State: api.AdministratorActive, CreatedAt: t.d.now(), CreatedBy: "system"}
		if err := t.addAdministrator(first); err != nil {
			return err
		}
	} else if _, err := t.exec(`UPDATE administrators SET state = $1 WHERE id = $2`, api.AdministratorActive, n.ID.String()); err != nil {
		return err
	}
	t.audit(adminActor(n.Name), "administrator.join", adminActor(n.Name), map[string]any{"way": way, "address": address})
	_, err = t.exec(`DELETE FROM invitations WHERE hash = $1 OR administrator = $2`, n.Link, n.ID.String())
	return err
}
