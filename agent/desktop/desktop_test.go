package desktop

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"github.com/google/go-cmp/cmp"
)

// scene is a keeper with a sign-in, a console and windows that the test drives.
type scene struct {
	*Keeper
	t *testing.T

	mu      sync.Mutex
	screen  signin.Screen
	changed chan struct{}
	taken   bool // somebody is signed in at the console
	broken  error

	sessions chan struct{}
	deaf     bool // a window does not go when it is asked to
	windows  []*pretend
	reports  []string

	choice    api.SignInWindow
	unready   error
	pagesFail error
	pagesHang bool // opening them takes for ever
	silent    bool // they show nothing
}

// pretend is a window.
type pretend struct {
	s      *scene
	opened time.Time
	gone   chan struct{}
	once   sync.Once
	closed time.Time
	forced bool
	pages  bool
}

func (w *pretend) Read([]byte) (int, error)    { <-w.gone; return 0, io.EOF }
func (w *pretend) Write(p []byte) (int, error) { return len(p), nil }
func (w *pretend) Ended() <-chan struct{}      { return w.gone }
func (w *pretend) exit()                       { w.once.Do(func() { w.closed = time.Now(); close(w.gone) }) }

func (w *pretend) Close() error {
	if !w.s.deaf {
		w.exit()
	}
	return nil
}

func (w *pretend) End() error {
	_ = w.Close()
	patience := 2 * time.Second
	if w.pages {
		patience = pagesPatience
	}
	select {
	case <-w.gone:
	case <-time.After(patience):
		w.forced = true
		w.exit()
	}
	return nil
}

func (s *scene) Screen() signin.Screen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen
}

func (s *scene) Next(ctx context.Context, serial int64) (signin.Screen, error) {
	for {
		s.mu.Lock()
		screen, changed := s.screen, s.changed
		s.mu.Unlock()
		if screen.Serial != serial {
			return screen, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return screen, ctx.Err()
		}
	}
}

// Elsewhere does as the machine does.
func (s *scene) Elsewhere(context.Context) error {
	if screen := s.Screen(); screen.Here && slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, screen.State) {
		s.change(signin.Starting, false)
	}
	return nil
}

// show lets the sign-in show another screen.
func (s *scene) show(states ...signin.State) {
	for _, state := range states {
		s.change(state, s.Screen().Here && slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, state))
	}
	synctest.Wait()
}

func (s *scene) change(state signin.State, here bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen = signin.Screen{Serial: s.screen.Serial + 1, State: state, Here: here}
	close(s.changed)
	s.changed = make(chan struct{})
}

// tile starts the sign-in at the tile.
func (s *scene) tile() {
	s.change(signin.Starting, s.Here(TileSurface))
	s.Started(TileSurface)
	synctest.Wait()
}

func (s *scene) open() (n, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.windows {
		select {
		case <-w.gone:
		default:
			n++
		}
	}
	if n > 1 {
		s.t.Errorf("%d windows at once", n)
	}
	return n, len(s.windows)
}

// expect says how many windows are open, and how many there have been.
func (s *scene) expect(open, ever int) {
	s.t.Helper()
	synctest.Wait()
	if n, all := s.open(); n != open || all != ever {
		s.t.Errorf("%d of %d windows are open, want %d of %d", n, all, open, ever)
	}
}

// expectReports says what was reported so far.
func (s *scene) expectReports(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.reports); diff != "" {
		s.t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// window gives one that there has been.
func (s *scene) window(n int) *pretend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.windows[n]
}

// play runs a keeper in time of its own.
func play(t *testing.T, test func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, changed: make(chan struct{}), screen: signin.Screen{Serial: 1, State: signin.Ready}}
		s.Keeper = NewKeeper(s)
		s.sessions = make(chan struct{})
		s.Sessions = s.sessions
		s.Log = slog.New(slog.DiscardHandler)
		s.Vacant = func() bool { s.mu.Lock(); defer s.mu.Unlock(); return !s.taken }
		s.Report = func(_ context.Context, problem string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reports = append(s.reports, problem)
		}
		s.Open = func(context.Context) (Window, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			w := &pretend{s: s, opened: time.Now(), gone: make(chan struct{})}
			s.windows = append(s.windows, w)
			if s.broken != nil {
				w.exit()
				return nil, s.broken
			}
			return w, nil
		}
		s.Serve = func(ctx context.Context, conn io.ReadWriteCloser) {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			_, _ = io.Copy(io.Discard, conn)
		}
		s.Choice = func() api.SignInWindow { s.mu.Lock(); defer s.mu.Unlock(); return s.choice }
		s.Pages = s.pages()
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { s.Run(ctx) })
		synctest.Wait()
		test(s)
		cancel()
		group.Wait()
		if n, _ := s.open(); n != 0 {
			t.Errorf("%d windows are left", n)
		}
	})
}

// The window is there in the states that have something for it, and only if the
// tile started the sign-in.
func TestWindowFollowsTheSignIn(t *testing.T) {
	play(t, func(s *scene) {
		s.expect(0, 0)
		s.tile()
		s.expect(1, 1)
		s.show(signin.Waiting)
		s.show(signin.Number)
		s.expect(1, 1)
		s.show(signin.Password)
		s.expect(0, 1)
		s.show(signin.Failed) // and back, for the same sign-in
		s.expect(1, 2)
		s.show(signin.Ready)
		s.expect(0, 2)
		s.show(signin.Starting, signin.Waiting)
		s.expect(0, 2) // somebody else started this one
	})
}

