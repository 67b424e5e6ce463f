package sheet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"firstday.dev/api"
)

// ErrUsers: a list of users cannot be read.
var ErrUsers = errors.New("the list of users is not usable")

// MaxUsers bounds how many users a list has.
const MaxUsers = 10_000

// User is a line of a list of users.
type User struct {
	Line int // in which it begins, from 1
	api.NewUser
}

// userColumns are what columns of a list of users are called.
var userColumns = []string{"name", "email", "fullName", "password"}

// Users reads a list of users. Its first line names the columns: name, and any of
// email, fullName and password. Whether a user makes sense, [api.NewUser.Check] tells.
// Errors wrap [ErrUsers].
func Users(r io.Reader) ([]User, error) {
	text, err := readText(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrUsers)
	}
	rows, err := readRows(text, MaxUsers+1)
	if errors.Is(err, errMany) {
		return nil, fmt.Errorf("there are more than %d users: %w", MaxUsers, ErrUsers)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrUsers)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the file is empty: %w", ErrUsers)
	}
	columns := rows[0].cells
	if err := checkColumns(columns); err != nil {
		return nil, fmt.Errorf("line %d: %w: %w", rows[0].line, err, ErrUsers)
	}
	users := make([]User, 0, len(rows)-1)
	for _, row := range rows[1:] {
		if len(row.cells) != len(columns) {
			return nil, fmt.Errorf("line %d: %d columns, the first line names %d: %w", row.line, len(row.cells), len(columns), ErrUsers)
		}
		users = append(users, User{row.line, userOf(columns, row.cells)})
	}
	return users, nil
}

// checkColumns refuses a first line that does not say what is what.
func checkColumns(columns []string) error {
	for i, column := range columns {
		columns[i] = strings.TrimSpace(column)
		if !slices.Contains(userColumns, columns[i]) {
			return fmt.Errorf("column %.40q is none of name, email, fullName and password", column)
		}
		if slices.Contains(columns[:i], columns[i]) {
			return fmt.Errorf("two columns are called %s", columns[i])
		}
	}
	if !slices.Contains(columns, "name") {
		return errors.New("no column is called name")
	}
	return nil
}

func userOf(columns, cells []string) (u api.NewUser) {
	for i, column := range columns {
		switch column {
		case "name":
			u.Name = cells[i]
		case "email":
			u.Email = cells[i]
		case "fullName":
			u.FullName = cells[i]
		case "password":
			u.Password = api.Secret(cells[i])
		}
	}
	u.Normalise()
	return u
}
