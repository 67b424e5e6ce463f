package agent

import (
	"context"
	"errors"
	"fmt"
)

// The login window's part in an installation. The plug-in is the package's, not the
// agent's to copy: Installer replaces it after 'login-window prepare', which the
// package's first script calls. The service brings our login window back, if nothing
// is found against the new plug-in.

// settleLoginWindow sees to it that the database names no plug-in that cannot be
// loaded, whatever was interrupted.
func (a *Agent) settleLoginWindow(ctx context.Context) error {
	w := a.System.LoginWindow()
	if w == nil {
		return nil
	}
	if _, err := a.database(w).Settle(ctx, w); err != nil {
		return fmt.Errorf("the login window: %w", err)
	}
	return nil
}

// endPreparation lets the service look at the plug-in that was installed.
func (a *Agent) endPreparation() error {
	path := a.System.Layout().LoginWindowOff()
	if a.System.LoginWindow() == nil {
		return nil
	}
	off, err := readLoginOff(path)
	if err != nil || off == nil || off.By != LoginByInstaller {
		return err
	}
	return a.System.RemoveAll(path)
}

// rollBackLoginWindow puts macOS' own login window back where an older agent is: the
// plug-in is another one's, and that agent may not know how to watch it.
func (in *installation) rollBackLoginWindow(ctx context.Context) error {
	err := in.DisableLoginWindow(ctx, LoginByInstaller, "an older agent was put back")
	if errors.Is(err, ErrUnsupported) {
		return nil
	}
	return err
}

// removeLoginWindow removes the plug-in, once the database has stopped naming it.
func (a *Agent) removeLoginWindow(ctx context.Context) error {
	w := a.System.LoginWindow()
	if w == nil {
		return nil
	}
	o, err := a.database(w).Remove(ctx, func(context.Context) error { return w.RemovePlugin() })
	if err != nil {
		return fmt.Errorf("removing the login window: %w", err)
	}
	if !o.Changed {
		return nil
	}
	return a.restartLoginWindow(ctx, w) // it shows what is gone
}
