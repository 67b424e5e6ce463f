package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"firstday.dev/internal/atomicfile"
)

// diskUnlock lets the person in who has unlocked the disk before the system
// started: once for each start. A second time would be somebody else's, or a
// password that macOS has refused already, over and over.
type diskUnlock struct {
	path string // of what keeps the last start
	boot string // this one's; empty: not known

	mu sync.Mutex
}

// take tells whether it is the first time since the system started, and that it
// is not any more. What cannot be kept is not allowed: the person types the
// password again.
func (d *diskUnlock) take() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.boot == "" {
		return false, errors.New("it is not known when the system was started")
	}
	last, err := os.ReadFile(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if string(last) == d.boot {
		return false, nil
	}
	if err := atomicfile.WriteFile(d.path, []byte(d.boot), 0o600); err != nil {
		return false, fmt.Errorf("keeping that somebody is logged on by FileVault: %w", err)
	}
	return true, nil
}

// fileVault is asked by surfaces.
func (a *Agent) fileVault(d *diskUnlock) func(context.Context) bool {
	return func(ctx context.Context) bool {
		first, err := d.take()
		if err != nil {
			a.log().WarnContext(ctx, "who has unlocked the disk is not logged on", "error", err)
		}
		return first
	}
}
