package agent

import (
	"context"
	"os"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/desktop"
)

// onSignInScreen opens windows with the service's own logon: Wine logs nobody else
// on, and does not tell whether somebody is at the console. Tests build the agent
// with this file in the place of its own.
func (a *Agent) onSignInScreen(k *desktop.Keeper) bool {
	program, err := os.Executable()
	if err != nil {
		return false
	}
	own := func(context.Context) (token windows.Token, err error) {
		err = windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ALL_ACCESS, &token)
		return token, err
	}
	k.Open, k.Vacant = (&desktop.Opener{Program: program, LogOn: own, Log: a.log()}).Open, func() bool { return true }
	return true
}
