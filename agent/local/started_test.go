package local

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
)

// Who started the sign-in is told after it was, and only then.
func TestServerTellsWhoStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		l := newInside()
		serveOn(t, &Server{SignIn: newFixed(), Log: slog.New(slog.DiscardHandler), Started: func(surface string) { told = append(told, surface) }}, l)
		for _, surface := range []string{"tile", "terminal"} {
			c, err := NewClient(t.Context(), l.call(), surface)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range []signin.Action{{Name: signin.Submit, Serial: 7}, {Name: signin.Cancel, Serial: 7}, {Name: signin.WithPIN, Serial: 7}, {Name: signin.Start, Serial: 7}} {
				if err := c.Act(t.Context(), a); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Act(t.Context(), signin.Action{Name: signin.Start, Serial: 6}); !errors.Is(err, signin.ErrStale) {
				t.Errorf("too late: %v", err)
			}
			if err := c.Act(t.Context(), signin.Action{Name: signin.Retry, Serial: 7}); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{"tile", "tile", "terminal", "terminal"}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A sign-in that the tile starts is for pages on this device where there is a
// window for them; no other action is, and no other surface's.
func TestServerStartsPagesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := newInside(), newFixed()
		serveOn(t, &Server{SignIn: f, Log: slog.New(slog.DiscardHandler), Here: func(surface string) bool { return surface == "tile" }}, l)
		for _, surface := range []string{"tile", "terminal"} {
			c, err := NewClient(t.Context(), l.call(), surface)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []signin.ActionName{signin.Start, signin.Retry, signin.Cancel, signin.Elsewhere} {
				if err := c.Act(t.Context(), signin.Action{Name: name, Serial: 7}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		want := []string{"start same-device", "retry same-device", "cancel", "elsewhere", "start", "retry", "cancel", "elsewhere"}
		if diff := cmp.Diff(want, f.actions()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
