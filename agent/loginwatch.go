package agent

import (
	"context"
	"fmt"
	"time"

	"firstday.dev/agent/local"
)

const (
	// watchTime is what our login window gets to say hello, for the second watchdog:
	// longer than for the service, which is to be first.
	watchTime  = 90 * time.Second
	watchPause = 3 * time.Second
)

// WatchLogin is the second watchdog, which launchd starts beside each login window. It
// knows nothing but whether the database names our plug-in, and whether that has said
// hello, which the service writes down, or tells where the disk takes nothing: a service
// that does not run leaves no hello either. If there is none in time, it puts macOS' own
// login window back. It ends with the login window it was started for.
func (a *Agent) WatchLogin(ctx context.Context) error {
	w := a.System.LoginWindow()
	if w == nil {
		return errNoLoginWindow
	}
	if ours, err := a.namesUs(ctx, w); err == nil && !ours {
		return nil
	}
	begin, first := w.Awake(), ""
	for looks := 1; ; looks++ {
		seats, err := w.Seats()
		if err != nil {
			a.log().WarnContext(ctx, "who is logged in is not known", "error", err)
		}
		if first == "" {
			first = seats.Window
		}
		switch {
		case err == nil && seats.Window != first, a.hasGreeted(ctx, seats.Window):
			return nil
		case w.Awake()-begin >= watchTime && looks >= helloLooks:
			return a.endOfWatch(ctx, w)
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return nil // launchd ends it when somebody has logged in
		}
	}
}

// hasGreeted tells whether the plug-in of a login window has said hello.
func (a *Agent) hasGreeted(ctx context.Context, window string) bool {
	layout := a.System.Layout()
	if readLoginHello(layout.LoginHello()).greets(a.System.BootID(), window) {
		return true
	}
	if window == "" || layout.Surfaces == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, watchPause)
	defer cancel()
	c, err := local.Dial(ctx, layout.Surfaces, local.SurfaceWatch)
	if err != nil {
		return false
	}
	defer c.Close() //nolint:errcheck // it always closes
	return c.Window == window
}

func (a *Agent) endOfWatch(ctx context.Context, w LoginWindow) error {
	if ours, err := a.namesUs(ctx, w); err == nil && !ours {
		return nil // somebody was faster
	}
	state := ""
	if s, err := a.System.ServiceState(ctx); err == nil {
		state = "; the service is " + string(s)
	}
	return a.DisableLoginWindow(ctx, LoginByWatch, fmt.Sprintf("it did not come up within %v%s", watchTime, state))
}

// namesUs tells whether the database names our plug-in.
func (a *Agent) namesUs(ctx context.Context, w LoginWindow) (bool, error) {
	def, err := a.database(w).Read(ctx)
	if err != nil {
		return false, err
	}
	return def.Judge().NeedsBundle, nil
}
