package agent

import (
	"context"

	"firstday.dev/agent/desktop"
	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// windowKeeper gives what keeps the sign-in window that is chosen, and has the
// server tell it who starts the sign-in. It gives nil on systems without such a
// window.
func (a *Agent) windowKeeper(s *local.Server, signIn *signin.Machine, choice func() api.SignInWindow, r *reporter) *desktop.Keeper {
	k := desktop.NewKeeper(signIn)
	if !a.onSignInScreen(k) {
		return nil
	}
	k.Serve, k.Pages.Serve, k.Choice, k.Sessions, k.Log = s.ServeWindow, s.ServePages, choice, a.console, a.log()
	k.Report = func(ctx context.Context, problem string) { r.tell(ctx, func(r *report) { r.Window = problem }) }
	k.Pages.Report = func(ctx context.Context, problem string) { r.tell(ctx, func(r *report) { r.Pages = problem }) }
	s.Started, s.Here = k.Started, k.Here
	return k
}
