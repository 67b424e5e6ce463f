package testcredprov

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// nobody is an ICredentialProviderUserArray without users, as LogonUI has it where
// the last user is not shown.
type nobody struct {
	object
	refs int32
}

var nobodyTable = &[32]uintptr{
	syscall.NewCallback(func(uintptr, uintptr, uintptr) uintptr { return uintptr(windows.E_NOINTERFACE) }),
	syscall.NewCallback(func(n *nobody) uintptr { n.refs++; return uintptr(n.refs) }),
	syscall.NewCallback(func(n *nobody) uintptr { n.refs--; return uintptr(n.refs) }),
	syscall.NewCallback(func(*nobody, uintptr) uintptr { return 0 }),                                // SetProviderFilter
	syscall.NewCallback(func(_ *nobody, options *uint32) uintptr { *options = 0; return 0 }),        // GetAccountOptions
	syscall.NewCallback(func(_ *nobody, count *uint32) uintptr { *count = 0; return 0 }),            // GetCount
	syscall.NewCallback(func(*nobody, uintptr, uintptr) uintptr { return uintptr(windows.E_FAIL) }), // GetAt
}

// setUsers gives what LogonUI may where it shows no users: no array at all, and
// one without users.
func (h *Host) setUsers(users *object) error {
	if _, err := h.call(users, setUserArray, 0); err != nil {
		return err
	}
	h.users = &nobody{object: object{nobodyTable}, refs: 1}
	_, err := h.call(users, setUserArray, uintptr(unsafe.Pointer(h.users)))
	return err
}
