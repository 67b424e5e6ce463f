package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"firstday.dev/agent/securetoken"
)

// Accounts of macOS are records of its local directory node. What is done to
// them, and in which order, is here; the calls of OpenDirectory are in
// opendirectory_darwin.go.
//
// Sources: the sequence of attributes, password, group and home is that of XCreds
// and NoMAD Login (github.com/twocanoes/xcreds, CreateUser.swift), and so is a
// native attribute of one's own on the record. A disabled account has
// ";DisabledUser;" among its AuthenticationAuthority: so do Chef's macOS user
// provider (dscl -append) and JumpCloud, whose article on re-enabling accounts
// adds that the login window does not show them.
type macStore struct {
	dir   macDirectory
	homes string // the folder, /Users
	// makeHome fills the home of an account whose record is there.
	makeHome func(ctx context.Context, name string) error
	// owner gives the number of who owns a file.
	owner func(fs.FileInfo) (int, bool)
	tools securetoken.Commands
}

// macDirectory is the local node.
type macDirectory interface {
	// records gives all of a kind.
	records(kind string) ([]macRecord, error)
	// create makes a user; ErrExists if there is one.
	create(name string, attributes macRecord) error
	// set replaces the values of a user's attribute.
	set(name, attribute string, values []string) error
	// change adds values to a user's attribute, then removes others.
	change(name, attribute string, add, remove []string) error
	// setPassword does so without the old one. Errors of passwords are those of
	// macCodes.
	setPassword(name string, password []byte) error
	// changePassword does so as who knows the old one.
	changePassword(name string, old, password []byte) error
	// checkPassword gives no error if it is right.
	checkPassword(name string, password []byte) error
	// setMember takes a user into a group, or out of it.
	setMember(group, name string, member bool) error
	deleteUser(name string) error
}

// realName gives the full name, which an account must have, and which the login
// window takes for the account's own: where somebody else answers to it, the
// account's name stands behind.
func (s macStore) realName(name, fullName string) (string, error) {
	fullName = macPlatform.fullName(fullName)
	if fullName == "" {
		return name, nil
	}
	users, err := s.dir.records(macUsers)
	if err != nil {
		return "", err
	}
	wanted := fold(fullName)
	if slices.ContainsFunc(users, func(r macRecord) bool { return r.first(attrName) != name && r.is(wanted) }) {
		fullName += " (" + name + ")"
	}
	return fullName, nil
}

// user gives a record by its very name: an alias is not enough to change it.
func (s macStore) user(name string) (macRecord, error) {
	users, err := s.dir.records(macUsers)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(users, func(r macRecord) bool { return name != "" && strings.EqualFold(r.first(attrName), name) })
	if i < 0 {
		return nil, notFound(name)
	}
	return users[i], nil
}

// change gives the record that a call is about to change.
func (s macStore) change(ctx context.Context, name string) (macRecord, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.user(name)
}

// changeAccount is change with what the record and the group make together.
func (s macStore) changeAccount(ctx context.Context, name string) (macRecord, Account, error) {
	r, err := s.change(ctx, name)
	if err != nil {
		return nil, Account{}, err
	}
	admin, err := s.admin()
	return r, r.account(admin), err
}

func (s macStore) admin() (macRecord, error) {
	groups, err := s.dir.records(macGroups)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(groups, func(r macRecord) bool { return r.first(attrName) == macPlatform.admins })
	if i < 0 {
		return nil, fmt.Errorf("there is no group %s", macPlatform.admins)
	}
	return groups[i], nil
}

func (s macStore) Find(ctx context.Context, name string) (*Account, error) {
	r, err := s.change(ctx, name)
	if err != nil {
		return nil, err
	}
	admin, err := s.admin()
	if err != nil {
		return nil, err
	}
	a := r.account(admin)
	return &a, nil
}

func (s macStore) List(ctx context.Context) ([]Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	users, err := s.dir.records(macUsers)
	if err != nil {
		return nil, err
	}
	admin, err := s.admin()
	if err != nil {
		return nil, err
	}
	var people []Account
	for _, r := range users {
		if r.isPerson() {
			people = append(people, r.account(admin))
		}
	}
	return people, nil
}

func (s macStore) CheckFree(ctx context.Context, name string) error {
	if err := macPlatform.checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.place(name)
	return err
}

// Create keeps macOS from giving the account a secure token with its password. It
// may be one that nobody knows, or the account may be taken back: the Mac's first
// token, which cannot be had again, would be gone with it. See GiveToken.
func (s macStore) Create(ctx context.Context, n New) (*Account, error) {
	if err := n.check(macPlatform); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, err := s.place(n.Name)
	if err != nil {
		return nil, err
	}
	fullName, err := s.realName(n.Name, n.FullName)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what is begun is ended
	record := macRecord{
		attrNumber: {number}, attrGroup: {staffGroup}, attrHome: {s.home(n.Name)}, attrShell: {macShell},
		attrFullName: {fullName}, attrMark: {mark(n.Tag, true)}, attrAuthority: {noTokenAuthority},
	}
	for _, own := range ownAttributes {
		record[writersOf+own] = []string{n.Name}
	}
	err = s.dir.create(n.Name, record)
	if err == nil {
		err = s.furnish(ctx, n, number)
	}
	if err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, n))
	}
	return s.Find(ctx, n.Name)
}

