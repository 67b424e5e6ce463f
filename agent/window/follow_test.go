package window

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// script is a sign-in whose screens the test changes.
type script struct {
	mu      sync.Mutex
	now     signin.Screen
	changed chan struct{}
	taken   []signin.Action
}

func newScript(s *local.Screen) *script {
	return &script{now: s.Screen, changed: make(chan struct{})}
}

// change shows another screen.
func (s *script) change(change func(*signin.Screen)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Serial++
	change(&s.now)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *script) NextIn(ctx context.Context, _ string, serial int64) (signin.Screen, error) {
	for {
		s.mu.Lock()
		now, changed := s.now, s.changed
		s.mu.Unlock()
		if now.Serial != serial {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return signin.Screen{}, ctx.Err()
		}
	}
}

func (s *script) Act(_ context.Context, a signin.Action) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Serial != s.now.Serial {
		return signin.ErrStale
	}
	a.Fields = map[string]string{signin.FieldNumber: a.Fields[signin.FieldNumber]} // the service wipes its own
	s.taken = append(s.taken, a)
	return nil
}

func (*script) Logon(context.Context, int64, int64) ([]byte, error) { return nil, signin.ErrNoLogon }

func (s *script) actions() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.taken {
		names = append(names, string(a.Name)+a.Fields[signin.FieldNumber])
	}
	return names
}

// followed is a window's loop without a window.
type followed struct {
	mu      sync.Mutex
	shown   []*local.Screen
	pressed chan press
	ended   chan error
	service net.Conn // the service's end
}

func (f *followed) last() *local.Screen {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown[len(f.shown)-1]
}

// followScript runs the loop against a service that shows the script.
func followScript(t *testing.T, s *script) *followed {
	t.Helper()
	near, far := net.Pipe()
	f := &followed{pressed: make(chan press), ended: make(chan error, 1), service: far}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	server := &local.Server{SignIn: s, Refresh: func(context.Context) api.Code { return "" }, Log: slog.New(slog.DiscardHandler)}
	go server.ServeWindow(ctx, far)
	go func() {
		client, err := local.NewClient(ctx, near, local.SurfaceWindow)
		if err == nil {
			defer client.Close()
			err = follow(ctx, client, showsCode, func(s *local.Screen) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.shown = append(f.shown, s)
			}, f.pressed)
		}
		f.ended <- err
	}()
	return f
}

// The window ends where the tile goes on.
func TestFollowEndsWithTheStatesOfTheWindow(t *testing.T) {
	for _, state := range []signin.State{
		signin.Hidden, signin.Ready, signin.Password, signin.PIN, signin.Creating, signin.Done, signin.Unlock, signin.Renew, signin.Opening, "later",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(screenIn("English", signin.Starting))
			f := followScript(t, s)
			for _, next := range []signin.State{signin.Waiting, signin.Number, signin.Failed} {
				if f.last() == nil || len(f.ended) > 0 {
					t.Fatalf("it ended before %s", next)
				}
				s.change(func(now *signin.Screen) { now.State = next })
			}
			f.last()
			s.change(func(now *signin.Screen) { now.State = state })
			if err := <-f.ended; err != nil || len(f.shown) != 4 {
				t.Errorf("%s: %v after %d screens", state, err, len(f.shown))
			}
		})
	}
}

// What is pressed while the screen changes counts, if the next one asks the same.
func TestFollowSendsAgain(t *testing.T) {
	number := press{action: signin.Action{Name: signin.Submit, Fields: map[string]string{signin.FieldNumber: "47"}}}
	cancel := press{action: signin.Action{Name: signin.Cancel}}
	offline := func(now *signin.Screen) { now.Online = false }
	refused := func(now *signin.Screen) { now.Code, now.Message = api.CodeNumberWrong, "That was another number." }
	elsewhere := func(now *signin.Screen) { *now = screenIn("English", signin.Failed).Screen; now.Serial = 9 }
	for name, c := range map[string]struct {
		press  press
		change func(*signin.Screen)
		want   []string
	}{
		"the number, offline":       {number, offline, []string{"submit47"}},
		"the number, refused since": {number, refused, nil},
		"to cancel, refused since":  {cancel, refused, []string{"cancel"}},
		"to cancel what has failed": {cancel, elsewhere, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(screenIn("English", signin.Number))
				f := followScript(t, s)
				c.press.on = f.last()
				s.change(c.change)
				f.last()
				f.pressed <- c.press // on the screen before
				synctest.Wait()
				if diff := cmp.Diff(c.want, s.actions()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// behind is a service whose screens arrive after it has refused an action.
type behind struct {
	screens chan *local.Screen
	taken   []int64
}

func (b *behind) Next(ctx context.Context, _ int64) (*local.Screen, error) {
	select {
	case s := <-b.screens:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *behind) Act(_ context.Context, a signin.Action) error {
	b.taken = append(b.taken, a.Serial)
	if a.Serial < 8 {
		return signin.ErrStale
	}
	return nil
}

func TestFollowWaitsForTheScreenThatMadeItLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &behind{screens: make(chan *local.Screen)}
		pressed := make(chan press)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- follow(ctx, b, showsCode, func(*local.Screen) {}, pressed) }()
		first, second := screenIn("English", signin.Waiting), screenIn("English", signin.Waiting)
		second.Serial = 8
		b.screens <- first
		synctest.Wait()
		pressed <- press{first, signin.Action{Name: signin.Cancel}}
		synctest.Wait()
		b.screens <- second
		synctest.Wait()
		if !slices.Equal(b.taken, []int64{7, 8}) {
			t.Errorf("%v", b.taken)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A service that hangs up ends the window, and so does one that says nothing.
func TestFollowEndsWithTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := followScript(t, newScript(screenIn("English", signin.Waiting)))
		f.last()
		f.service.Close()
		if err := <-f.ended; err != nil {
			t.Errorf("it hung up: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go func() { _, _ = io.WriteString(far, "hello 1\n\n") }()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		client, err := local.NewClient(t.Context(), near, local.SurfaceWindow)
		if err != nil {
			t.Error(err)
			return
		}
		begun := time.Now()
		err = follow(t.Context(), client, showsCode, func(*local.Screen) {}, nil)
		if took := time.Since(begun); !errors.Is(err, local.ErrClosed) || took > time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}
