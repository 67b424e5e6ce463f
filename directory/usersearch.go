package directory

import (
	"context"
	"fmt"
	"strings"

	"firstday.dev/api"
)

// UserPage is how many users a page of the list holds at most.
const UserPage = 200

// Users lists users by name, those after the one named, at most [UserPage].
func (d *Directory) Users(ctx context.Context, after string) ([]*api.User, error) {
	return d.SearchUsers(ctx, api.UserQuery{After: after})
}

// SearchUsers gives a page of the users that are as the query says.
func (d *Directory) SearchUsers(ctx context.Context, q api.UserQuery) ([]*api.User, error) {
	if err := q.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if q.Limit <= 0 || q.Limit > UserPage {
		q.Limit = UserPage
	}
	values := []any{q.After, q.Limit}
	value := func(v any) string {
		values = append(values, v)
		return fmt.Sprintf("$%d", len(values))
	}
	where := "name > $1"
	if q.State != "" {
		where += " AND state = " + value(q.State)
	}
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		where += " AND words LIKE " + value("%"+literal.Replace(word)+"%") + ` ESCAPE '\'`
	}
	return readRows(ctx, d.store.read, d.scanUser, `SELECT `+userColumns+` FROM users WHERE name IN (SELECT name FROM users WHERE `+where+` ORDER BY name LIMIT $2) ORDER BY name`, values...)
}

// userWords is what a user is searched by.
func userWords(p *api.Person) string {
	return folded(strings.Join([]string{p.Name, p.Email, p.FullName}, "\n"), maxFleetWords)
}

// fillUsers makes users known to searches that an older version, or a replica of one,
// made.
func (d *Directory) fillUsers(ctx context.Context) error {
	for {
		list, err := readRows(ctx, d.store.read, d.scanUser, `SELECT `+userColumns+` FROM users WHERE words = '' LIMIT $1`, fillBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := d.change(ctx, func(t *transaction) error {
			for _, u := range list {
				if _, err := t.exec(`UPDATE users SET words = $1 WHERE id = $2 AND words = ''`, userWords(&u.Person), u.ID.String()); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}

// maxUserSignIns bounds a list that goes on for as long as somebody works here.
const maxUserSignIns = 50

// UserSignIns gives what became of a user's last sign-ins on devices, the last first.
func (d *Directory) UserSignIns(ctx context.Context, name string) ([]*api.UserSignIn, error) {
	u, err := d.FindUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return readRows(ctx, d.store.read, func(row scanner) (*api.UserSignIn, error) {
		s := new(api.UserSignIn)
		var at int64
		err := row.Scan(&at, &s.Device, &s.Name, &s.Platform, &s.Code)
		s.Time = fromMillis(at)
		return s, err
	}, `SELECT e.at, e.device, d.name, d.platform, e.code FROM device_events e JOIN devices d ON d.id = e.device
		WHERE e.kind = 'sign-in' AND e.actor = $1 ORDER BY e.at DESC, e.number DESC LIMIT $2`, "user:"+u.ID.String(), maxUserSignIns)
}
