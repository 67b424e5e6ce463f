package accounts

import (
	"errors"
	"fmt"
)

// windowsCode is what Windows answers where it does not do what it is asked: an
// NERR_ of lmerr.h or an ERROR_ of winerror.h, and what that is here.
type windowsCode struct {
	number uint32
	name   string
	is     error
	says   string
}

// What becomes of nobody else's errors.
var (
	errWindows = errors.New("the system refuses it")
	// errAlready: it is as it was asked to be.
	errAlready = errors.New("it is so already")
	// errWrongPassword and errRightPassword: what LogonUser says of a password.
	errWrongPassword = errors.New("the password is wrong")
	errRightPassword = errors.New("the password is right, but the account may not sign in so")
)

// windowsCodes has them all. The ones of a logon come last: but for the first,
// Windows looked at the password before it gave them, so that it is right.
var windowsCodes = []windowsCode{
	{1377, "ERROR_MEMBER_NOT_IN_ALIAS", errAlready, ""},
	{1378, "ERROR_MEMBER_IN_ALIAS", errAlready, ""},

	{2221, "NERR_UserNotFound", ErrNotFound, ""},
	{1317, "ERROR_NO_SUCH_USER", ErrNotFound, ""},
	{1387, "ERROR_NO_SUCH_MEMBER", ErrNotFound, "it went before it came into its group"},
	{1388, "ERROR_INVALID_MEMBER", ErrNotFound, "it went before it came into its group"},

	{2224, "NERR_UserExists", ErrExists, "there is such a user"},
	{1316, "ERROR_USER_EXISTS", ErrExists, "there is such a user"},
	{2223, "NERR_GroupExists", ErrExists, "there is such a group"},
	{1318, "ERROR_GROUP_EXISTS", ErrExists, "there is such a group"},
	{1379, "ERROR_ALIAS_EXISTS", ErrExists, "there is such a group"},

	{2202, "NERR_BadUsername", ErrName, "Windows takes no such name"},
	{1315, "ERROR_INVALID_ACCOUNT_NAME", ErrName, "Windows takes no such name"},

	{2245, "NERR_PasswordTooShort", ErrPassword, "it is too short or too plain for this device's password policy, or was used before"},
	{1325, "ERROR_PASSWORD_RESTRICTION", ErrPassword, "it is too short or too plain for this device's password policy, or was used before"},
	{1324, "ERROR_ILL_FORMED_PASSWORD", ErrPassword, "it has characters that Windows does not take"},
	{2243, "NERR_PasswordCantChange", ErrPassword, "this account may not change it"},
	{2244, "NERR_PasswordHistConflict", ErrPassword, "it was used before"},
	{2246, "NERR_PasswordTooRecent", ErrPassword, "the old one is younger than this device's password policy wants it"},
	{86, "ERROR_INVALID_PASSWORD", ErrPassword, "the old one is wrong"},

	{2220, "NERR_GroupNotFound", ErrGroup, ""},
	{1376, "ERROR_NO_SUCH_ALIAS", ErrGroup, ""},
	{1319, "ERROR_NO_SUCH_GROUP", ErrGroup, ""},
	{1332, "ERROR_NONE_MAPPED", ErrGroup, "its SID has no name"},

	{5, "ERROR_ACCESS_DENIED", ErrDenied, "the agent does not run as SYSTEM, or a security product stops it"},
	{1314, "ERROR_PRIVILEGE_NOT_HELD", ErrDenied, "the agent does not run as SYSTEM"},
	{1371, "ERROR_SPECIAL_ACCOUNT", ErrDenied, "it is one of Windows' own"},
	{2452, "NERR_LastAdmin", ErrDenied, "it is the last administrator"},

	{112, "ERROR_DISK_FULL", ErrFull, ""},
	{39, "ERROR_HANDLE_DISK_FULL", ErrFull, ""},

	{87, "ERROR_INVALID_PARAMETER", errWindows, "it takes no such value"},
	{8, "ERROR_NOT_ENOUGH_MEMORY", errWindows, "it has no memory left"},
	{1722, "RPC_S_SERVER_UNAVAILABLE", errWindows, "its service for accounts does not run"},
	{1115, "ERROR_SHUTDOWN_IN_PROGRESS", errWindows, "it shuts down"},
	{1311, "ERROR_NO_LOGON_SERVERS", errWindows, "it finds nobody to ask for the password"},

	{1909, "ERROR_ACCOUNT_LOCKED_OUT", ErrLocked, "too many wrong passwords were typed"},
	{1326, "ERROR_LOGON_FAILURE", errWrongPassword, ""},
	{1327, "ERROR_ACCOUNT_RESTRICTION", errRightPassword, "a policy keeps it out"},
	{1328, "ERROR_INVALID_LOGON_HOURS", errRightPassword, "not at this hour"},
	{1329, "ERROR_INVALID_WORKSTATION", errRightPassword, "not on this computer"},
	{1330, "ERROR_PASSWORD_EXPIRED", errRightPassword, "the password has expired"},
	{1331, "ERROR_ACCOUNT_DISABLED", errRightPassword, "it is disabled"},
	{1385, "ERROR_LOGON_TYPE_NOT_GRANTED", errRightPassword, "it has not the right to"},
	{1793, "ERROR_ACCOUNT_EXPIRED", errRightPassword, "it has expired"},
	{1907, "ERROR_PASSWORD_MUST_CHANGE", errRightPassword, "the password must be changed first"},
}

// windowsError gives the words for what Windows answered about an account, nil if
// all is well.
func windowsError(doing, account string, number uint32) error {
	if number == 0 {
		return nil
	}
	c := windowsCode{number, "an unknown code", errWindows, ""}
	for _, known := range windowsCodes {
		if known.number == number {
			c = known
		}
	}
	says := ""
	if c.says != "" {
		says = ": " + c.says
	}
	return fmt.Errorf("%s account %.64q: %w%s (%s, %d)", doing, account, c.is, says, c.name, c.number)
}

// passwordIsRight tells what is wrong when LogonUser lets nobody in: the password,
// something else, or that Windows has not looked at it.
func passwordIsRight(account string, number uint32) (bool, error) {
	switch err := windowsError("asking for the password of", account, number); {
	case err == nil: // it let nobody in, and says that all is well
		return false, fmt.Errorf("asking for the password of account %.64q: %w (%d)", account, errWindows, number)
	case errors.Is(err, errRightPassword):
		return true, nil
	case errors.Is(err, errWrongPassword):
		return false, nil
	default:
		return false, err
	}
}