// furnish sets the password before it disables the account: nobody has reported
// whether a disabled one can be given its first. For the moment between the two,
// who knows the password could sign in.
func (s macStore) furnish(ctx context.Context, n New, number string) error {
	if err := s.dir.setPassword(n.Name, n.Password); err != nil {
		return err
	}
	if err := s.Disable(ctx, n.Name); err != nil {
		return err
	}
	if n.Administrator {
		if err := s.dir.setMember(macPlatform.admins, n.Name, true); err != nil {
			return err
		}
	}
	if err := s.makeHome(ctx, n.Name); err != nil {
		return err
	}
	return s.checkOwner(s.home(n.Name), number)
}

// checkOwner refuses a home that its person could not write to.
func (s macStore) checkOwner(home, number string) error {
	info, err := os.Lstat(home)
	if err != nil {
		return err
	}
	if owner, ok := s.owner(info); !info.IsDir() || ok && strconv.Itoa(owner) != number {
		return fmt.Errorf("the home %s is not a folder of user %s, but %v of user %d", home, number, info.Mode(), owner)
	}
	return nil
}

// takeBack undoes a Create that failed, unless somebody else was faster.
func (s macStore) takeBack(ctx context.Context, n New) error {
	r, err := s.user(n.Name)
	if errors.Is(err, ErrNotFound) || err == nil && r.first(attrMark) != mark(n.Tag, true) {
		return nil
	}
	return errors.Join(err, s.Remove(ctx, n.Name))
}

func (s macStore) Enable(ctx context.Context, name string) error {
	r, err := s.change(ctx, name)
	if err != nil {
		return err
	}
	authority := r.enabledAuthority()
	if !slices.ContainsFunc(authority, func(a string) bool { return strings.HasPrefix(a, hashAuthority) }) {
		return fmt.Errorf("account %s has no password: %w", name, ErrPassword)
	}
	// The mark first: an account that was ever enabled must not bear it.
	if tag, unused := readMark(r.first(attrMark)); unused {
		if err := s.dir.set(name, attrMark, []string{mark(tag, false)}); err != nil {
			return err
		}
	}
	return s.reauthorize(name, r[attrAuthority], authority)
}

// reauthorize changes value by value: macOS may add one of its own meanwhile, a
// secure token, and what came too long to be read stays. What is new comes first:
// a password must not be away in between.
func (s macStore) reauthorize(name string, has, wants []string) error {
	without := func(values, others []string) []string {
		return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(others, v) })
	}
	add, remove := without(wants, has), without(has, wants)
	if len(add)+len(remove) == 0 {
		return nil
	}
	return s.dir.change(name, attrAuthority, add, remove)
}

func (s macStore) Disable(ctx context.Context, name string) error {
	r, err := s.change(ctx, name)
	if err != nil || r.isDisabled() {
		return err
	}
	return s.dir.change(name, attrAuthority, []string{disabledAuthority}, nil)
}

// Remove takes the home first: once the record is gone, nothing tells whose it
// was.
func (s macStore) Remove(ctx context.Context, name string) error {
	_, a, err := s.changeAccount(ctx, name)
	if err != nil {
		return err
	}
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	if a.Home == s.home(a.Name) {
		if err := os.RemoveAll(a.Home); err != nil {
			return err
		}
	}
	if a.Administrator { // a group keeps the names of who is gone
		if err := s.dir.setMember(macPlatform.admins, a.Name, false); err != nil {
			return err
		}
	}
	return s.dir.deleteUser(a.Name)
}

func (s macStore) SetAdministrator(ctx context.Context, name string, administrator bool) error {
	r, err := s.change(ctx, name)
	if err != nil {
		return err
	}
	admin, err := s.admin()
	if err != nil {
		return err
	}
	if a := r.account(admin); a.Administrator == administrator {
		return nil
	}
	return s.dir.setMember(macPlatform.admins, name, administrator)
}

func (s macStore) SetPassword(ctx context.Context, name string, password []byte) error {
	r, err := s.change(ctx, name)
	if err != nil {
		return err
	}
	a := r.account(nil)
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	return s.resetPassword(ctx, name, r, password)
}

func (s macStore) ResetPassword(ctx context.Context, name, id string, password []byte) error {
	r, a, err := s.changeAccount(ctx, name)
	if err != nil {
		return err
	}
	if err := a.mayReset(id); err != nil {
		return err
	}
	tokens, err := securetoken.Holders(ctx, s.tools)
	if err != nil {
		return fmt.Errorf("account %s: whether it has a secure token: %w", name, err)
	}
	if has := tokens.Has(id); has == nil || *has {
		return fmt.Errorf("account %s: %w: its secure token would be lost with the old password", name, ErrDenied)
	}
	return s.resetPassword(ctx, name, r, password)
}

// resetPassword is for who has made sure that no person loses by it.
func (s macStore) resetPassword(ctx context.Context, name string, r macRecord, password []byte) error {
	if err := macPlatform.checkPassword(password); err != nil {
		return err
	}
	if err := s.dir.setPassword(name, password); err != nil || !r.isDisabled() {
		return err
	}
	return s.Disable(context.WithoutCancel(ctx), name) // should the system have enabled it
}

func (s macStore) SetFullName(ctx context.Context, name, fullName string) error {
	r, err := s.change(ctx, name)
	if err != nil {
		return err
	}
	if fullName, err = s.realName(r.first(attrName), fullName); err != nil {
		return err
	}
	return s.dir.set(name, attrFullName, []string{fullName})
}
