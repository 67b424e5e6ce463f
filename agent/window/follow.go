// Package window is the sign-in window of Windows: the picture to point a
// telephone at, the code to type, the number that the telephone shows. It stands
// beside the tile on the sign-in desktop, where nothing may lead anywhere else:
// it has no menu, opens nothing, and leaves nothing behind.
//
// What it shows comes from the agent's service, which starts it and speaks with
// it over its standard input and output, see docs/local-protocol.md. It knows
// nothing else, and decides nothing.
package window

import (
	"context"
	"errors"
	"slices"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// Service is the agent's, as the window calls it. [local.Client] is one.
type Service interface {
	Next(ctx context.Context, serial int64) (*local.Screen, error)
	Act(ctx context.Context, a signin.Action) error
}

// press is a button pressed on a screen.
type press struct {
	on     *local.Screen
	action signin.Action // without the serial number
}

// showsCode tells the screens that the window with the code is for. All others are
// the tile's.
func showsCode(s *local.Screen) bool {
	return slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number, signin.Failed}, s.State)
}

// showsPages tells the screens that the window with the pages is for: of a sign-in
// that has others it may press nothing.
func showsPages(s *local.Screen) bool {
	return slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, s.State) && offers(s, signin.Elsewhere)
}

// follow hands over each screen to show, and sends what was pressed, until there is
// one that the window is not for. A service that hangs up ends it as it should; one
// that says nothing, or nothing that makes sense, with an error.
func follow(ctx context.Context, s Service, shows func(*local.Screen) bool, show func(*local.Screen), pressed <-chan press) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	arrivals := local.Screens(ctx, s.Next)
	f := &follower{service: s}
	for {
		var err error
		select {
		case a := <-arrivals:
			switch {
			case a.Err == local.ErrClosed: //nolint:errorlint // other reasons to end wrap it
				return nil
			case a.Err != nil:
				return a.Err
			case !shows(a.Screen):
				return nil
			}
			f.now = a.Screen
			show(a.Screen)
			err = f.sendAgain(ctx)
		case p := <-pressed:
			err = f.send(ctx, &p)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

type follower struct {
	service Service
	now     *local.Screen
	late    *press // was pressed on a screen that had just gone
}

func (f *follower) send(ctx context.Context, p *press) error {
	f.late = nil
	p.action.Serial = p.on.Serial
	err := f.service.Act(ctx, p.action)
	if !errors.Is(err, signin.ErrStale) {
		return err
	}
	f.late = p
	if f.now.Serial == p.on.Serial { // the next one is still to come
		return nil
	}
	return f.sendAgain(ctx)
}

// sendAgain sends what came too late, if the screen of now asks for the same: only
// the time or the network has changed. Who wants out wants so on any.
func (f *follower) sendAgain(ctx context.Context) error {
	p := f.late
	f.late = nil
	if p == nil {
		return nil
	}
	same := p.on.State == f.now.State && p.on.Message == f.now.Message && p.on.Code == f.now.Code && slices.Equal(p.on.Fields, f.now.Fields)
	wantsOut := p.action.Name == signin.Cancel || p.action.Name == signin.Elsewhere
	if !offers(f.now, p.action.Name) || !wantsOut && !same {
		return nil
	}
	return f.send(ctx, &press{f.now, p.action})
}

func offers(s *local.Screen, name signin.ActionName) bool {
	return slices.ContainsFunc(s.Actions, func(b signin.ActionButton) bool { return b.Name == name })
}
