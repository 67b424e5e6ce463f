// Package terminal shows the sign-in in a terminal: the plainest of all
// surfaces.
//
// What has been shown stays above; only the last line changes, with the time
// that is left and what is being typed. The line is overwritten with carriage
// returns and spaces, so that any terminal will do; only the picture and
// headings use colour, where that is wanted.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// ErrEnded: the sign-in ended, and nobody has an account by it.
var ErrEnded = errors.New("nobody has signed in")

// NotOfferedError says why nobody can sign in on this device.
type NotOfferedError struct{ Why api.Code }

func (n *NotOfferedError) Error() string {
	if n.Why == "" {
		return "signing in is not offered: the agent has not heard from the directory yet"
	}
	return fmt.Sprintf("signing in is not offered: %s", api.Explain(n.Why).IT)
}

// Service is the agent's, as a surface calls it. [local.Client] is one.
type Service interface {
	Next(ctx context.Context, serial int64) (*local.Screen, error)
	Act(ctx context.Context, a signin.Action) error
}

// Look is how a terminal wants to be written to.
type Look struct {
	Colour bool
	Width  int // columns
}

const (
	// firstNews is how long to wait for a service that knows nothing yet.
	firstNews = 15 * time.Second
	// cancelTime bounds the telling that the person has gone.
	cancelTime = 5 * time.Second
)

// Show shows the sign-in until it ends. Keys are what the person types, one by
// one, without an end of lines by the terminal; when there are no more, they
// have gone. Whoever goes before the end cancels what they began.
func Show(ctx context.Context, s Service, keys <-chan rune, out io.Writer, look Look) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &show{service: s, out: &line{w: out, width: look.Width}, look: look}
	defer t.form.wipe()
	defer t.out.end()
	arrivals := local.Screens(ctx, s.Next)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	patience := time.NewTimer(firstNews)
	defer patience.Stop()
	for {
		var over bool
		var err error
		select {
		case a := <-arrivals:
			switch {
			case ctx.Err() != nil:
				return t.leave(ctx)
			case a.Err != nil:
				return a.Err
			}
			over, err = t.take(a.Screen)
		case key, ok := <-keys:
			if !ok || key == ctrlC || key == ctrlD {
				return t.leave(ctx)
			}
			err = t.press(ctx, key)
		case <-patience.C:
			if t.screen == nil || t.screen.State == signin.Hidden {
				return &NotOfferedError{}
			}
		case <-tick.C:
		case <-ctx.Done():
			return t.leave(ctx)
		}
		if over || err != nil {
			return err
		}
		t.prompt(time.Now())
	}
}

// show is what the person sees.
type show struct {
	service Service
	out     *line
	look    Look
	screen  *local.Screen // nil: none yet
	form    form
	begun   bool // somebody here has pressed something
	done    bool // an account is ready
	sent    bool // nothing has come of what was pressed yet
}

// take shows another screen. It tells whether it was the last one.
func (t *show) take(s *local.Screen) (over bool, err error) {
	before := t.screen
	t.screen = s
	switch {
	case s.State == signin.Hidden && t.done, s.State == signin.Ready && t.done:
		return true, nil
	case s.State == signin.Hidden && s.Why == "" && !t.begun: // it has heard nothing yet
		return false, nil
	case s.State == signin.Hidden:
		return true, &NotOfferedError{s.Why}
	case s.State == signin.Ready && t.begun:
		return true, ErrEnded
	}
	t.done = s.State == signin.Done && t.begun
	if before != nil && same(before, s) {
		return false, nil
	}
	t.sent = false
	t.form.ask(s)
	t.out.print(draw(s, t.look))
	return false, nil
}

// press takes a key.
func (t *show) press(ctx context.Context, key rune) error {
	if t.screen == nil {
		return nil
	}
	t.sent = false
	name := t.form.press(key)
	if name == "" {
		return nil
	}
	t.begun, t.sent = true, true
	a := signin.Action{Name: name, Fields: t.form.values(), Serial: t.screen.Serial}
	defer t.form.ask(t.screen)
	err := t.service.Act(ctx, a)
	if !errors.Is(err, signin.ErrStale) {
		return err
	}
	// Another screen is on its way. If it asks for the same, this is the answer;
	// who wants out wants so on any.
	next, err := t.service.Next(ctx, t.screen.Serial)
	if err != nil || !same(next, t.screen) && (name != signin.Cancel || !offers(next, name)) {
		return err
	}
	a.Serial = next.Serial
	if err := t.service.Act(ctx, a); !errors.Is(err, signin.ErrStale) {
		return err
	}
	return nil
}

// leave cancels what was begun here, as far as that is still possible.
func (t *show) leave(ctx context.Context) error {
	if t.done {
		return nil
	}
	if !t.begun || !offers(t.screen, signin.Cancel) {
		return ErrEnded
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	err := t.service.Act(ctx, signin.Action{Name: signin.Cancel, Serial: t.screen.Serial})
	if errors.Is(err, signin.ErrStale) {
		var now *local.Screen
		if now, err = t.service.Next(ctx, 0); err == nil && offers(now, signin.Cancel) {
			err = t.service.Act(ctx, signin.Action{Name: signin.Cancel, Serial: now.Serial})
		}
	}
	if err != nil {
		return fmt.Errorf("cancelling the sign-in: %w", err)
	}
	return ErrEnded
}

// prompt writes the last line anew.
func (t *show) prompt(now time.Time) {
	switch {
	case t.screen == nil || t.screen.State == signin.Hidden:
		t.out.write("Asking the agent …")
	case t.sent || len(t.screen.Actions) == 0:
		t.out.write(status(t.screen, now) + "One moment …")
	default:
		t.out.write(status(t.screen, now) + t.form.line())
	}
}

// same tells screens that differ in nothing but what the last line shows.
func same(a, b *local.Screen) bool {
	look := Look{Width: textWidth}
	return a.State == b.State && slices.Equal(a.Fields, b.Fields) && slices.Equal(a.Actions, b.Actions) && draw(a, look) == draw(b, look)
}

func offers(s *local.Screen, name signin.ActionName) bool {
	return slices.ContainsFunc(s.Actions, func(b signin.ActionButton) bool { return b.Name == name })
}
