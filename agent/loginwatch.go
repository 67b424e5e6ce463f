package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// watchTime is what our login window gets to say hello, for the second watchdog:
	// longer than for the service, which is to be first.
	watchTime  = 90 * time.Second
	watchPause = 3 * time.Second
)

// WatchLogin is the second watchdog, which launchd starts beside each login window. It
// knows nothing but whether the database names our plug-in, and whether that has said
// hello, which the service writes down: a service that does not run leaves no hello
// either. If there is none in time, it puts macOS' own login window back. It ends with
// the login window it was started for.
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
		case err == nil && seats.Window != first, readLoginHello(a.System.Layout().LoginHello()).greets(a.System.BootID(), seats.Window):
			return nil
		case w.Awake()-begin >= watchTime && looks >= helloLooks:
			err := a.endOfWatch(ctx, w)
			if !errors.Is(err, errLeftToService) {
				return err
			}
			a.log().WarnContext(ctx, "nothing can be written down", "error", err)
			begin, looks = w.Awake(), 0 // what the service owes it writes as soon as it can
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return nil // launchd ends it when somebody has logged in
		}
	}
}

// endOfWatch gives errLeftToService where no hello would be known here: on a full disk
// it is the service, as long as it runs, that has heard one or not.
func (a *Agent) endOfWatch(ctx context.Context, w LoginWindow) error {
	if ours, err := a.namesUs(ctx, w); err == nil && !ours {
		return nil // somebody was faster
	}
	service, unknown := a.System.ServiceState(ctx)
	reason := fmt.Sprintf("it did not come up within %v", watchTime)
	if unknown == nil {
		reason += "; the service is " + string(service)
	}
	if err := a.keepLoginOff(w, LoginByWatch, reason); err != nil && unknown == nil && service == ServiceRunning {
		return fmt.Errorf("%w: %w", errLeftToService, err)
	}
	return a.DisableLoginWindow(ctx, LoginByWatch, reason)
}

var errLeftToService = errors.New("whether the login window has said hello is left to the service")

// namesUs tells whether the database names our plug-in.
func (a *Agent) namesUs(ctx context.Context, w LoginWindow) (bool, error) {
	def, err := a.database(w).Read(ctx)
	if err != nil {
		return false, err
	}
	return def.Judge().NeedsBundle, nil
}
