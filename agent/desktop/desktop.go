// Package desktop shows the sign-in window on the screen at which Windows has
// people sign in: a process of its own, under an account that may do nothing
// else, for as long as the sign-in has something to show there. The tile shows
// all that the window does, only smaller: whatever fails here ends in no window,
// never in a sign-in that does not go on.
//
// # How the window gets there
//
// The screen is the desktop Winlogon of the window station WinSta0 in the
// session of the console. The service is in session 0, where no window station
// of another session can be opened by name, so two processes are started there,
// both this very program:
//
//   - The doorkeeper (the command [DoorkeeperCommand]), with the service's own
//     token, stripped of its privileges and moved into that session. It adds one
//     entry each to the access lists of WinSta0 and Winlogon, for the logon SID
//     of the window's token, waits for the end of its standard input, and takes
//     the entries back. It shows nothing and reads one line. Since the end of
//     the service ends its input, the way back needs no service.
//   - The window (the command [WindowCommand]), started by the service itself
//     with the restricted token of our account: suspended, put into a job, then
//     resumed. CreateProcessAsUser takes the session from the token, so that the
//     service keeps the job and the pipes: when it dies, so does the window.
//
// The other ways are worse. To have the process in that session start the window
// puts a process of SYSTEM with privileges between the two, which has to hand
// over pipes and job. To start the window from the tile, as Google's credential
// provider does, works only with what LogonUI's token has left of SYSTEM's
// privileges, and makes a DLL in LogonUI do it. To run the window as SYSTEM, as
// remote control programs do, needs no access list at all; it also puts SYSTEM
// where anybody can press keys.
//
// # What the window may do
//
// Its token is that of a batch logon of a local account that is in no group,
// without privileges, at medium integrity: objects without a label, as the
// desktop may be, count as medium, so that a process at low integrity could make
// no window on it; LogonUI is at system integrity, so that a process at medium
// can send it nothing. Its entry in the access lists is for this logon only. Its
// handles are two pipes and NUL; its environment tells where Windows is.
//
// # What nothing here has seen
//
// No Windows has run this. Wine has neither sessions nor a desktop Winlogon, lets
// everybody log on and checks no access to desktops. The tests see the life of
// the window, the bytes of the access lists, and under Wine a child with its
// token, job, handles and pipes; docs/hardware.md lists what a person must look
// at.
//
// # Pages
//
// Where the organisation wants it, the window shows the sign-in's pages, by the
// command [PagesCommand], and what fails there is a code again: see [Pages].
package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// The arguments that make this program one of the processes.
const (
	WindowCommand     = "signin-window"
	PagesCommand      = "signin-web"
	DoorkeeperCommand = "desktop-access"
)

// TileSurface is how the tile names itself in the local protocol.
const TileSurface = "tile"

// SignIn is the sign-in that the window shows. [signin.Machine] is one.
type SignIn interface {
	Screen() signin.Screen
	Next(ctx context.Context, serial int64) (signin.Screen, error)
	// Elsewhere has a sign-in go on that has lost its pages.
	Elsewhere(ctx context.Context) error
}

// Window is a window that is open, and the pipes to its process.
type Window interface {
	io.ReadWriteCloser // Close asks the process to end
	// Ended is closed when the process has.
	Ended() <-chan struct{}
	// End ends the process, kindly or not, and takes back what it was allowed. It
	// says how the process ended by itself, nil if it did not or did well.
	End() error
}

// Keeper keeps the window open while it is wanted.
type Keeper struct {
	SignIn SignIn
	// Open starts a window. It may take seconds; it ends early with the context.
	Open func(context.Context) (Window, error)
	// Serve speaks the local protocol with the window, until the context ends,
	// or the connection does. It closes the connection.
	Serve func(context.Context, io.ReadWriteCloser)
	// Choice is what the organisation wants to stand beside the tile.
	Choice func() api.SignInWindow
	Pages  Pages
	// Vacant tells whether the console shows the sign-in screen and nobody is
	// signed in there.
	Vacant func() bool
	// Sessions tells that somebody signed in or out, or another session has the
	// console. nil: nobody tells, and the keeper only looks now and then.
	Sessions <-chan struct{}
	// Report is told why there is no window any more in this sign-in, and nothing
	// ("") once there is one again.
	Report func(context.Context, string)
	Log    *slog.Logger

	asked   chan struct{}
	noPages atomic.Bool               // that there are none is reported
	lost    atomic.Pointer[time.Time] // when pages were lost last; nil: never
}

// NewKeeper gives a keeper whose other fields are to be set before Run.
func NewKeeper(signIn SignIn) *Keeper {
	return &Keeper{SignIn: signIn, asked: make(chan struct{}, 1)}
}

// Started takes that a surface has started the sign-in. It never waits.
func (k *Keeper) Started(surface string) {
	if surface != TileSurface {
		return
	}
	select {
	case k.asked <- struct{}{}:
	default: // it was told already
	}
}

// lookPause is how often the keeper looks at the console while a sign-in of the
// tile's is under way: not everything that happens there is told.
const lookPause = time.Second

