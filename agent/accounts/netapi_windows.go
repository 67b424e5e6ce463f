package accounts

import (
	"errors"
	"fmt"
	"runtime"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Functions, structures and numbers of lmaccess.h, lmaccess and lmerr.h.
var (
	netapi32                    = windows.NewLazySystemDLL("netapi32.dll")
	procNetUserAdd              = netapi32.NewProc("NetUserAdd")
	procNetUserDel              = netapi32.NewProc("NetUserDel")
	procNetUserChangePassword   = netapi32.NewProc("NetUserChangePassword")
	procNetUserSetInfo          = netapi32.NewProc("NetUserSetInfo")
	procNetLocalGroupAddMembers = netapi32.NewProc("NetLocalGroupAddMembers")
	procNetLocalGroupDelMembers = netapi32.NewProc("NetLocalGroupDelMembers")
	procNetLocalGroupGetMembers = netapi32.NewProc("NetLocalGroupGetMembers")
)

// userInfo1 is USER_INFO_1.
type userInfo1 struct {
	name, password      *uint16
	passwordAge, priv   uint32
	homeFolder, comment *uint16
	flags               uint32
	script              *uint16
}

// userInfo20 is USER_INFO_20, userInfo23 USER_INFO_23.
type userInfo20 struct {
	name, fullName, comment *uint16
	flags, rid              uint32
}

type userInfo23 struct {
	name, fullName, comment *uint16
	flags                   uint32
	sid                     *windows.SID
}

// stringInfo is USER_INFO_1003, _1007 and _1011, flagsInfo USER_INFO_1008,
// memberInfo LOCALGROUP_MEMBERS_INFO_0.
type (
	stringInfo struct{ text *uint16 }
	flagsInfo  struct{ flags uint32 }
	memberInfo struct{ sid *windows.SID }
)

const (
	passwordLevel = 1003
	commentLevel  = 1007
	flagsLevel    = 1008
	fullNameLevel = 1011

	userPrivUser = 1 // the only one that NetUserAdd takes

	ufScript           = 0x1 // must be set
	ufAccountDisable   = 0x2
	ufPasswdCantChange = 0x40
	ufNormalAccount    = 0x200
	ufDontExpirePasswd = 0x10000

	filterNormalAccount = 2
	maxPreferredLength  = 0xffffffff
	maxUsers            = 10000 // of those a device says it has
	firstPersonRID      = 1000  // below are the system's own
)

// user is what USER_INFO_23 says, in memory of ours.
type user struct {
	name, fullName, comment string
	flags                   uint32
	sid                     *windows.SID
}

func lookUser(name string) (*user, error) {
	if name == "" || !utf8.ValidString(name) || len(name) > 256 || refusedByWindows(name) != "" {
		return nil, notFound(name) // the system has several words for that
	}
	var buf *byte
	err := windows.NetUserGetInfo(nil, utf16Text(name), 23, &buf)
	if buf != nil {
		defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	}
	if err != nil {
		return nil, windowsError("asking for", name, numberOf(err))
	}
	info := (*userInfo23)(unsafe.Pointer(buf))
	sid, err := info.sid.Copy()
	if err != nil {
		return nil, fmt.Errorf("the SID of account %s: %w", name, err)
	}
	return &user{
		windows.UTF16PtrToString(info.name), windows.UTF16PtrToString(info.fullName), windows.UTF16PtrToString(info.comment),
		info.flags, sid,
	}, nil
}

// numberOf gives that of a call's error.
func numberOf(err error) uint32 {
	var number windows.Errno
	if errors.As(err, &number) {
		return uint32(number)
	}
	return uint32(windows.ERROR_GEN_FAILURE)
}

// peopleOfWindows gives names. Guest, DefaultAccount and the like are not
// people's, nor is the built-in administrator, unless somebody enabled them; the
// agent's own account never is.
func peopleOfWindows() ([]string, error) {
	var buf *byte
	var read, total uint32
	err := windows.NetUserEnum(nil, 20, filterNormalAccount, &buf, maxPreferredLength, &read, &total, nil)
	if buf != nil {
		defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	}
	if err != nil {
		return nil, fmt.Errorf("listing accounts: %w", err)
	}
	var names []string
	for _, u := range unsafe.Slice((*userInfo20)(unsafe.Pointer(buf)), min(read, maxUsers)) {
		name := windows.UTF16PtrToString(u.name)
		if isOwn(name, windows.UTF16PtrToString(u.comment)) {
			continue
		}
		if u.rid >= firstPersonRID || u.flags&ufAccountDisable == 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// addUser makes an account in one step, with flags besides those of every one. Its password does not expire: it
// is the policy of the directory, not of the device, and at a sign-in screen
// nobody could say so in time. Unlike GCPW's, people may change it: what Windows
// protects by it goes with it, and our PIN asks for the new one.
func addUser(name string, password []uint16, comment string, flags uint32) error {
	info := &userInfo1{
		name: utf16Text(name), password: &password[0], priv: userPrivUser, comment: utf16Text(comment),
		flags: ufScript | ufNormalAccount | ufDontExpirePasswd | flags,
	}
	code, _, _ := procNetUserAdd.Call(0, 1, uintptr(unsafe.Pointer(info)), 0)
	runtime.KeepAlive(info)
	return windowsError("making", name, uint32(code))
}

func deleteUser(name string) error {
	code, _, _ := procNetUserDel.Call(0, uintptr(unsafe.Pointer(utf16Text(name))))
	return windowsError("removing", name, uint32(code))
}

// setUser sets what is of the level; info is its structure.
func setUser[T stringInfo | flagsInfo](name string, level uintptr, info *T) error {
	code, _, _ := procNetUserSetInfo.Call(0, uintptr(unsafe.Pointer(utf16Text(name))), level, uintptr(unsafe.Pointer(info)), 0)
	runtime.KeepAlive(info)
	return windowsError("changing", name, uint32(code))
}

// changePassword goes as the account itself would, with the old password.
func changePassword(name string, old, password []uint16) error {
	code, _, _ := procNetUserChangePassword.Call(uintptr(unsafe.Pointer(utf16Text("."))), uintptr(unsafe.Pointer(utf16Text(name))),
		uintptr(unsafe.Pointer(&old[0])), uintptr(unsafe.Pointer(&password[0])))
	return windowsError("changing the password of", name, uint32(code))
}

// groupName asks for the name that a group has in the system's language.
func groupName(kind windows.WELL_KNOWN_SID_TYPE) (string, error) {
	sid, err := windows.CreateWellKnownSid(kind)
	if err != nil {
		return "", fmt.Errorf("the SID of a group: %w", err)
	}
	name, _, _, err := sid.LookupAccount("")
	if err != nil {
		return "", windowsError("asking for the name of the group", sid.String(), numberOf(err))
	}
	return name, nil
}

func addMember(group windows.WELL_KNOWN_SID_TYPE, sid *windows.SID) error {
	return changeMember(procNetLocalGroupAddMembers, group, sid)
}

func removeMember(group windows.WELL_KNOWN_SID_TYPE, sid *windows.SID) error {
	return changeMember(procNetLocalGroupDelMembers, group, sid)
}

func changeMember(proc *windows.LazyProc, group windows.WELL_KNOWN_SID_TYPE, sid *windows.SID) error {
	name, err := groupName(group)
	if err != nil {
		return err
	}
	member := &memberInfo{sid}
	code, _, _ := proc.Call(0, uintptr(unsafe.Pointer(utf16Text(name))), 0, uintptr(unsafe.Pointer(member)), 1)
	runtime.KeepAlive(member)
	err = windowsError("changing the members of group "+name+" by", sid.String(), uint32(code))
	if errors.Is(err, errAlready) {
		return nil
	}
	return err
}

// administratorsOfWindows gives the SIDs of the direct members of Administrators.
func administratorsOfWindows() (map[string]bool, error) {
	name, err := groupName(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return nil, err
	}
	var buf *byte
	var read, total uint32
	code, _, _ := procNetLocalGroupGetMembers.Call(0, uintptr(unsafe.Pointer(utf16Text(name))), 0,
		uintptr(unsafe.Pointer(&buf)), maxPreferredLength,
		uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&total)), 0)
	if buf != nil {
		defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	}
	if code != 0 {
		return nil, windowsError("asking for the members of the group", name, uint32(code))
	}
	sids := make(map[string]bool)
	for _, m := range unsafe.Slice((*memberInfo)(unsafe.Pointer(buf)), min(read, maxUsers)) {
		sids[m.sid.String()] = true
	}
	return sids, nil
}