func TestWindowIsForTheTileOnly(t *testing.T) {
	for _, surface := range []string{"terminal", "window", "login", ""} {
		play(t, func(s *scene) {
			s.show(signin.Starting)
			s.Started(surface)
			s.show(signin.Waiting)
			time.Sleep(time.Minute)
			s.expect(0, 0)
		})
	}
}

// The tile's start is told after the screen has changed, perhaps much later.
func TestStartThatCameToNothing(t *testing.T) {
	play(t, func(s *scene) {
		s.show(signin.Starting, signin.Ready)
		s.Started(TileSurface)
		synctest.Wait()
		s.show(signin.Starting, signin.Waiting)
		s.expect(0, 0)
	})
}

func TestOpenAndCloseWithinASecond(t *testing.T) {
	play(t, func(s *scene) {
		begun := time.Now()
		s.tile()
		s.show(signin.Password)
		s.expect(0, 1)
		if w := s.window(0); w.opened.Sub(begun) > time.Second || w.closed.Sub(begun) > time.Second || w.forced {
			t.Errorf("opened after %v, closed after %v", w.opened.Sub(begun), w.closed.Sub(begun))
		}
	})
}

func TestWindowThatHangsIsEnded(t *testing.T) {
	play(t, func(s *scene) {
		s.deaf = true
		s.tile()
		s.show(signin.Ready)
		s.expect(1, 1)
		s.tile() // it has to go first
		s.expect(1, 1)
		time.Sleep(2 * time.Second)
		s.expect(1, 2)
		if !s.window(0).forced {
			t.Error("the first one was not ended")
		}
	})
}

// Somebody signs in by another way: the window goes, and comes back when they
// have gone.
func TestWindowOnlyWhereNobodyIsSignedIn(t *testing.T) {
	for name, notice := range map[string]func(*scene){
		"told":  func(s *scene) { s.sessions <- struct{}{} },
		"found": func(*scene) { time.Sleep(lookPause) },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				take := func(taken bool) {
					s.mu.Lock()
					s.taken = taken
					s.mu.Unlock()
					notice(s)
				}
				take(true)
				s.tile()
				s.expect(0, 0)
				take(false)
				s.expect(1, 1)
				take(true)
				s.expect(0, 1)
			})
		})
	}
}

func TestWindowThatDiesIsTriedThreeTimes(t *testing.T) {
	play(t, func(s *scene) {
		s.tile()
		for n := 1; n <= 3; n++ {
			s.expect(1, n)
			s.window(n - 1).exit()
			synctest.Wait()
			time.Sleep(lookPause)
		}
		time.Sleep(time.Hour)
		s.expect(0, 3)
		s.show(signin.Number)
		s.expect(0, 3)
		s.expectReports(errGone.Error())
		s.show(signin.Ready) // another sign-in, another try
		s.tile()
		s.expect(1, 4)
		s.expectReports(errGone.Error(), "")
	})
}

func TestWindowThatDiesSeldomComesBack(t *testing.T) {
	play(t, func(s *scene) {
		s.tile()
		for n := 1; n <= 10; n++ {
			s.expect(1, n)
			time.Sleep(triesTime/2 + time.Second)
			s.window(n - 1).exit()
			synctest.Wait()
			time.Sleep(lookPause)
		}
		s.expect(1, 11)
		s.expectReports()
	})
}

// Who has read why a sign-in failed closes the window, and it stays closed until
// they try again at the tile.
func TestWindowThatIsClosedStaysClosed(t *testing.T) {
	play(t, func(s *scene) {
		s.tile()
		s.show(signin.Failed)
		s.expect(1, 1)
		s.window(0).exit()
		s.expect(0, 1)
		s.show(signin.Failed) // only the network has changed
		time.Sleep(time.Hour)
		s.expect(0, 1)
		s.expectReports()
		s.tile()
		s.expect(1, 2)
	})
}

func TestWindowThatCannotBeOpened(t *testing.T) {
	play(t, func(s *scene) {
		s.broken = errors.New("no such desktop")
		s.tile()
		time.Sleep(time.Minute)
		s.expect(0, 3)
		s.expectReports("no such desktop")
	})
}

// Who hangs up, or is hung up on for what it sends, is no window any more.
func TestWindowThatHangsUp(t *testing.T) {
	play(t, func(s *scene) {
		s.Serve = func(context.Context, io.ReadWriteCloser) {}
		s.tile()
		time.Sleep(time.Minute)
		s.expect(0, 3)
		s.expectReports(errSilent.Error())
	})
}

// An old screen, told late, ends no sign-in.
func TestOldScreens(t *testing.T) {
	l := life{vacant: true}
	l.enter(signin.Screen{Serial: 5, State: signin.Starting}, time.Now())
	l.ask(time.Now())
	l.enter(signin.Screen{Serial: 4, State: signin.Ready}, time.Now())
	if !l.wanted(time.Now()) {
		t.Error("the window is not wanted any more")
	}
}

// Every state says whether it has a window.
func TestStates(t *testing.T) {
	want := map[signin.State]bool{
		signin.Hidden: false, signin.Ready: false, signin.Starting: true, signin.Waiting: true, signin.Number: true, signin.Failed: true,
		signin.Password: false, signin.PIN: false, signin.Creating: false, signin.Done: false,
		signin.Unlock: false, signin.Renew: false, signin.Opening: false,
	}
	got := make(map[signin.State]bool)
	for state := range want {
		l := life{vacant: true}
		l.enter(signin.Screen{State: state}, time.Now())
		l.ask(time.Now())
		got[state] = l.wanted(time.Now())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
