package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// uninstallPatience is how long an installation at work is waited for.
const uninstallPatience = 30 * time.Second

// Uninstall stops and removes the service, and removes every file, folder and
// system entry the agent made. It may be run again, also after it was
// interrupted, and when there is nothing to remove.
func (a *Agent) Uninstall(ctx context.Context) error {
	layout := a.System.Layout()
	// The service may hold the lock while it finishes payloads.
	if err := a.System.StopService(ctx); err != nil {
		return fmt.Errorf("stopping the service: %w", err)
	}
	if _, err := os.Lstat(layout.Data); err == nil {
		locking, cancel := context.WithTimeout(ctx, uninstallPatience)
		defer cancel()
		unlock, err := a.System.Lock(locking, layout.Lock())
		if err != nil {
			return err
		}
		err = a.endPayloads(ctx)
		if err := errors.Join(err, unlock(true)); err != nil {
			return err
		}
	}
	if err := a.System.Unregister(ctx); err != nil {
		return fmt.Errorf("removing the service: %w", err)
	}
	for _, dir := range []string{layout.Data, layout.Program} {
		if err := a.System.RemoveAll(dir); err != nil {
			return err
		}
	}
	// Our folder above goes too, unless something else is in it.
	_ = os.Remove(filepath.Dir(layout.Program))
	return nil
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
