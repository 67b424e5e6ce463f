package local

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"firstday.dev/agent/signin"
)

// The names of the sign-in windows among the surfaces.
const (
	SurfaceWindow = "window"
	SurfacePages  = "pages"
)

// ServeWindow speaks with the sign-in window, until it hangs up or the context
// ends. The window runs under an account of few rights, beside whatever else
// that account may come to run; so it may do less than other surfaces, and is
// told less: see docs/local-protocol.md. Closing the pipes must end a waiting
// Read; whoever started the process at the other end ends it.
func (s *Server) ServeWindow(ctx context.Context, pipes io.ReadWriteCloser) {
	s.serve(ctx, pipes, &windowed{SignIn: s.SignIn, tell: forWindow}, nil)
}

// ServePages is ServeWindow for the window that shows the sign-in's pages. shown is
// called when it says that the first one is there.
func (s *Server) ServePages(ctx context.Context, pipes io.ReadWriteCloser, shown func()) {
	s.serve(ctx, pipes, &windowed{SignIn: s.SignIn, tell: forPages}, shown)
}

func (s *Server) serve(ctx context.Context, pipes io.ReadWriteCloser, signIn *windowed, shown func()) {
	limited := &Server{SignIn: signIn, Refresh: s.Refresh, Started: s.Started, Version: s.Version, Log: s.Log}
	conn := OverPipes(pipes)
	c := &session{Server: limited, conn: conn, lines: lines{r: conn}, typed: make(typed), shown: shown}
	c.run(ctx)
}

// errDenied: the surface may not do that.
var errDenied = errors.New("this surface may not do that")

// windowed is the sign-in as the window sees it.
type windowed struct {
	SignIn
	tell  func(*signin.Screen) signin.Screen // what of a screen
	mu    sync.Mutex
	shown signin.Screen // the last one it was told
}

// NextIn tells screens without what a window has no use for.
func (w *windowed) NextIn(ctx context.Context, session string, serial int64) (signin.Screen, error) {
	s, err := w.SignIn.NextIn(ctx, session, serial)
	if err != nil {
		return signin.Screen{}, err
	}
	s = w.tell(&s)
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Serial > w.shown.Serial { // two watches may end in any order
		w.shown = s
	}
	return s, nil
}

// forWindow gives what the window is told that shows a code. Of screens that are
// the tile's it learns that they are there, so that it goes.
func forWindow(s *signin.Screen) signin.Screen {
	out := bare(s)
	switch s.State {
	case signin.Starting, signin.Waiting, signin.Number, signin.Failed:
	default:
		return out
	}
	dress(&out, s, signin.Cancel)
	if s.State == signin.Waiting {
		out.UserCode, out.URI, out.QR = s.UserCode, s.URI, s.QR
	}
	return out
}

// forPages gives what the window is told that shows the pages: of a sign-in that
// has others, nothing.
func forPages(s *signin.Screen) signin.Screen {
	out := bare(s)
	if !s.Here {
		return out
	}
	switch s.State {
	case signin.Starting, signin.Waiting, signin.Number:
	default:
		return out
	}
	dress(&out, s, signin.Cancel, signin.Elsewhere)
	if s.State == signin.Waiting {
		out.Page, out.Origins = s.Page, s.Origins
	}
	return out
}

func bare(s *signin.Screen) signin.Screen {
	return signin.Screen{Serial: s.Serial, State: s.State, Title: s.Title, Message: s.Message}
}

// dress adds what every window shows, and buttons that need no field.
func dress(out, s *signin.Screen, buttons ...signin.ActionName) {
	out.Online, out.Code, out.Help, out.Text, out.Ends, out.Device = s.Online, s.Code, s.Help, s.Text, s.Ends, s.Device
	for _, a := range s.Actions {
		if slices.Contains(buttons, a.Name) || a.Name == signin.Submit && s.State == signin.Number {
			out.Actions = append(out.Actions, a)
		}
	}
	for _, f := range s.Fields {
		if s.State == signin.Number && f.Name == signin.FieldNumber && f.Digits && !f.Secret {
			out.Fields = append(out.Fields, f)
		}
	}
}

// Act passes on what the window may do on the screen that it was told last.
func (w *windowed) Act(ctx context.Context, a signin.Action) error {
	w.mu.Lock()
	shown := w.shown
	w.mu.Unlock()
	offered := slices.ContainsFunc(shown.Actions, func(b signin.ActionButton) bool { return b.Name == a.Name })
	switch {
	case a.Serial != shown.Serial:
		return signin.ErrStale
	case !offered || a.SameDevice:
		return errDenied
	case a.Name != signin.Submit && len(a.Fields) > 0, a.Name == signin.Submit && !onlyNumber(a.Fields):
		return errDenied
	}
	return w.SignIn.Act(ctx, a)
}

// Logon is for tiles.
func (*windowed) Logon(context.Context, int64, int64) ([]byte, error) { return nil, errDenied }

// MaxNumber is how many digits the window may send.
const MaxNumber = 16

// onlyNumber tells fields that hold a number, and nothing else.
func onlyNumber(fields map[string]string) bool {
	number := fields[signin.FieldNumber]
	return len(fields) == 1 && number != "" && len(number) <= MaxNumber && strings.Trim(number, "0123456789") == ""
}
