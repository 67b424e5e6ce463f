package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// PathConsole is where administrators find the console.
const PathConsole = "/console/"

// AdministratorState is whether an administrator may sign in.
type AdministratorState string

// The states of administrators.
const (
	AdministratorInvited  AdministratorState = "invited" // has yet to choose how to sign in
	AdministratorActive   AdministratorState = "active"
	AdministratorDisabled AdministratorState = "disabled"
)

// AdministratorRoles are those that people may have. Builders are machines, with
// tokens.
var AdministratorRoles = []Role{Owner, Technician, Auditor}

// Admin is an administrator: somebody who may sign in to the console.
type Admin struct {
	ID       uuid.UUID          `json:"id"`
	Name     string             `json:"name"` // in the audit log it stands as admin:NAME
	FullName string             `json:"fullName,omitempty"`
	Email    string             `json:"email,omitempty"`
	Role     Role               `json:"role"`
	State    AdministratorState `json:"state"`
	// Provider is the issuer of who may sign in elsewhere.
	Provider    string    `json:"provider,omitempty"`
	Passkeys    []Passkey `json:"passkeys,omitempty"`
	Password    bool      `json:"password"` // whether there is one, with a second factor
	TOTP        bool      `json:"totp"`
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	SignedInAt  time.Time `json:"signedInAt,omitzero"`
	LockedUntil time.Time `json:"lockedUntil,omitzero"` // the password, after too many wrong ones
}

// Shown is how people call the administrator.
func (a *Admin) Shown() string {
	if a.FullName != "" {
		return a.FullName
	}
	return a.Name
}

// Passkey is a key pair by which an administrator signs in; the private half is
// theirs.
type Passkey struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	UsedAt    time.Time `json:"usedAt,omitzero"`
}

// NewAdministrator asks for an administrator.
type NewAdministrator struct {
	Name     string `json:"name"`
	FullName string `json:"fullName,omitempty"`
	Email    string `json:"email,omitempty"`
	Role     Role   `json:"role"`
}

// Normalise brings name and address to the form in which they are told apart.
func (n *NewAdministrator) Normalise() {
	n.Name = strings.ToLower(strings.TrimSpace(n.Name))
	n.Email = strings.ToLower(strings.TrimSpace(n.Email))
	n.FullName = strings.TrimSpace(n.FullName)
}

// Check refuses an administrator that makes no sense. Errors name the field.
func (n *NewAdministrator) Check() error {
	if err := n.Role.CheckAdministrator(); err != nil {
		return err
	}
	return (&NewUser{Name: n.Name, Email: n.Email, FullName: n.FullName}).Check()
}

// CheckAdministrator refuses roles that no person has.
func (r Role) CheckAdministrator() error {
	if !slices.Contains(AdministratorRoles, r) {
		return fmt.Errorf("role: %.20q is none of %v", string(r), AdministratorRoles)
	}
	return nil
}

// NewRole asks for another role.
type NewRole struct {
	Role Role `json:"role"`
}

// Lives of links, in which somebody must choose how to sign in.
const (
	InvitationLife      = 24 * time.Hour
	FirstInvitationLife = time.Hour
)

// Invitation is a link that is good once. Nobody can ask for it again.
type Invitation struct {
	Administrator *Admin    `json:"administrator,omitempty"` // nil: the first owner, who says who they are
	Secret        Secret    `json:"secret"`
	Link          Secret    `json:"link"` // the whole address, with the secret in it
	ExpiresAt     time.Time `json:"expiresAt"`
}

// Way is how an administrator proves who they are.
type Way string

// The ways.
const (
	WayPasskey  Way = "passkey"
	WayPassword Way = "password" // with a second factor
	WayProvider Way = "provider"
)

// ConsoleSession is a browser in which an administrator is signed in.
type ConsoleSession struct {
	ID       uuid.UUID `json:"id"`
	Way      Way       `json:"way"`
	Address  string    `json:"address"`
	Browser  string    `json:"browser,omitempty"` // as it calls itself
	BeganAt  time.Time `json:"beganAt"`
	UsedAt   time.Time `json:"usedAt"`            // to the minute
	ProvedAt time.Time `json:"provedAt,omitzero"` // when it was proved last who sits there
	EndsAt   time.Time `json:"endsAt"`            // at the latest
}

// How long sessions hold.
const (
	ConsoleIdle  = 30 * time.Minute // without use
	ConsoleLife  = 12 * time.Hour
	ConsoleProof = 15 * time.Minute // within which no other proof is asked for
)

// maxPasskeyName bounds what people call their passkeys, in characters.
const maxPasskeyName = 60

// CheckPasskeyName refuses a name that makes no sense.
func CheckPasskeyName(name string) error {
	if strings.TrimSpace(name) == "" || !PlainText(name) || len([]rune(name)) > maxPasskeyName {
		return fmt.Errorf("name: missing, longer than %d characters, or no plain text", maxPasskeyName)
	}
	return nil
}

// CheckWay refuses what is no way.
func (w Way) CheckWay() error {
	if w != WayPasskey && w != WayPassword && w != WayProvider {
		return errors.New("way: none of passkey, password and provider")
	}
	return nil
}
