package simulate

import (
	"context"
	"errors"
	"sync"

	"firstday.dev/agent/signin"
)

// display is the device's: it shows the sign-in that its agent offers, another
// one after each start of the service.
type display struct {
	mu       sync.Mutex
	machine  *signin.Machine
	replaced chan struct{} // closed when there is another
}

func (d *display) show(m *signin.Machine) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine = m
	if d.replaced != nil {
		close(d.replaced)
	}
	d.replaced = make(chan struct{})
}

// current gives the sign-in that is shown, nil before the first one, and what
// ends when another takes its place.
func (d *display) current() (*signin.Machine, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replaced == nil {
		d.replaced = make(chan struct{})
	}
	return d.machine, d.replaced
}

// watch tells each screen that the device shows, until the context ends or show
// does not want another.
func (m *Machine) watch(ctx context.Context, show func(*signin.Machine, signin.Screen) error) error {
	for {
		machine, replaced := m.signIn.current()
		if machine != nil {
			if err := watchOne(ctx, machine, replaced, show); err != nil {
				return err
			}
		}
		select {
		case <-replaced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errReplaced ends the watching of a sign-in that has another in its place.
var errReplaced = errors.New("another sign-in")

func watchOne(ctx context.Context, machine *signin.Machine, replaced <-chan struct{}, show func(*signin.Machine, signin.Screen) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-replaced:
			cancel(errReplaced)
		case <-ctx.Done():
		}
	}()
	for serial := int64(0); ; {
		screen, err := machine.Next(ctx, serial)
		if err == nil {
			serial = screen.Serial
			err = show(machine, screen)
		}
		switch {
		case errors.Is(context.Cause(ctx), errReplaced):
			return nil
		case err != nil:
			return err
		}
	}
}
