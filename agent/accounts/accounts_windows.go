package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// windowsStore changes the accounts of the local security database through
// netapi32. The tag is the account's comment, which the system calls its
// description.
type windowsStore struct{}

// Open gives the accounts of the running system. Windows has no other: root must
// be empty.
func Open(root string) (Store, error) {
	if root != "" {
		return nil, fmt.Errorf("accounts below %s: %w", root, errors.ErrUnsupported)
	}
	return windowsStore{}, nil
}

func (s windowsStore) Find(ctx context.Context, name string) (*Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u, err := lookUser(name)
	if err != nil {
		return nil, err
	}
	administrators, err := administratorsOfWindows()
	if err != nil {
		return nil, err
	}
	a := u.account(administrators)
	return &a, nil
}

func (s windowsStore) List(ctx context.Context) ([]Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := peopleOfWindows()
	if err != nil {
		return nil, err
	}
	administrators, err := administratorsOfWindows()
	if err != nil {
		return nil, err
	}
	var people []Account
	for _, name := range names {
		u, err := lookUser(name)
		if errors.Is(err, ErrNotFound) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		people = append(people, u.account(administrators))
	}
	return people, nil
}

func (u *user) account(administrators map[string]bool) Account {
	a := Account{
		ID: u.sid.String(), Name: u.name, FullName: u.fullName, Home: profileOf(u.sid),
		Administrator: administrators[u.sid.String()], Disabled: u.flags&ufAccountDisable != 0,
	}
	a.Tag, a.Unused = readMark(u.comment)
	return a
}

