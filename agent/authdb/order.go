package authdb

import (
	"context"
	"errors"
	"fmt"
)

// Settle is for each start, and for after an update of macOS: it puts Apple's
// login window back if the plug-in is no longer in order, and repairs a list that
// is half Apple's and half ours. It never puts ours there.
func (d *Database) Settle(ctx context.Context, p Plugin) (Outcome, error) {
	def, err := d.Read(ctx)
	if errors.Is(err, ErrFormat) {
		o, failed := d.Disable(ctx)
		o.Why = err
		return o, failed
	}
	if err != nil {
		return Outcome{}, err
	}
	v := def.Judge()
	why := error(nil)
	switch {
	case v.State == Damaged:
		o, err := d.Repair(ctx)
		if err == nil || !o.Verdict.NeedsBundle {
			o.Why = &DamagedError{v.Faults}
			return o, err
		}
		why = err
	case v.State == Foreign && v.NeedsBundle:
		why = &ForeignError{v.Window}
	case v.NeedsBundle:
		why = p.Loadable(ctx)
	}
	if why == nil {
		return Outcome{Verdict: v}, nil
	}
	o, err := d.Disable(ctx)
	o.Why = why
	return o, err
}

// Replace upgrades the plug-in: while the bundle is replaced, the database does
// not name it. Our login window comes back if it was there and the new bundle is
// vouched for. Whatever fails, Apple's is there.
func (d *Database) Replace(ctx context.Context, p Plugin, bundle func(context.Context) error) (Outcome, error) {
	def, err := d.Read(ctx)
	if err != nil && !errors.Is(err, ErrFormat) {
		return Outcome{}, err
	}
	was := err == nil && def.Judge().State == Ours
	o, err := d.Disable(ctx)
	if err != nil {
		return o, fmt.Errorf("the login plug-in stays as it is: %w", err)
	}
	if err := bundle(ctx); err != nil {
		return o, fmt.Errorf("replacing the login plug-in: %w", err)
	}
	if !was {
		return o, nil
	}
	return d.Enable(ctx, p)
}

// Remove takes the plug-in away, but not before the database has stopped naming
// it.
func (d *Database) Remove(ctx context.Context, bundle func(context.Context) error) (Outcome, error) {
	o, err := d.Disable(ctx)
	if err != nil {
		return o, fmt.Errorf("the login plug-in stays: %w", err)
	}
	if err := bundle(ctx); err != nil {
		return o, fmt.Errorf("removing the login plug-in: %w", err)
	}
	return o, nil
}
