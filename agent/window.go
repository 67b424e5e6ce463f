package agent

import (
	"context"
	"io"

	"firstday.dev/agent/desktop"
	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// windowKeeper gives what keeps the sign-in window, and has the server tell it
// who starts the sign-in. It gives nil where there is no such window: on other
// systems, and as long as nothing serves it.
func (a *Agent) windowKeeper(s *local.Server, serve func(context.Context, io.ReadWriteCloser), signIn *signin.Machine, r *reporter) *desktop.Keeper {
	k := desktop.NewKeeper(signIn)
	if serve == nil || !a.onSignInScreen(k) {
		return nil
	}
	k.Serve, k.Sessions, k.Log = serve, a.console, a.log()
	k.Report = func(ctx context.Context, problem string) { r.tell(ctx, func(r *report) { r.Window = problem }) }
	s.Started = k.Started
	return k
}