// Run keeps the window until the context ends, and leaves none open.
func (k *Keeper) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	screens := k.watch(ctx)
	defer func() {
		cancel()
		for range screens { // until the watch has ended
		}
	}()
	l := new(life)
	var show showing
	defer func() { show.close() }()
	reported := false
	for {
		if l.stranded() {
			k.elsewhere(ctx, l)
		}
		switch wanted := l.wanted(time.Now()); {
		case !wanted, show.open() && show.pages != l.here:
			show.leave()
		case !show.open():
			show = k.begin(ctx, l)
		}
		var look <-chan time.Time
		if l.asked {
			look = time.After(lookPause)
		}
		select {
		case s := <-screens:
			l.enter(s, time.Now())
		case <-k.asked:
			// The screen that came of it is shown already, though perhaps not
			// heard of here.
			l.enter(k.SignIn.Screen(), time.Now())
			l.vacant = k.Vacant()
			l.ask(time.Now())
			if k.Choice() == api.WindowOff {
				l.asked = false
			}
		case <-k.Sessions:
			l.vacant = k.Vacant()
		case <-look:
			l.vacant = k.Vacant()
		case <-show.limit:
			show.limit = nil
			k.lose(ctx, l, errLate)
		case <-show.shown:
			show.shown, show.limit = nil, nil
			k.report(ctx, "")
		case err := <-show.ended:
			asked, pages := show.left, show.pages
			show.close()
			show = showing{}
			l.enter(k.SignIn.Screen(), time.Now()) // which the window may have heard of first
			if asked || ctx.Err() != nil || !l.wanted(time.Now()) || pages != l.here {
				break
			}
			if pages {
				k.lose(ctx, l, err)
				break
			}
			k.Log.WarnContext(ctx, "the sign-in window ended", "error", err)
			if l.died(time.Now()) {
				k.Log.ErrorContext(ctx, "there is no sign-in window in this sign-in; the tile goes on", "error", err)
				k.Report(ctx, err.Error())
				reported = true
			}
		case <-show.opened:
			show.opened = nil
			if reported {
				k.Report(ctx, "")
				reported = false
			}
		case <-ctx.Done():
			return
		}
	}
}

// watch tells of each screen, until the context ends.
func (k *Keeper) watch(ctx context.Context) <-chan signin.Screen {
	screens := make(chan signin.Screen)
	go func() {
		defer close(screens)
		for serial := int64(0); ; {
			s, err := k.SignIn.Next(ctx, serial)
			if err != nil {
				return
			}
			serial = s.Serial
			select {
			case screens <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	return screens
}

// showing is one window, from before it is there until after it has gone. The
// zero value is none.
type showing struct {
	opened <-chan struct{}
	ended  <-chan error
	cancel context.CancelFunc
	left   bool // it was told to go

	pages bool
	shown <-chan struct{}  // the first page is there
	limit <-chan time.Time // when it should be
}

func (s *showing) open() bool { return s.ended != nil }

// leave tells the window to go.
func (s *showing) leave() {
	if s.open() {
		s.left = true
		s.cancel()
	}
}

// close waits until the window has gone.
func (s *showing) close() {
	if s.open() {
		s.cancel()
		for range s.ended { // until it is closed
		}
	}
}

// begin opens the window that the sign-in wants.
func (k *Keeper) begin(ctx context.Context, l *life) showing {
	ctx, cancel := context.WithCancel(ctx)
	opened, ended, shown := make(chan struct{}, 1), make(chan error, 1), make(chan struct{}, 1)
	s := showing{opened: opened, ended: ended, cancel: cancel}
	open, serve := k.Open, k.Serve
	if l.here {
		s.pages, s.shown, s.limit = true, shown, time.After(time.Until(l.since.Add(pagesTime)))
		open = k.Pages.Open
		serve = func(ctx context.Context, conn io.ReadWriteCloser) {
			k.Pages.Serve(ctx, conn, sync.OnceFunc(func() { shown <- struct{}{} }))
		}
	}
	go func() {
		defer close(ended)
		ended <- k.show(ctx, open, serve, opened)
	}()
	return s
}

var (
	// errGone: the window was there, and then it was not.
	errGone = errors.New("it closed by itself")
	// errSilent: its process is there, but the conversation has ended.
	errSilent = errors.New("it hung up, or does not speak the local protocol")
)

// show opens a window and serves it. It gives why the window ended though
// nobody wanted it to.
func (k *Keeper) show(ctx context.Context, open func(context.Context) (Window, error), serve func(context.Context, io.ReadWriteCloser), opened chan<- struct{}) error {
	w, err := open(ctx)
	if err != nil {
		return err
	}
	k.Log.InfoContext(ctx, "the sign-in window is open")
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(serving, w)
	}()
	opened <- struct{}{}
	why := errGone
	select {
	case <-w.Ended():
	case <-served:
		why = errSilent
	case <-ctx.Done():
	}
	stop()
	err = w.End()
	<-served
	if err != nil {
		return fmt.Errorf("%w (%w)", why, err)
	}
	return why
}
