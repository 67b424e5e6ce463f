package agent

import (
	"os"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/desktop"
	"firstday.dev/agent/webview"
)

// onSignInScreen tells the keeper how to open windows on Windows' sign-in screen.
func (a *Agent) onSignInScreen(k *desktop.Keeper) bool {
	program, err := os.Executable()
	if err != nil {
		a.log().Warn("there will be no sign-in window", "error", err)
		return false
	}
	layout := a.System.Layout()
	code := &desktop.Opener{Program: program, LogOn: accounts.OpenOwn(accounts.OwnName, layout.WindowAccount()).LogOn, Log: a.log()}
	pages := &desktop.Opener{Program: program, LogOn: accounts.OpenOwn(accounts.PagesName, layout.PagesAccount()).LogOn, Folder: layout.Pages(), Remove: removeTree, Log: a.log()}
	if err := pages.Wipe(); err != nil { // the service may have been killed
		a.log().Warn("what a browser wrote was not wiped", "error", err)
	}
	k.Open, k.Vacant = code.Open, desktop.Vacant
	k.Pages.Ready, k.Pages.Open = webview.Ready, pages.Open
	return true
}
