package simulate

import (
	"context"
	"sync"

	"firstday.dev/agent/signin"
)

// display is the device's: it shows the sign-in that its agent offers.
type display struct {
	mu      sync.Mutex
	machine *signin.Machine
	changed chan struct{} // closed when there is another
}

func (d *display) show(m *signin.Machine) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine = m
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// SignIn is the sign-in that the device's agent offers, as soon as there is one.
func (m *Machine) SignIn(ctx context.Context) (*signin.Machine, error) {
	d := &m.signIn
	for {
		d.mu.Lock()
		if d.machine != nil {
			defer d.mu.Unlock()
			return d.machine, nil
		}
		if d.changed == nil {
			d.changed = make(chan struct{})
		}
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
