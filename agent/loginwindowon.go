package agent

import (
	"context"
	"fmt"
	"os"

	"firstday.dev/agent/preflight"
)

// LoginWindowStatus looks at the login window, and changes nothing. Only
// administrators can ask. It gives ErrUnsupported on other systems than macOS.
func (a *Agent) LoginWindowStatus(ctx context.Context) (*LoginWindowStatus, error) {
	w := a.System.LoginWindow()
	if w == nil {
		return nil, errNoLoginWindow
	}
	if _, err := os.Lstat(a.System.Layout().Data); err != nil {
		return nil, ErrNotInstalled
	}
	def, err := a.database(w).Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("the authorization database: %w", err)
	}
	seen, err := a.seeLogin(w, def.Judge())
	if err != nil {
		return nil, err
	}
	_, v := a.loginRecord(ctx).judge(seen)
	if v.arm { // the service has not come to it yet
		v.State, v.Reason = LoginWindowPending, "it is about to be switched on"
	}
	return &v.LoginWindowStatus, nil
}

// EnableLoginWindow takes back what whoever has switched our login window off on this
// Mac, and forgives what has failed. What the organisation wants, what it allows and
// what the preflight says, still holds. It comes with the next login window: one that
// waits is started anew only if nobody is logged in, or in the middle of it.
func (a *Agent) EnableLoginWindow(ctx context.Context) (*LoginWindowStatus, error) {
	w := a.System.LoginWindow()
	if w == nil {
		return nil, errNoLoginWindow
	}
	layout := a.System.Layout()
	if _, err := os.Lstat(layout.Data); err != nil {
		return nil, ErrNotInstalled
	}
	if err := a.forgiveLogin(ctx); err != nil {
		return nil, err
	}
	if err := a.System.RemoveAll(layout.LoginWindowOff()); err != nil {
		return nil, err
	}
	return a.checkLoginWindow(ctx, w, new(loginMemory))
}

// forgiveLogin comes first: the service might look in between.
func (a *Agent) forgiveLogin(ctx context.Context) error {
	lock, err := a.lockLoginWindow(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	r := a.loginRecord(ctx)
	r.Misses, r.Held, r.Why, r.Flight, r.Armed = 0, "", "", loginFlight{}, false
	return r.write(a.System.Layout().LoginWindow())
}

// LoginWindowDoctor makes all checks that come before our login window takes the
// place of macOS' own, and changes nothing.
func (a *Agent) LoginWindowDoctor(ctx context.Context) ([]preflight.Check, error) {
	s, err := a.LoginWindowStatus(ctx)
	if err != nil {
		return nil, err
	}
	w := a.System.LoginWindow()
	wanted, allowed, err := a.loginWanted(s.Build)
	if err != nil {
		return nil, err
	}
	check := func(name, found, fault, remedy string) preflight.Check {
		c := preflight.Check{Name: name, Passed: fault == "", Detail: found, Remedy: remedy}
		if c.Passed {
			c.Remedy = ""
		} else {
			c.Detail = fault
		}
		return c
	}
	ring := ""
	if !allowed {
		ring = fmt.Sprintf("build %s is not among macos.signInBuilds", s.Build)
	}
	local := ""
	if s.State == LoginWindowOff && s.By != LoginByOrganisation && s.By != LoginByRing && s.By != LoginByPreflight {
		local = s.Reason
		if local == "" {
			local = "switched off by " + string(s.By)
		}
	}
	checks := []preflight.Check{
		check("organisation", "it wants our login window", wanted, "firstday settings set macos.signInWindow instead"),
		check("build of macOS", s.Build, ring, "try it on a Mac with that build, then add it: firstday settings set macos.signInBuilds"),
		check("this Mac", "nobody has switched it off", local, "firstday-agent login-window on, once the reason has gone"),
	}
	return append(checks, a.loginChecks(ctx, w)...), nil
}
