package agent

import (
	"context"

	"firstday.dev/agent/desktop"
	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// windowKeeper gives what keeps the sign-in window, and has the server tell it
// who starts the sign-in. It gives nil on systems without such a window.
func (a *Agent) windowKeeper(s *local.Server, signIn *signin.Machine, r *reporter) *desktop.Keeper {
	k := desktop.NewKeeper(signIn)
	if !a.onSignInScreen(k) {
		return nil
	}
	k.Serve, k.Sessions, k.Log = s.ServeWindow, a.console, a.log()
	k.Report = func(ctx context.Context, problem string) { r.tell(ctx, func(r *report) { r.Window = problem }) }
	s.Started = k.Started
	return k
}
