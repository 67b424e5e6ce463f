package accounts

import (
	"context"
	"errors"
	"fmt"
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

// passwordIsRight are the reasons for which Windows lets somebody not in whose
// password is right.
var passwordIsRight = []error{
	windows.ERROR_ACCOUNT_RESTRICTION, windows.ERROR_INVALID_LOGON_HOURS, windows.ERROR_INVALID_WORKSTATION, windows.ERROR_PASSWORD_EXPIRED,
	windows.ERROR_ACCOUNT_DISABLED, windows.ERROR_LOGON_TYPE_NOT_GRANTED, windows.ERROR_PASSWORD_MUST_CHANGE,
}

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
	return readRefusal(name, err)
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

// readRefusal tells what is wrong: the password, something else, or that Windows
// has not looked at it, as of an account that is locked.
func readRefusal(name string, err error) (right bool, _ error) {
	if errors.Is(err, windows.ERROR_LOGON_FAILURE) {
		return false, nil
	}
	if slices.ContainsFunc(passwordIsRight, func(reason error) bool { return errors.Is(err, reason) }) {
		return true, nil
	}
	return false, fmt.Errorf("asking Windows whether the password of %s is right: %w", name, err)
}
