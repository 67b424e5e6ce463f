package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"firstday.dev/agent/local"
)

// uninstallPatience is how long an installation at work is waited for.
const uninstallPatience = 30 * time.Second

// Uninstall stops and removes the service, and removes every file, folder and
// system entry the agent made. It may be run again, also after it was
// interrupted, and when there is nothing to remove.
func (a *Agent) Uninstall(ctx context.Context) (err error) {
	layout := a.System.Layout()
	unlock, before, err := a.lockStopped(ctx)
	if err != nil {
		return err
	}
	removed := false
	defer func() { err = errors.Join(err, unlock(removed)) }()
	if err := a.endPayloads(ctx); err != nil {
		return err
	}
	// Nothing may point at a file that is not there.
	tile := a.System.Tile()
	if tile != nil {
		if err := tile.Unregister(); err != nil {
			return fmt.Errorf("removing the tile: %w", err)
		}
	}
	if err := a.removeLoginWindow(ctx); err != nil {
		if before == ServiceRunning { // the plug-in that stays asks it for everything
			err = errors.Join(err, a.System.StartService(context.WithoutCancel(ctx)))
		}
		return err
	}
	if err := a.System.Unregister(ctx); err != nil {
		return fmt.Errorf("removing the service: %w", err)
	}
	if layout.Surfaces != "" {
		if err := local.Remove(layout.Surfaces); err != nil {
			return err
		}
	}
	if err := a.System.RemoveAll(layout.Program); err != nil {
		return err
	}
	if tile != nil {
		if err := tile.Forget(); err != nil {
			return fmt.Errorf("removing the tile's settings: %w", err)
		}
	}
	removed = true
	return nil
}

// lockStopped stops the service, which may hold the lock while it finishes
// payloads, and takes the lock. Where another installation keeps it, the
// service goes on. Letting go of the lock removes the data folder too, if all
// else is removed: nobody can take it before. It gives the service's state before.
func (a *Agent) lockStopped(ctx context.Context) (letGo func(removed bool) error, before ServiceState, err error) {
	layout := a.System.Layout()
	if before, err = a.System.ServiceState(ctx); err != nil {
		return nil, before, err
	}
	if err := a.System.StopService(ctx); err != nil {
		return nil, before, fmt.Errorf("stopping the service: %w", err)
	}
	unlock := func(bool) error { return nil }
	if _, err := os.Lstat(layout.Data); err == nil {
		// What is removed must be ours: it may be a trap laid after the agent
		// had gone.
		if err := a.System.MakeFolder(layout.Data, AdminsOnly); err != nil {
			return nil, before, err
		}
		locking, cancel := context.WithTimeout(ctx, or(a.lockPatience, uninstallPatience))
		defer cancel()
		if unlock, err = a.System.Lock(locking, layout.Lock()); err != nil {
			if before == ServiceRunning {
				err = errors.Join(err, a.System.StartService(ctx))
			}
			return nil, before, err
		}
	}
	return func(removed bool) error {
		if err := unlock(removed); err != nil || !removed {
			return err
		}
		err := a.System.RemoveAll(layout.Data)
		// Our folder above goes too, unless something else is in it.
		_ = os.Remove(filepath.Dir(layout.Program))
		return err
	}, before, nil
}

// endPayloads ends a payload that is still running: its file could not be
// removed.
func (a *Agent) endPayloads(ctx context.Context) error {
	s, err := readState(a.System.Layout().State())
	if err != nil {
		a.log().WarnContext(ctx, "the record of the installation is damaged", "error", err)
	}
	if s == nil {
		return nil
	}
	for _, r := range s.Payloads {
		if r.State != PayloadRunning || r.Process == nil {
			continue
		}
		proc, err := a.System.FindProcess(*r.Process)
		if errors.Is(err, ErrNoProcess) {
			continue
		}
		if err != nil {
			return err
		}
		a.log().WarnContext(ctx, "a running payload is ended", "payload", r.File)
		if err := errors.Join(proc.Kill(), proc.Close()); err != nil {
			return err
		}
	}
	return nil
}
