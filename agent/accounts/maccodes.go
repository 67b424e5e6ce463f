package accounts

import (
	"errors"
	"fmt"
)

// errShut: the account is disabled, and OpenDirectory may not have looked at its
// password.
var errShut = errors.New("the account is disabled")

// macCodes are errors of OpenDirectory (CFOpenDirectoryConstants.h) and what they
// are here. Which of them come after a look at the password is as in Apple's
// pam_opendirectory: one that has expired is right.
var macCodes = map[int]error{
	4102: ErrExists,        // kODErrorRecordAlreadyExists
	5000: errWrongPassword, // kODErrorCredentialsInvalid
	5101: ErrDenied,        // kODErrorCredentialsNotAuthorized
	5300: ErrNotFound,      // kODErrorCredentialsAccountNotFound
	5301: errShut,          // kODErrorCredentialsAccountDisabled
	5303: errShut,          // kODErrorCredentialsAccountInactive
	5304: ErrLocked,        // kODErrorCredentialsAccountTemporarilyLocked
	5305: ErrLocked,        // kODErrorCredentialsAccountLocked
	5400: errRightPassword, // kODErrorCredentialsPasswordExpired
	5401: errRightPassword, // kODErrorCredentialsPasswordChangeRequired
	5402: ErrPassword,      // kODErrorCredentialsPasswordQualityFailed
	5403: ErrPassword,      // kODErrorCredentialsPasswordTooShort
	5404: ErrPassword,      // kODErrorCredentialsPasswordTooLong
	5405: ErrPassword,      // kODErrorCredentialsPasswordNeedsLetter
	5406: ErrPassword,      // kODErrorCredentialsPasswordNeedsDigit
	5407: ErrPassword,      // kODErrorCredentialsPasswordChangeTooSoon
}

// macError gives the words for what OpenDirectory answered about an account.
func macError(doing, account string, number int, words string) error {
	if is := macCodes[number]; is != nil {
		return fmt.Errorf("%s account %.64q: %w: %.200s (OpenDirectory error %d)", doing, account, is, words, number)
	}
	return fmt.Errorf("%s account %.64q: %.200s (OpenDirectory error %d)", doing, account, words, number)
}
