package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lockPatiently tries until the lock is there or the context ends; a deadline
// that passes means ErrBusy.
func lockPatiently(ctx context.Context, try func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := try()
		if err != nil {
			return fmt.Errorf("locking: %w", err)
		}
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ErrBusy
			}
			return ctx.Err()
		}
	}
}