// profileOf gives the home that the first sign-in made, nothing before.
func profileOf(sid *windows.SID) string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\`+sid.String(), registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close() //nolint:errcheck // it was only read
	path, kind, err := k.GetStringValue("ProfileImagePath")
	if err != nil {
		return ""
	}
	if kind == registry.EXPAND_SZ {
		if expanded, err := registry.ExpandString(path); err == nil {
			return expanded
		}
	}
	return path
}

func (s windowsStore) CheckFree(ctx context.Context, name string) error {
	if err := windowsPlatform.checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return checkFree(name)
}

func (s windowsStore) Create(ctx context.Context, n New) (*Account, error) {
	if err := n.check(windowsPlatform); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkFree(n.Name); err != nil {
		return nil, err
	}
	// In one step: with the tag and disabled.
	password := utf16Password(n.Password)
	defer clear(password)
	if err := addUser(n.Name, password, mark(n.Tag, true), ufAccountDisable); err != nil {
		return nil, err
	}
	err := furnish(n)
	if err == nil {
		var made *Account
		if made, err = s.Find(context.WithoutCancel(ctx), n.Name); err == nil {
			return made, nil
		}
	}
	return nil, errors.Join(err, deleteUser(n.Name))
}

// checkFree tells whether a person may get the name: nobody has it, nor is a
// profile left of somebody who had it.
func checkFree(name string) error {
	if err := checkUnused(name); err != nil {
		return err
	}
	profiles, err := windows.KnownFolderPath(windows.FOLDERID_UserProfiles, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return fmt.Errorf("looking for the folder of profiles: %w", err)
	}
	profile := filepath.Join(profiles, name)
	if _, err := os.Lstat(profile); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(taken(name, profile+" is there"), err)
	}
	return nil
}

// checkUnused asks for every kind of thing that has a name: users, groups, the
// computer, and what every Windows calls its own in its own language.
func checkUnused(name string) error {
	computer, err := windows.ComputerName()
	if err != nil {
		return fmt.Errorf("asking for the computer's name: %w", err)
	}
	if strings.EqualFold(computer, name) {
		return taken(name, "it is the computer's")
	}
	sid, _, _, err := windows.LookupSID("", name)
	switch {
	case err == nil:
		return taken(name, "there is "+sid.String())
	case errors.Is(err, windows.ERROR_NONE_MAPPED):
		return nil
	}
	return fmt.Errorf("looking whether the name %s is free: %w", name, err)
}

// furnish: without the group Users, the sign-in screen does not show an account.
func furnish(n New) error {
	if err := setUser(n.Name, fullNameLevel, &stringInfo{utf16Text(windowsPlatform.fullName(n.FullName))}); err != nil {
		return err
	}
	u, err := lookUser(n.Name)
	if err != nil {
		return err
	}
	if err := addMember(windows.WinBuiltinUsersSid, u.sid); err != nil || !n.Administrator {
		return err
	}
	return addMember(windows.WinBuiltinAdministratorsSid, u.sid)
}

func (s windowsStore) Enable(ctx context.Context, name string) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	// The mark first: an account that was ever enabled must not bear it.
	if tag, unused := readMark(u.comment); unused {
		if err := setUser(name, commentLevel, &stringInfo{utf16Text(mark(tag, false))}); err != nil {
			return err
		}
	}
	if u.flags&ufAccountDisable == 0 {
		return nil
	}
	return setUser(name, flagsLevel, &flagsInfo{u.flags &^ ufAccountDisable})
}

func (s windowsStore) Disable(ctx context.Context, name string) error {
	u, err := change(ctx, name)
	if err != nil || u.flags&ufAccountDisable != 0 {
		return err
	}
	return setUser(name, flagsLevel, &flagsInfo{u.flags | ufAccountDisable})
}

// Remove needs no look at the home, which the first sign-in would have made.
func (s windowsStore) Remove(ctx context.Context, name string) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	a := u.account(nil)
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	return deleteUser(name)
}

func (s windowsStore) SetAdministrator(ctx context.Context, name string, administrator bool) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	if administrator {
		return addMember(windows.WinBuiltinAdministratorsSid, u.sid)
	}
	return removeMember(windows.WinBuiltinAdministratorsSid, u.sid)
}

func (s windowsStore) SetPassword(ctx context.Context, name string, password []byte) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	a := u.account(nil)
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	return u.resetPassword(password)
}

func (s windowsStore) ResetPassword(ctx context.Context, name, id string, password []byte) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	administrators, err := administratorsOfWindows()
	if err != nil {
		return err
	}
	a := u.account(administrators)
	if err := a.mayReset(id); err != nil {
		return err
	}
	return u.resetPassword(password)
}

// resetPassword is for who has made sure that no person loses by it.
func (u *user) resetPassword(password []byte) error {
	if err := windowsPlatform.checkPassword(password); err != nil {
		return err
	}
	text := utf16Password(password)
	defer clear(text)
	return setUser(u.name, passwordLevel, &stringInfo{&text[0]})
}

// ChangePassword is what Ctrl+Alt+Del does: what the old password protected is
// protected by the new one.
func (s windowsStore) ChangePassword(ctx context.Context, name string, old, password []byte) error {
	u, err := change(ctx, name)
	if err != nil {
		return err
	}
	for _, p := range [][]byte{old, password} {
		if err := windowsPlatform.checkPassword(p); err != nil {
			return err
		}
	}
	oldText, text := utf16Password(old), utf16Password(password)
	defer clear(oldText)
	defer clear(text)
	return changePassword(u.name, oldText, text)
}

func (s windowsStore) SetFullName(ctx context.Context, name, fullName string) error {
	if _, err := change(ctx, name); err != nil {
		return err
	}
	return setUser(name, fullNameLevel, &stringInfo{utf16Text(windowsPlatform.fullName(fullName))})
}

// change gives the account that a call is about to change.
func change(ctx context.Context, name string) (*user, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return lookUser(name)
}

// utf16Password gives the NUL-terminated text, for the caller to wipe. No copy
// is left on the way.
func utf16Password(password []byte) []uint16 {
	text := make([]uint16, 0, len(password)+1) // UTF-8 is never shorter
	for _, r := range string(password) {
		text = utf16.AppendRune(text, r)
	}
	return append(text, 0)
}

// utf16Text is for text that the platform's checks let through: it has no NUL.
func utf16Text(s string) *uint16 {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		return new(uint16)
	}
	return p
}
