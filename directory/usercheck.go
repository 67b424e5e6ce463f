package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"firstday.dev/api"
)

// CheckUsers tells what [Directory.CreateUsers] would say to each of the users, and
// makes none.
func (d *Directory) CheckUsers(ctx context.Context, list []api.NewUser) ([]*api.UserCheck, error) {
	if len(list) == 0 || len(list) > maxImport {
		return nil, api.Refuse(api.CodeBadRequest, "%d users, from 1 to %d are allowed", len(list), maxImport)
	}
	list = slices.Clone(list)
	checks := make([]*api.UserCheck, len(list))
	first := make(map[string]int) // row in which a name or an address is
	for i := range list {
		n := &list[i]
		n.Normalise()
		c := &api.UserCheck{Row: i + 1, Name: cut(n.Name, maxLabel), Email: cut(n.Email, maxLabel)}
		checks[i] = c
		if err := n.Check(); err != nil {
			c.Code, c.Detail = api.CodeBadRequest, err.Error()
			continue
		}
		for _, key := range loginsOf(n) {
			if row := first[key]; row != 0 {
				c.Code, c.Detail = api.CodeConflict, fmt.Sprintf("row %d has the same name or address", row)
			} else {
				first[key] = i + 1
			}
		}
	}
	taken, err := d.takenLogins(ctx, list, checks)
	if err != nil {
		return nil, err
	}
	for i, c := range checks {
		for _, key := range loginsOf(&list[i]) {
			if c.Code == "" && taken[key] {
				c.Code, c.Detail = api.CodeConflict, "somebody has the name or the address already"
			}
		}
	}
	return checks, nil
}

// loginsOf gives what no two users have the same of. An address has an @, and a name
// has not.
func loginsOf(n *api.NewUser) []string {
	if n.Email == "" {
		return []string{n.Name}
	}
	return []string{n.Name, n.Email}
}

// takenLogins gives which names and addresses users have, of those that make sense.
func (d *Directory) takenLogins(ctx context.Context, list []api.NewUser, checks []*api.UserCheck) (map[string]bool, error) {
	const most = 1000 // values of a statement
	var ask []string
	for i, c := range checks {
		if c.Code == "" {
			ask = append(ask, loginsOf(&list[i])...)
		}
	}
	taken := make(map[string]bool)
	for batch := range slices.Chunk(ask, most) {
		marks, values := placeholders(batch)
		for _, column := range []string{"name", "email"} {
			found, err := readRows(ctx, d.store.read, scanText, `SELECT `+column+` FROM users WHERE `+column+` IN (`+marks+`)`, values...)
			if err != nil {
				return nil, err
			}
			for _, text := range found {
				taken[text] = true
			}
		}
	}
	return taken, nil
}

// placeholders gives $1, $2 … and what they stand for.
func placeholders[T any](list []T) (marks string, values []any) {
	var all []string
	for i, v := range list {
		all, values = append(all, fmt.Sprintf("$%d", i+1)), append(values, v)
	}
	return strings.Join(all, ", "), values
}

// ResetFactors takes a user's second factor and recovery codes away. The password
// stays; the next sign-in sets up another one, where the settings want it.
func (d *Directory) ResetFactors(ctx context.Context, actor, name string) (*api.User, error) {
	var out *api.User
	err := d.changeUser(ctx, name, func(t *transaction, u *api.User) error {
		out = u
		switch {
		case u.Provider != "":
			return api.Refuse(api.CodeConflict, "%s signs in with %s, which has the second factor", u.Name, u.Provider)
		case !u.TOTP:
			return nil
		}
		u.TOTP = false
		t.audit(actor, "user.reset-factors", "user:"+u.ID.String(), map[string]any{"name": u.Name})
		// Browsers in the middle of a sign-in begin again: some have proved what is
		// no proof any more.
		if _, err := t.exec(`DELETE FROM page_sessions WHERE user_id = $1`, u.ID.String()); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE users SET totp = $1, totp_step = 0, recovery = '[]' WHERE id = $2`, []byte{}, u.ID.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UserDevices gives the devices that a user has or had, those that they have first.
func (d *Directory) UserDevices(ctx context.Context, name string) ([]*api.UserDevice, error) {
	u, err := d.FindUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return readRows(ctx, d.store.read, func(row scanner) (*api.UserDevice, error) {
		v := &api.UserDevice{Binding: api.Binding{User: u.Person}}
		b := &v.Binding
		var seen, changed int64
		err := row.Scan(&v.ID, &v.State, &v.Platform, &v.Name, &v.Serial, &seen, &b.State, &b.Account, &b.AccountID, &changed, &b.ChangedBy)
		v.SeenAt, b.ChangedAt = fromMillis(seen), fromMillis(changed)
		return v, err
	}, `SELECT d.id, d.state, d.platform, d.name, d.serial, d.seen_at, b.state, b.account, b.account_id, b.changed_at, b.changed_by
		FROM bindings b JOIN devices d ON d.id = b.device WHERE b.user_id = $1 ORDER BY CASE WHEN b.slot IS NULL THEN 1 ELSE 0 END, b.changed_at DESC, d.id LIMIT $2`, u.ID.String(), maxUserDevices)
}

// maxUserDevices bounds a list that no person makes long.
const maxUserDevices = 500
