package api

import (
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// UserState is whether a user may sign in.
type UserState string

// The states of users.
const (
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
)

// User is somebody whom the directory knows.
type User struct {
	Person
	State UserState `json:"state"`
	// Provider is the issuer of who signs in elsewhere; empty: the directory has
	// their password.
	Provider string `json:"provider,omitempty"`
	TOTP     bool   `json:"totp"` // whether a second factor is set up
	// Temporary: the password is one that IT knows, and is changed at the next
	// sign-in.
	Temporary   bool      `json:"temporary,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	SignedInAt  time.Time `json:"signedInAt,omitzero"`
	LockedUntil time.Time `json:"lockedUntil,omitzero"` // after too many wrong passwords
}

// UserQuery asks for users, by name. Zero: all of them.
type UserQuery struct {
	// Text is words, each of which a user has in their name, e-mail address or full
	// name.
	Text  string
	State UserState // empty: either
	After string    // the name that the page follows on; empty: the first page
	Limit int       // 0: as many as a page holds
}

// Check refuses what is no question.
func (q *UserQuery) Check() error {
	switch {
	case len(q.Text) > maxSearchText || !PlainText(q.Text):
		return fmt.Errorf("text: longer than %d bytes, or no plain text", maxSearchText)
	case len(strings.Fields(q.Text)) > maxSearchWords:
		return fmt.Errorf("text: more than %d words", maxSearchWords)
	case q.State != "" && q.State != UserActive && q.State != UserDisabled:
		return fmt.Errorf("state %.20q is neither active nor disabled", string(q.State))
	case !PlainText(q.After):
		return errors.New("the place in the list is none")
	}
	return nil
}

// UserSignIn is what became of a user's sign-in on a device.
type UserSignIn struct {
	Time     time.Time `json:"time"`
	Device   uuid.UUID `json:"device"`
	Name     string    `json:"name"` // the device's
	Platform Platform  `json:"platform"`
	Code     Code      `json:"code,omitempty"` // why it did not succeed; empty: it did
}

// NewUser asks for a user whose password the directory has. It is temporary.
type NewUser struct {
	Name     string `json:"name"` // to sign in with
	Email    string `json:"email,omitempty"`
	FullName string `json:"fullName,omitempty"`
	Password Secret `json:"password,omitempty"` // empty: one is made
}

// CreatedUser is a new user with the password to hand over, if one was made.
type CreatedUser struct {
	User
	Password Secret `json:"password,omitempty"`
}

// MinPassword is how long passwords of the directory are, in characters (NIST SP
// 800-63B-4 §3.1.1.2 wants 15 where there is no second factor, 8 where there is).
const MinPassword = 12

// maxUserName bounds names, in bytes.
const maxUserName = 64

var userName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// Normalise brings name and address to the form in which they are told apart.
func (u *NewUser) Normalise() {
	u.Name = strings.ToLower(strings.TrimSpace(u.Name))
	u.Email = strings.ToLower(strings.TrimSpace(u.Email))
	u.FullName = strings.TrimSpace(u.FullName)
}

// Check refuses a user that makes no sense. Errors name the field.
func (u *NewUser) Check() error {
	switch {
	case !userName.MatchString(u.Name) || len(u.Name) > maxUserName:
		return fmt.Errorf("name: %.70q is not letters, digits, dots, dashes and underscores in lower case, at most %d", u.Name, maxUserName)
	case !PlainText(u.FullName):
		return fmt.Errorf("fullName: longer than %d bytes, or no plain text", maxFact)
	}
	if u.Password != "" {
		if err := CheckPassword(u.Password); err != nil {
			return err
		}
	}
	return u.CheckEmail()
}

// CheckEmail refuses an address that is none.
func (u *NewUser) CheckEmail() error {
	if u.Email == "" {
		return nil
	}
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > maxFact {
		return fmt.Errorf("email: %.70q is no address", u.Email)
	}
	return nil
}

// CheckPassword refuses passwords that are too short, or not to be typed.
func CheckPassword(password Secret) error {
	p := password.Reveal()
	switch {
	case utf8.RuneCountInString(p) < MinPassword:
		return fmt.Errorf("password: fewer than %d characters", MinPassword)
	case len(p) > MaxPassword:
		return fmt.Errorf("password: more than %d bytes", MaxPassword)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return errors.New("password: it holds what cannot be typed")
	}
	return nil
}

// NewUsers asks for several users, all of them or none.
type NewUsers struct {
	Users []NewUser `json:"users"`
}

// BindRequest binds a user to a device, or ends that.
type BindRequest struct {
	User string `json:"user"` // id, name or e-mail address
}

// PlainText tells whether a text can stand in a list of ours.
func PlainText(t string) bool {
	return len(t) <= maxFact && utf8.ValidString(t) && !strings.ContainsFunc(t, unicode.IsControl)
}
