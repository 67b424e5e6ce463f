package desktop

import (
	"errors"

	"golang.org/x/sys/windows"
)

// noSession is what there is while the console goes from one session to another.
const noSession = 0xffffffff

var errNoConsole = errors.New("no session has the console just now")

// consoleSession gives the session that is shown on the device's own screen.
func consoleSession() (uint32, error) {
	session := windows.WTSGetActiveConsoleSessionId()
	if session == noSession {
		return 0, errNoConsole
	}
	return session, nil
}

// Vacant tells whether nobody is signed in at the console. Who has locked the
// screen is: Windows offers them their own account. Where Windows does not say,
// somebody may be.
func Vacant() bool {
	session, err := consoleSession()
	if err != nil {
		return false
	}
	var user windows.Token
	err = windows.WTSQueryUserToken(session, &user)
	if err == nil {
		_ = user.Close()
		return false
	}
	return errors.Is(err, windows.ERROR_NO_TOKEN)
}
