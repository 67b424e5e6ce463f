package agent

import (
	"os"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/desktop"
)

// onSignInScreen tells the keeper how to open windows on Windows' sign-in screen.
func (a *Agent) onSignInScreen(k *desktop.Keeper) bool {
	program, err := os.Executable()
	if err != nil {
		a.log().Warn("there will be no sign-in window", "error", err)
		return false
	}
	account := accounts.OpenOwn(a.System.Layout().WindowAccount())
	opener := &desktop.Opener{Program: program, LogOn: account.LogOn, Log: a.log()}
	k.Open, k.Vacant = opener.Open, desktop.Vacant
	return true
}
