package accounts

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"firstday.dev/internal/statefile"
)

// The names of the accounts that the agent makes for its sign-in windows on Windows.
// No person gets them: see [CheckName]. The browser's pages have one of their own:
// nothing that comes of them meets the other, and a browser that has its account
// locked locks out no code.
const (
	OwnName   = "FirstdaySignIn"
	PagesName = "FirstdayPages"
)

// Own is such an account. It is in no group, nobody knows its password, and it can
// be logged on in no other way than as a batch job. It is known by its SID, which
// the agent keeps; before there is one, by a tag in its comment. An account of
// that name that is not the agent's is left alone.
//
// Its calls must not overlap.
type Own struct {
	Name string // as it is made; somebody may have renamed it since
	// File is where the agent keeps which account is its own: in a folder that
	// nobody else can write to.
	File   string
	system ownSystem

	name     string // empty: not made ready since the service started
	password []byte
}

// ownSystem is what Windows does for [Own]. Each call succeeds where there is
// nothing left to do.
type ownSystem interface {
	// holder gives who has the name, be it a person, a group or the computer.
	// ErrNotFound: nobody. The comment is that of accounts only.
	holder(name string) (sid, comment string, err error)
	// named gives the name of the account of the SID, ErrNotFound if it is gone.
	named(sid string) (string, error)
	// add makes the account in one step, in no group.
	add(name string, password []byte, comment string) error
	setPassword(name string, password []byte) error
	remove(name string) error
	// restrict lets the account be logged on as a batch job, and in no other way.
	restrict(sid string) error
	// release takes all back that the system keeps for the SID.
	release(sid string) error
	// hide keeps the name off the sign-in screen, show does not.
	hide(name string) error
	show(name string) error
	removeProfile(sid string) error
}

// ownRecord is what is kept. The tag is there before the account is.
type ownRecord struct {
	Tag string `json:"tag"`
	SID string `json:"sid,omitempty"`
}

// ownPrefix begins the comment; the words are for who looks at the account.
const ownPrefix = "Runs the window at the sign-in screen (Firstday "

func ownComment(tag string) string { return ownPrefix + tag + ")" }

// isOwn tells accounts that are not people's.
func isOwn(name, comment string) bool {
	return (strings.EqualFold(name, OwnName) || strings.EqualFold(name, PagesName)) && strings.HasPrefix(comment, ownPrefix)
}

// ready makes the account, or what is missing of it, and gives it a password that
// nobody knows. It does nothing if it did that already.
func (o *Own) ready(ctx context.Context) error {
	if o.name != "" {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	password := ownPassword()
	name, sid, err := o.find()
	if errors.Is(err, ErrNotFound) {
		name, sid, err = o.make(password)
	}
	if err != nil {
		return err
	}
	// First what forbids.
	for _, step := range []func() error{
		func() error { return o.system.restrict(sid) },
		func() error { return o.system.hide(name) },
		func() error { return o.system.setPassword(name, password) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
	}
	o.name, o.password = name, password
	return nil
}

// forget has the account made ready again: somebody changed it.
func (o *Own) forget() {
	clear(o.password)
	o.name, o.password = "", nil
}

// find gives our account, ErrNotFound if there is none, and ErrExists if
// somebody else has the name.
func (o *Own) find() (name, sid string, err error) {
	r, err := o.read()
	if err != nil {
		return "", "", err
	}
	if r.SID != "" {
		name, err := o.system.named(r.SID)
		if err == nil {
			return name, r.SID, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", "", err
		}
	}
	// It may have got another SID: a device that is made from an image has one of
	// its own.
	sid, comment, err := o.system.holder(o.Name)
	if err != nil {
		return "", "", err
	}
	if r.Tag == "" || comment != ownComment(r.Tag) {
		return "", "", taken(o.Name, "the agent did not make it")
	}
	r.SID = sid
	return o.Name, sid, statefile.Write(o.File, r)
}

func (o *Own) make(password []byte) (name, sid string, err error) {
	r := &ownRecord{Tag: rand.Text()}
	if err := statefile.Write(o.File, r); err != nil {
		return "", "", err
	}
	if err := o.system.add(o.Name, password, ownComment(r.Tag)); err != nil {
		return "", "", err
	}
	if r.SID, _, err = o.system.holder(o.Name); err != nil {
		return "", "", err
	}
	return o.Name, r.SID, statefile.Write(o.File, r)
}

// Remove removes the account, and all that the system keeps for it. It may be
// called again, and where there is none.
func (o *Own) Remove() error {
	o.forget()
	r, err := o.read()
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil || r.Tag == "" { // which one it was is lost; that must not keep it here
		return o.removeAlike()
	}
	name, sid, err := o.find()
	if errors.Is(err, ErrExists) { // somebody else's, and so is what hides the name
		return o.finish(r.SID, "")
	}
	if errors.Is(err, ErrNotFound) { // an earlier call came as far as that
		return o.finish(r.SID, o.Name)
	}
	if err != nil {
		return err
	}
	if err := o.system.remove(name); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return o.finish(sid, name)
}

// removeAlike removes the account that has our name and says that it is ours.
func (o *Own) removeAlike() error {
	sid, comment, err := o.system.holder(o.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		return o.finish("", o.Name)
	case errors.Is(err, ErrExists), err == nil && !isOwn(o.Name, comment):
		return o.finish("", "")
	case err != nil:
		return err
	}
	if err := o.system.remove(o.Name); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return o.finish(sid, o.Name)
}

// finish removes what is left of an account that is gone.
func (o *Own) finish(sid, name string) error {
	var errs []error
	if sid != "" {
		errs = append(errs, o.system.release(sid), o.system.removeProfile(sid))
	}
	if name != "" {
		errs = append(errs, o.system.show(name))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("what is left of the account %s: %w", o.Name, err)
	}
	if err := os.Remove(o.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// read gives the record, an empty one if there is none.
func (o *Own) read() (*ownRecord, error) {
	r := new(ownRecord)
	if err := statefile.Read(o.File, r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("which account is the agent's own: %w", err)
	}
	return r, nil
}

// ownPassword has 256 random bits, and a character of each kind that policies
// ask for.
func ownPassword() []byte {
	random := make([]byte, 32)
	defer clear(random)
	_, _ = rand.Read(random) // never fails
	return hex.AppendEncode([]byte("Fd-1"), random)
}

// Groups of Windows' own. Users is the only one that the account may be in: all
// who log on are, as long as Windows has Authenticated Users in it.
const (
	builtinGroup = "S-1-5-32-"
	usersGroup   = builtinGroup + "545"
)

// errInGroup: somebody has put the account where it can do more than it should.
var errInGroup = errors.New("it is in a group where it does not belong")

// checkOwnGroups looks at the SIDs of the groups that the account was logged on
// with.
func checkOwnGroups(sids []string) error {
	for _, sid := range sids {
		if strings.HasPrefix(sid, builtinGroup) && sid != usersGroup {
			return fmt.Errorf("%w: %s", errInGroup, sid)
		}
	}
	return nil
}
