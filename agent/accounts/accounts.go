// Package accounts gives people local accounts of the operating system: it
// makes, finds and changes them with the system's own means.
//
// An account is made in two steps, so that a crash between them leaves nobody
// with half an account: [Store.Create] makes one that nobody can sign in to,
// [Store.Enable] opens it. What Create made bears a tag of the caller's, by
// which the caller knows it again; what bears none, or was ever enabled,
// [Store.Remove] does not touch.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"firstday.dev/agent/securetoken"
)

// Store is the local accounts of one system. [Open] gives the real one,
// [Memory] one for tests.
//
// Changing calls need the most privileged account of the system. They must not
// overlap: the agent is their only caller and does one thing at a time. All but
// Create and CheckFree give ErrNotFound if there is no such account.
type Store interface {
	// Find gives the account of that name, ErrNotFound if there is none.
	Find(ctx context.Context, name string) (*Account, error)
	// List gives the accounts of people, disabled ones too. Those of services
	// and of the system itself are not among them.
	List(ctx context.Context) ([]Account, error)
	// CheckFree gives the error that Create would give for the name now: ErrExists or
	// ErrName.
	CheckFree(ctx context.Context, name string) error
	// Create makes an account that nobody can sign in to before Enable. It gives
	// ErrExists if a user or group has the name already, in whatever case, or a
	// home is left of one who had it; ErrName if the system takes no such name;
	// ErrPassword with the system's reason if it refuses the password. When it
	// fails it takes back what it made. When it is killed, what is left bears the
	// tag, if anything is left, and Remove takes it away.
	Create(ctx context.Context, n New) (*Account, error)
	// Enable lets people sign in. From then on Remove refuses the account.
	Enable(ctx context.Context, name string) error
	// Disable ends that, whatever the password. Sessions that are open stay so.
	Disable(ctx context.Context, name string) error
	// Remove deletes an account that Create made and that was never enabled, with
	// its home. It gives ErrNotOurs for every other.
	Remove(ctx context.Context, name string) error
	// SetAdministrator takes the account into the system's group of
	// administrators, or out of it.
	SetAdministrator(ctx context.Context, name string, administrator bool) error
	// SetPassword sets the password of an account that Create made and that was
	// never enabled. It gives ErrNotOurs for every other: without the old password
	// that loses what the old one protected. Windows: everything under DPAPI,
	// which is saved passwords, Wi-Fi keys, EFS files, browser logins, and the
	// Windows Hello PIN. macOS: the login keychain stays on the old password, and
	// the secure token may go. A person's password is changed with the old one,
	// see [Changer], or by the system.
	SetPassword(ctx context.Context, name string, password []byte) error
	// ResetPassword sets the password of the break-glass administrator, which is
	// nobody's own: the account of that name must have that ID. It gives
	// ErrNotBreakGlass if it has another, is no administrator, or is one that
	// Create made, which is a person's.
	ResetPassword(ctx context.Context, name, id string, password []byte) error
	// SetFullName sets the name people read. What the system cannot store of it
	// is left out.
	SetFullName(ctx context.Context, name, fullName string) error
}

// Changer is a [Store] of a system that changes a person's password as the
// person would, who knows the old one: nothing is lost.
type Changer interface {
	// PasswordWorks tells whether the password is that of the account, which need
	// not be enabled. A wrong one counts with the system.
	PasswordWorks(ctx context.Context, name string, password []byte) (bool, error)
	// ChangePassword gives an enabled account another password. It gives
	// ErrPassword if the system refuses the new one, or the old one is wrong.
	ChangePassword(ctx context.Context, name string, old, password []byte) error
}

// TokenGiver is a [Store] of a system whose accounts need a secure token to unlock
// the disk and to approve updates: that of macOS.
type TokenGiver interface {
	// GiveToken lets the system give one to an enabled account, whose password it
	// is, if there is a way that costs nobody anything. It gives how the account
	// stands afterwards, as the system tells, and an error if that is not all that
	// there is to know. Empty: accounts of the system have none.
	GiveToken(ctx context.Context, name string, password []byte) (securetoken.State, error)
	// TokenStates tells how accounts stand. Those that are not there are left out.
	// An error says what is not known; the states hold all the same.
	TokenStates(ctx context.Context, names []string) ([]AccountToken, error)
	// Tokens is all that the system says of them, for a diagnosis; nil if accounts
	// of the system have none.
	Tokens(ctx context.Context) (*securetoken.Mac, error)
}

