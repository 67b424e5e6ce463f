package reach

import (
	"context"
	"sync"
	"time"
)

// How long what was seen is good for. Nobody asks while nobody wants to know.
const (
	goodFor    = 20 * time.Second
	badFor     = 4 * time.Second // somebody may be standing before a login window
	firstSight = 2 * time.Second
)

// Watch keeps what was seen last, and looks again behind whoever asks.
type Watch struct {
	look   func(context.Context) State
	ctx    context.Context // of the looks; ended by Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	state   State
	seen    time.Time     // zero: never
	looking chan struct{} // of the look under way, closed with it; nil: none
	again   bool          // things changed while it looked
}

// NewWatch makes a watch of what p sees. Close ends it.
func NewWatch(p *Probe) *Watch { return newWatch(p.Look) }

func newWatch(look func(context.Context) State) *Watch {
	w := &Watch{look: look, state: State{Internet: Unknown, Directory: Unknown}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close ends the look under way, and waits for it.
func (w *Watch) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.done.Wait()
}

// State gives what was seen last, at once; the first time, it waits two seconds
// for it. It never waits longer than ctx.
func (w *Watch) State(ctx context.Context) State {
	w.mu.Lock()
	age := badFor
	if w.state.Internet == Yes && w.state.Directory != No {
		age = goodFor
	}
	never := w.seen.IsZero()
	if w.looking == nil && !w.closed && (never || time.Since(w.seen) >= age) {
		w.begin()
	}
	looking := w.looking
	w.mu.Unlock()
	if never && looking != nil {
		wait := time.NewTimer(firstSight)
		defer wait.Stop()
		select {
		case <-looking:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Refresh looks again, since things have changed: another network was joined.
func (w *Watch) Refresh() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
	case w.looking != nil:
		w.again = true
	default:
		w.begin()
	}
}

// begin looks behind. The lock is held.
func (w *Watch) begin() {
	w.looking = make(chan struct{})
	w.done.Go(func() {
		for {
			s := w.look(w.ctx)
			w.mu.Lock()
			if w.again && w.ctx.Err() == nil { // this one may be of the network before
				w.again = false
				w.mu.Unlock()
				continue
			}
			if w.ctx.Err() == nil {
				w.state, w.seen = s, time.Now()
			}
			close(w.looking)
			w.looking = nil
			w.mu.Unlock()
			return
		}
	})
}
