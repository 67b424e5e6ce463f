package main

import (
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"firstday.dev/station"
)

// stickBars draws a bar for each stick, where progress draws one.
type stickBars struct {
	*progress
	mu   sync.Mutex
	bars map[string]*stickBar
}

type stickBar struct {
	*mpb.Bar
	phase atomic.Value // station.Phase
}

func newStickBars(c *cobra.Command) *stickBars {
	return &stickBars{progress: newProgress(c), bars: make(map[string]*stickBar)}
}

func (s *stickBars) event(e station.Event) {
	if s.pool == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bars[e.Target]
	if b == nil {
		b = new(stickBar)
		b.phase.Store(e.Phase)
		name := func(decor.Statistics) string { return e.Target + " " + string(b.phase.Load().(station.Phase)) }
		b.Bar = s.pool.AddBar(0, // one with a total could not be ended early
			mpb.PrependDecorators(decor.Any(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(s.counter()))
		s.bars[e.Target] = b
	}
	b.phase.Store(e.Phase)
	b.SetTotal(e.Total, false)
	b.SetCurrent(e.Done)
	if e.Result != nil {
		b.phase.Store(station.Phase(e.Result.Outcome))
		b.SetTotal(-1, true)
	}
}

// close leaves the terminal clean.
func (s *stickBars) close() {
	s.mu.Lock()
	for _, b := range s.bars {
		b.Abort(false) // those that never ended
	}
	s.mu.Unlock()
	s.progress.close()
}