// AccountToken is how an account stands.
type AccountToken struct {
	Account string            `json:"account"`
	State   securetoken.State `json:"state"`
}

// Errors of a [Store], which wrap more words.
var (
	ErrNotFound = errors.New("no such account")
	ErrExists   = errors.New("the name is taken")
	ErrName     = errors.New("not a name for an account")
	ErrPassword = errors.New("the system refuses the password")
	// ErrGroup: the system lacks a group that every one has.
	ErrGroup = errors.New("a group of the system's is missing")
	// ErrDenied: the agent may not do this to the account.
	ErrDenied = errors.New("the system does not let the agent do it")
	ErrFull   = errors.New("the disk is full")
	// ErrLocked: too many wrong passwords were typed; a right one is not looked at
	// for now.
	ErrLocked = errors.New("the account is locked for a while")
	// ErrNotOurs: Create did not make the account, or it was enabled since.
	ErrNotOurs = errors.New("not an unused account of ours")
	// ErrNotBreakGlass: the account is another one than the break-glass
	// administrator.
	ErrNotBreakGlass = errors.New("not the break-glass administrator")
)

// Account is what the system knows of an account.
type Account struct {
	// ID is never that of another account: a SID on Windows, a GeneratedUID on
	// macOS. On Linux it is the user number, which is given away again when the
	// account is gone.
	ID            string
	Name          string
	FullName      string
	Administrator bool // a direct member of the group
	Disabled      bool
	// Tag is that of [New], empty for accounts that Create did not make.
	Tag string
	// Unused: Create made it, and it was never enabled since.
	Unused bool
	Home   string // empty as long as there is none, on Windows
	// Hidden: the system's own sign-in screen leaves the account out. macOS only.
	Hidden bool
}

// New says what account to make.
type New struct {
	Name          string // CheckName tells which
	FullName      string // as SetFullName takes it
	Password      []byte // the caller's to wipe
	Administrator bool
	// Tag is kept with the account where any user can read it: 1 to 64 ASCII
	// letters, digits and hyphens.
	Tag string
}

// check refuses what no system of the platform takes.
func (n *New) check(p platform) error {
	if err := p.checkName(n.Name); err != nil {
		return err
	}
	if !tagPattern.MatchString(n.Tag) {
		return fmt.Errorf("tag %.80q is not 1 to 64 letters, digits and hyphens", n.Tag)
	}
	return p.checkPassword(n.Password)
}

var tagPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// What is stored of a tag, be it in a comment, an attribute or a GECOS field.
const (
	markPrefix = "firstday/"
	unusedMark = "/unused"
)

func mark(tag string, unused bool) string {
	if unused {
		return markPrefix + tag + unusedMark
	}
	return markPrefix + tag
}

// readMark gives no tag for a comment that mark did not make.
func readMark(s string) (tag string, unused bool) {
	s, ours := strings.CutPrefix(s, markPrefix)
	tag, unused = strings.CutSuffix(s, unusedMark)
	if !ours || !tagPattern.MatchString(tag) {
		return "", false
	}
	return tag, unused
}

// unusedOfOurs refuses an account that Remove and SetPassword must not touch.
func (a *Account) unusedOfOurs() error {
	if a.Tag == "" || !a.Unused {
		return fmt.Errorf("account %s: %w", a.Name, ErrNotOurs)
	}
	return nil
}

// mayReset refuses an account that ResetPassword must not touch.
func (a *Account) mayReset(id string) error {
	why := ""
	switch {
	case a.ID != id:
		why = "it is another account of that name"
	case a.Tag != "":
		why = "it is a person's"
	case !a.Administrator:
		why = "it is no administrator"
	default:
		return nil
	}
	return fmt.Errorf("account %s: %w: %s", a.Name, ErrNotBreakGlass, why)
}

func notFound(name string) error { return fmt.Errorf("account %.64q: %w", name, ErrNotFound) }

func taken(name, by string) error {
	return fmt.Errorf("account %s: %w: %s", name, ErrExists, by)
}
