package reach

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	good = State{Internet: Yes, Directory: Yes}
	bad  = State{Internet: Captive, Directory: No, Portal: "http://portal.example/"}
)

// sight is a look that takes a while.
type sight struct {
	takes time.Duration
	looks atomic.Int32

	mu    sync.Mutex
	state State
}

func (s *sight) set(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *sight) look(ctx context.Context) State {
	s.looks.Add(1)
	select {
	case <-time.After(s.takes):
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.state
	case <-ctx.Done():
		return State{Internet: No, Directory: No}
	}
}

func TestWatchLooksAgainWhenSomebodyWantsToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sight{takes: time.Second, state: bad}
		w := newWatch(s.look)
		defer w.Close()
		if got := w.State(t.Context()); got != bad { // waited for
			t.Errorf("first %+v", got)
		}
		time.Sleep(time.Hour)
		if n := s.looks.Load(); n != 1 {
			t.Errorf("%d looks while nobody asked", n)
		}
		s.set(good)
		begun := time.Now()
		if got := w.State(t.Context()); got != bad || time.Since(begun) != 0 { // at once
			t.Errorf("%+v after %v", got, time.Since(begun))
		}
		time.Sleep(2 * time.Second)
		if got := w.State(t.Context()); got != good {
			t.Errorf("%+v", got)
		}
		for range 10 { // a page asks each second
			w.State(t.Context())
			time.Sleep(time.Second)
		}
		if n := s.looks.Load(); n != 2 {
			t.Errorf("%d looks at what is well", n)
		}
		s.set(bad)
		time.Sleep(goodFor)
		w.State(t.Context())
		for range 8 {
			time.Sleep(time.Second)
			w.State(t.Context())
		}
		if n := s.looks.Load(); n < 4 {
			t.Errorf("%d looks at what is not", n)
		}
	})
}

func TestWatchIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch((&sight{takes: time.Hour}).look)
		begun := time.Now()
		if got := w.State(t.Context()); got != (State{Internet: Unknown, Directory: Unknown}) || time.Since(begun) != firstSight {
			t.Errorf("%+v after %v", got, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if w.State(ctx); time.Since(begun) != time.Second {
			t.Errorf("after %v", time.Since(begun))
		}
		w.Close() // ends the look
		if got := w.State(t.Context()); got != (State{Internet: Unknown, Directory: Unknown}) {
			t.Errorf("%+v", got)
		}
		w.Refresh() // does nothing any more
	})
}

// What was seen of the network before is not told of the one after.
func TestRefreshOverlaysALookUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sight{takes: time.Second, state: bad}
		w := newWatch(s.look)
		defer w.Close()
		w.Refresh()
		time.Sleep(500 * time.Millisecond)
		w.Refresh()
		time.Sleep(600 * time.Millisecond) // the first is over
		s.set(good)
		if got := w.State(t.Context()); got != good || s.looks.Load() != 2 {
			t.Errorf("%+v after %d looks", got, s.looks.Load())
		}
		w.Refresh()
		time.Sleep(2 * time.Second)
		if s.looks.Load() != 3 {
			t.Errorf("%d looks", s.looks.Load())
		}
	})
}
