package directory

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// federatedUser finds, or makes, the user who a provider says has signed in.
// They are known by issuer and subject, and by nothing else: names and addresses
// move from one person to another.
func (d *Directory) federatedUser(ctx context.Context, rp *relyingParty, subject string, c claims) (*api.User, error) {
	person := rp.person(c)
	fresh, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	var user *api.User
	err = d.change(ctx, func(t *transaction) error {
		user, err = t.userOf(rp.Issuer, subject)
		if errors.Is(err, sql.ErrNoRows) {
			person.ID = fresh
			if err = t.hire(rp, subject, person, c); err == nil {
				user, err = t.userOf(rp.Issuer, subject)
			}
			return err
		}
		if err != nil {
			return err
		}
		if user.State != api.UserActive {
			return api.Refuse(api.CodeUserDisabled, "user %s", user.Name)
		}
		return t.refresh(rp, user, person)
	})
	return user, err
}

func (t *transaction) userOf(issuer, subject string) (*api.User, error) {
	return t.d.scanUser(t.QueryRowContext(t.ctx, `SELECT `+userColumns+` FROM users WHERE issuer = $1 AND subject = $2`, issuer, subject))
}

// hire makes a user of who is not known yet, where the provider may do that and
// nobody else is who they would be.
func (t *transaction) hire(rp *relyingParty, subject string, person api.Person, c claims) error {
	unknown := api.Refuse(api.CodeUserUnknown, "nobody is linked to the subject %q of %s", subject, rp.ID)
	name, err := rp.userName(c)
	if err != nil {
		if !rp.CreateUsers {
			return unknown
		}
		return err
	}
	var other string
	err = t.QueryRowContext(t.ctx, `SELECT name FROM users WHERE (name = $1 OR email = $2 AND email <> '') AND (issuer <> $3 OR subject <> $4)`,
		name, person.Email, rp.Issuer, subject).Scan(&other)
	if err == nil {
		return api.Refuse(api.CodeUserTaken, "the subject %q of %s would be %s <%s>; the user %s has the name or the address", subject, rp.ID, name, person.Email, other)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if !rp.CreateUsers {
		return unknown
	}
	person.Name = name
	actor := "provider:" + rp.ID
	err = t.addUser(api.User{Person: person, State: api.UserActive, CreatedAt: t.d.now(), CreatedBy: actor}, "", rp.Issuer, subject)
	if errors.Is(err, api.CodeConflict) {
		return errAgain // somebody was faster: the next attempt sees who
	}
	t.audit(actor, "user.create", "user:"+person.ID.String(), map[string]any{"name": name, "issuer": rp.Issuer, "subject": subject})
	return err
}

// refresh keeps up with what the provider says of a user: people marry, and
// change domains. Their name, by which devices know them, stays.
func (t *transaction) refresh(rp *relyingParty, u *api.User, person api.Person) error {
	var others int
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM users WHERE email = $1 AND email <> '' AND id <> $2`, person.Email, u.ID.String()).Scan(&others); err != nil {
		return err
	}
	next := u.Person
	if person.Email != "" && others == 0 {
		next.Email = person.Email
	}
	if person.FullName != "" {
		next.FullName = person.FullName
	}
	if next == u.Person {
		return nil
	}
	u.Person = next
	t.audit("provider:"+rp.ID, "user.update", "user:"+u.ID.String(), map[string]any{"name": u.Name, "email": u.Email, "fullName": u.FullName})
	if _, err := t.exec(`UPDATE users SET email = $1, full_name = $2, words = $3 WHERE id = $4`, u.Email, u.FullName, userWords(&u.Person), u.ID.String()); err != nil {
		return err
	}
	return t.enlistUser(u.ID)
}
