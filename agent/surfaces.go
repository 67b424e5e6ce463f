package agent

import (
	"context"
	"sync"
	"time"

	"firstday.dev/agent/local"
)

// serveSurfaces speaks with what shows the sign-in, until the context ends.
// Where that is not possible the device still enrols: status says so, and it is
// tried again.
func (a *Agent) serveSurfaces(ctx context.Context, m *member, refreshes *refreshes, r *reporter, login *loginKeeper) {
	address := a.System.Layout().Surfaces
	if address == "" {
		return
	}
	disk := &diskUnlock{path: a.System.Layout().FileVault(), boot: a.System.BootID()}
	s := &local.Server{SignIn: m.signIn, Refresh: refreshes.ask, FileVault: a.fileVault(disk), Version: a.Version, Log: a.log()}
	s.Greeted = func(surface, _ string) { login.greeted(ctx, surface) }
	s.Greeting = login.greeting
	desk := a.newDesk(m)
	defer desk.Close()
	s.Desk = desk
	var group sync.WaitGroup
	defer group.Wait()
	if k := a.windowKeeper(s, m.signIn, m.signInWindow, r); k != nil {
		group.Go(func() { k.Run(ctx) })
	}
	for failures := 1; ; failures++ {
		l, err := local.Listen(address, a.log())
		if err == nil {
			if failures > 1 {
				r.tell(ctx, func(r *report) { r.Surfaces = "" })
				failures = 1
			}
			err = s.Serve(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		a.log().WarnContext(ctx, "surfaces cannot reach the service", "address", address, "error", err)
		r.tell(ctx, func(r *report) { r.Surfaces = err.Error() })
		select {
		case <-time.After(backOff(failures)):
		case <-ctx.Done():
			return
		}
	}
}
