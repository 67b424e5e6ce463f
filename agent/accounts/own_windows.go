package accounts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

var (
	advapi32                   = windows.NewLazySystemDLL("advapi32.dll")
	procLsaOpenPolicy          = advapi32.NewProc("LsaOpenPolicy")
	procLsaAddAccountRights    = advapi32.NewProc("LsaAddAccountRights")
	procLsaRemoveAccountRights = advapi32.NewProc("LsaRemoveAccountRights")
	procLsaClose               = advapi32.NewProc("LsaClose")
	procDeleteProfile          = windows.NewLazySystemDLL("userenv.dll").NewProc("DeleteProfileW")
)

// OpenOwn gives the agent's own account of that name, of which the file keeps which
// it is.
func OpenOwn(name, file string) *Own { return &Own{Name: name, File: file, system: windowsOwn{}} }

const logonBatch = 4

// LogOn logs the account on as a batch job; it makes it first, and sees to it
// that nobody knows its password. The token is the caller's to close. It is
// refused if somebody has put the account into a group.
func (o *Own) LogOn(ctx context.Context) (windows.Token, error) {
	if err := o.ready(ctx); err != nil {
		return 0, err
	}
	token, err := logOn(o.name, o.password, logonBatch)
	if err != nil {
		name := o.name
		o.forget()
		return 0, fmt.Errorf("account %s: %w", name, err)
	}
	sids, err := groupsOf(token)
	if err == nil {
		err = checkOwnGroups(sids)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("account %s: %w", o.name, err), token.Close())
	}
	return token, nil
}

func groupsOf(t windows.Token) ([]string, error) {
	groups, err := t.GetTokenGroups()
	if err != nil {
		return nil, os.NewSyscallError("GetTokenInformation", err)
	}
	var sids []string
	for _, g := range groups.AllGroups() {
		sids = append(sids, g.Sid.String())
	}
	return sids, nil
}

type windowsOwn struct{}

func (windowsOwn) holder(name string) (sid, comment string, err error) {
	u, err := lookUser(name)
	if err == nil {
		return u.sid.String(), u.comment, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return "", "", err
	}
	err = checkUnused(name)
	if err == nil {
		return "", "", notFound(name)
	}
	return "", "", err
}

func (windowsOwn) named(sid string) (string, error) {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return "", fmt.Errorf("the SID %.200q: %w", sid, err)
	}
	name, _, _, err := s.LookupAccount("")
	if errors.Is(err, windows.ERROR_NONE_MAPPED) {
		return "", notFound(sid)
	}
	if err != nil {
		return "", fmt.Errorf("the account of %s: %w", sid, err)
	}
	return name, nil
}

func (windowsOwn) add(name string, password []byte, comment string) error {
	text := utf16Password(password)
	defer clear(text)
	return addUser(name, text, comment, ufPasswdCantChange)
}

func (windowsOwn) setPassword(name string, password []byte) error {
	text := utf16Password(password)
	defer clear(text)
	return setUser(name, passwordLevel, &stringInfo{&text[0]})
}

func (windowsOwn) remove(name string) error { return deleteUser(name) }

// ownRights: as ntsecapi.h names them. What is denied counts more than what any
// group is granted.
var ownRights = []string{
	"SeBatchLogonRight",
	"SeDenyInteractiveLogonRight", "SeDenyNetworkLogonRight", "SeDenyRemoteInteractiveLogonRight", "SeDenyServiceLogonRight",
}

func (windowsOwn) restrict(sid string) error {
	return withPolicy(sid, func(policy uintptr, s *windows.SID) uintptr {
		rights := make([]windows.NTUnicodeString, len(ownRights))
		for i, right := range ownRights {
			u, err := windows.NewNTUnicodeString(right)
			if err != nil {
				return uintptr(windows.STATUS_INVALID_PARAMETER)
			}
			rights[i] = *u
		}
		status, _, _ := procLsaAddAccountRights.Call(policy, uintptr(unsafe.Pointer(s)), uintptr(unsafe.Pointer(&rights[0])), uintptr(len(rights)))
		return status
	})
}

func (windowsOwn) release(sid string) error {
	const all = 1
	return withPolicy(sid, func(policy uintptr, s *windows.SID) uintptr {
		status, _, _ := procLsaRemoveAccountRights.Call(policy, uintptr(unsafe.Pointer(s)), all, 0, 0)
		if windows.NTStatus(status) == windows.STATUS_OBJECT_NAME_NOT_FOUND { // it has none
			return 0
		}
		return status
	})
}

// withPolicy opens the local security policy for a change of the SID's rights,
// which gives an NTSTATUS.
func withPolicy(sid string, change func(policy uintptr, s *windows.SID) uintptr) error {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return fmt.Errorf("the SID %.200q: %w", sid, err)
	}
	const access = 0x1 | 0x10 | 0x800 // POLICY_VIEW_LOCAL_INFORMATION, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES
	attributes := &windows.OBJECT_ATTRIBUTES{}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	var policy uintptr
	status, _, _ := procLsaOpenPolicy.Call(0, uintptr(unsafe.Pointer(attributes)), access, uintptr(unsafe.Pointer(&policy)))
	if status != 0 {
		return fmt.Errorf("opening the local security policy: %w", windows.NTStatus(status))
	}
	defer procLsaClose.Call(policy) //nolint:errcheck // nothing to be done about it
	if status := change(policy, s); status != 0 {
		return fmt.Errorf("changing the logon rights of %s: %w", sid, windows.NTStatus(status))
	}
	return nil
}

// Where the sign-in screen looks for whom not to show. Neither key is there
// before somebody makes it.
const (
	specialAccounts = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\SpecialAccounts`
	hiddenUsers     = specialAccounts + `\UserList`
)

func (windowsOwn) hide(name string) error {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, hiddenUsers, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("the key %s: %w", hiddenUsers, err)
	}
	if err := errors.Join(k.SetDWordValue(name, 0), k.Close()); err != nil {
		return fmt.Errorf("hiding %s from the sign-in screen: %w", name, err)
	}
	return nil
}

func (windowsOwn) show(name string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, hiddenUsers, registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the key %s: %w", hiddenUsers, err)
	}
	err = k.DeleteValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		err = nil
	}
	if err := errors.Join(err, k.Close()); err != nil {
		return fmt.Errorf("the value %s in %s: %w", name, hiddenUsers, err)
	}
	for _, path := range []string{hiddenUsers, specialAccounts} {
		if err := removeEmptyKey(path); err != nil {
			return fmt.Errorf("the key %s: %w", path, err)
		}
	}
	return nil
}

func removeEmptyKey(path string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := k.Stat()
	if err := errors.Join(err, k.Close()); err != nil || info.SubKeyCount+info.ValueCount > 0 {
		return err
	}
	return registry.DeleteKey(registry.LOCAL_MACHINE, path)
}

// removeProfile: a batch logon makes none, but other ways to log on may have.
func (windowsOwn) removeProfile(sid string) error {
	s, err := windows.StringToSid(sid)
	if err != nil {
		return fmt.Errorf("the SID %.200q: %w", sid, err)
	}
	if profileOf(s) == "" {
		return nil
	}
	text, err := windows.UTF16PtrFromString(sid)
	if err != nil {
		return err
	}
	if ok, _, err := procDeleteProfile.Call(uintptr(unsafe.Pointer(text)), 0, 0); ok == 0 {
		return fmt.Errorf("the profile of %s: %w", sid, err)
	}
	return nil
}
