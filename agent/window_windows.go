package agent

import (
	"context"
	"io"
	"os"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/desktop"
	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// windowKeeper gives what keeps the sign-in window, and has the server tell it
// who starts the sign-in. serve speaks with the window; nil: there is none.
func (a *Agent) windowKeeper(s *local.Server, serve func(context.Context, io.ReadWriteCloser), signIn *signin.Machine, r *reporter) func(context.Context) {
	if serve == nil {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		a.log().Warn("there will be no sign-in window", "error", err)
		return nil
	}
	account := accounts.OpenOwn(a.System.Layout().WindowAccount())
	opener := &desktop.Opener{Program: program, LogOn: account.LogOn, Log: a.log()}
	k := desktop.NewKeeper(signIn)
	k.Open, k.Serve, k.Vacant, k.Sessions, k.Log = opener.Open, serve, desktop.Vacant, a.sessions, a.log()
	k.Report = func(ctx context.Context, problem string) { r.tell(ctx, func(r *report) { r.Window = problem }) }
	s.Started = k.Started
	return k.Run
}
