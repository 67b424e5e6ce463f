package accounts

import (
	"context"
	"slices"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procLogonUser = advapi32.NewProc("LogonUserW")

const (
	logonNetwork         = 3 // keeps nothing, and loads no profile
	logonProviderDefault = 0
)

// PasswordWorks tells whether the password is the account's. A wrong one counts
// with Windows, as one that is typed at its own tile does.
func (s windowsStore) PasswordWorks(_ context.Context, name string, password []byte) (bool, error) {
	if _, err := lookUser(name); err != nil {
		return false, err
	}
	if !utf8.Valid(password) || slices.Contains(password, 0) {
		return false, nil
	}
	token, err := logOn(name, password, logonNetwork)
	if err == nil {
		return true, token.Close()
	}
	return passwordIsRight(name, numberOf(err))
}

// logOn logs an account of this computer on.
func logOn(name string, password []byte, kind uintptr) (windows.Token, error) {
	text := utf16Password(password)
	defer clear(text)
	var token windows.Token
	ok, _, err := procLogonUser.Call(
		uintptr(unsafe.Pointer(utf16Text(name))), uintptr(unsafe.Pointer(utf16Text("."))), uintptr(unsafe.Pointer(&text[0])),
		kind, logonProviderDefault, uintptr(unsafe.Pointer(&token)))
	if ok == 0 {
		return 0, err
	}
	return token, nil
}
