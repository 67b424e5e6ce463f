package console

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"

	"firstday.dev/api"
	"firstday.dev/internal/sheet"
)

// Bounds of a list of users here: all of them are to be there before the browser
// gives up waiting. The command line takes more.
const (
	maxImport          = 2000
	maxImportPasswords = 50 // of their own, which are slow to keep
)

func (c *Console) askImport(*visit) (*page, error) {
	return &page{Title: "Import users", Up: upToUsers, Template: "userimport", Data: "name, email, fullName, password"}, nil
}

// readImport reads a list of users.
func readImport(data []byte) ([]sheet.User, []api.NewUser, error) {
	list, err := sheet.Users(bytes.NewReader(data))
	if err != nil {
		return nil, nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	users, passwords := make([]api.NewUser, len(list)), 0
	for i, u := range list {
		users[i] = u.NewUser
		if u.Password != "" {
			passwords++
		}
	}
	if len(users) > maxImport || passwords > maxImportPasswords {
		return nil, nil, api.Refuse(api.CodeTooLarge, "%d users, %d of them with passwords; at most %d and %d are imported here, more by: firstday user import", len(users), passwords, maxImport, maxImportPasswords)
	}
	return list, users, nil
}

// checkedUser is a line of a list, and what making the user would come to.
type checkedUser struct {
	Line int
	*api.UserCheck
}

// checkedImport is a list that was looked at, with what is wrong first.
type checkedImport struct {
	Rows   []checkedUser
	Wrong  int
	Sealed string // what the browser sends back
}

// Right is how many users there would be.
func (i checkedImport) Right() int { return len(i.Rows) - i.Wrong }

// checkImport tells what an import would come to, and does nothing.
func (c *Console) checkImport(v *visit) (*page, error) {
	form, _ := c.askImport(v)
	data, err := v.listOf("list", "file")
	if err != nil {
		return v.again(form, err)
	}
	if len(data) == 0 {
		v.wrong("file", "Choose a file, or paste a list.")
		return v.again(form, nil)
	}
	p, err := c.checkedImport(v, data)
	if err != nil {
		return v.again(form, err)
	}
	return p, nil
}

func (c *Console) checkedImport(v *visit, data []byte) (*page, error) {
	list, users, err := readImport(data)
	if err != nil {
		return nil, err
	}
	checks, err := c.directory.CheckUsers(v.Context(), users)
	if err != nil {
		return nil, err
	}
	checked := checkedImport{Sealed: c.directory.SealImport(v.Session.ID, data)}
	for i, check := range checks {
		checked.Rows = append(checked.Rows, checkedUser{list[i].Line, check})
		if check.Code != "" {
			checked.Wrong++
		}
	}
	slices.SortStableFunc(checked.Rows, func(a, b checkedUser) int {
		switch {
		case (a.Code != "") == (b.Code != ""):
			return 0
		case a.Code != "":
			return -1
		}
		return 1
	})
	return &page{Title: "What the import would do", Up: link{pathUsers + "/import", "Import users"}, Template: "userchecked", Data: checked}, nil
}

// importUsers makes the users that were checked, all of them or none. Where somebody
// was faster, it shows what is wrong by now.
func (c *Console) importUsers(v *visit) (*page, error) {
	data, err := c.directory.OpenImport(v.Session.ID, v.form("checked"))
	if err != nil {
		return nil, err
	}
	_, users, err := readImport(data)
	if err != nil {
		return nil, err
	}
	created, err := c.directory.CreateUsers(v.Context(), v.actor(), users)
	if err != nil {
		again, _ := c.checkedImport(v, data)
		return v.again(again, err)
	}
	return &page{Title: "The users are there", Up: upToUsers, Template: "userimported", Data: importedUsers(created)}, nil
}

// importedUsers are new users, with the passwords that were made for them.
type importedUsers []*api.CreatedUser

// CSV is a list of names and temporary passwords, as the command line gives it; empty:
// all came with their own.
func (l importedUsers) CSV() (string, error) {
	var out strings.Builder
	w := csv.NewWriter(&out)
	given := [][]string{{"name", "password"}}
	for _, u := range l {
		if u.Password != "" {
			given = append(given, []string{u.Name, u.Password.Reveal()})
		}
	}
	if len(given) == 1 {
		return "", nil
	}
	err := w.WriteAll(given)
	return out.String(), err
}
