package accounts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	procNetUserModalsGet              = netapi32.NewProc("NetUserModalsGet")
	procNetValidatePasswordPolicy     = netapi32.NewProc("NetValidatePasswordPolicy")
	procNetValidatePasswordPolicyFree = netapi32.NewProc("NetValidatePasswordPolicyFree")
)

// userModals0 is USER_MODALS_INFO_0.
type userModals0 struct{ minLength, maxAge, minAge, forceLogoff, history uint32 }

// validatePersisted is NET_VALIDATE_PERSISTED_FIELDS, validateHash
// NET_VALIDATE_PASSWORD_HASH, validateReset NET_VALIDATE_PASSWORD_RESET_INPUT_ARG,
// validated NET_VALIDATE_OUTPUT_ARG.
type (
	validateHash struct {
		length uint32
		hash   *byte
	}
	validatePersisted struct {
		present                    uint32
		lastSet, badTime, lockedAt windows.Filetime
		badCount, historyLength    uint32
		history                    *validateHash
	}
	validateReset struct {
		persisted               validatePersisted
		password, account       *uint16
		hash                    validateHash
		mustChange, clearLocked bool
	}
	validated struct {
		_      validatePersisted // what would have changed
		status uint32
	}
)

const (
	netValidatePasswordReset     = 3
	errPasswordNotComplexEnough  = 2704 // NERR_PasswordNotComplexEnough
	maxPasswordRule              = 256
	passwordOfOneKind            = "q" // no part of a name
	accountThatHasNoSuchPassword = "firstday"
)

// PasswordRules asks for the machine's policy, which a domain's or an MDM's may
// have become. No documented call tells whether passwords must be complex: Windows
// is asked for its opinion of one that is not.
func (windowsStore) PasswordRules(context.Context) (PasswordRules, error) {
	length, err := minPasswordLength()
	if err != nil {
		return PasswordRules{}, err
	}
	plain := strings.Repeat(passwordOfOneKind, max(length, 1))
	status, err := validatePassword(plain)
	if err != nil {
		return PasswordRules{Length: length}, err
	}
	return PasswordRules{Length: length, Kinds: status == errPasswordNotComplexEnough}, nil
}

func minPasswordLength() (int, error) {
	var buf *byte
	code, _, _ := procNetUserModalsGet.Call(0, 0, uintptr(unsafe.Pointer(&buf)))
	if buf != nil {
		defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	}
	if code != 0 || buf == nil {
		return 0, fmt.Errorf("asking for the password policy: %w (%d)", errWindows, code)
	}
	length := (*userModals0)(unsafe.Pointer(buf)).minLength
	if length > maxPasswordRule {
		return 0, fmt.Errorf("asking for the password policy: %w: passwords of %d characters", errWindows, length)
	}
	return int(length), nil
}

// validatePassword gives what Windows thinks of a password, of which it keeps
// nothing.
func validatePassword(password string) (uint32, error) {
	if err := procNetValidatePasswordPolicy.Find(); err != nil {
		return 0, err
	}
	in := &validateReset{password: utf16Text(password), account: utf16Text(accountThatHasNoSuchPassword)}
	var out *validated
	code, _, _ := procNetValidatePasswordPolicy.Call(0, 0, netValidatePasswordReset, uintptr(unsafe.Pointer(in)), uintptr(unsafe.Pointer(&out)))
	runtime.KeepAlive(in)
	if code != 0 || out == nil {
		return 0, fmt.Errorf("asking for an opinion of a password: %w", errors.Join(errWindows, windows.Errno(code)))
	}
	status := out.status
	_, _, _ = procNetValidatePasswordPolicyFree.Call(uintptr(unsafe.Pointer(&out)))
	return status, nil
}
