package main

import (
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress draws one bar on standard error, for whoever watches: where
// standard error is not a terminal, or --quiet or --json was given, it draws
// nothing.
type progress struct {
	pool *mpb.Progress
	bar  *mpb.Bar
	name string
	// counter makes what shows how far a bar is.
	counter func() decor.Decorator
}

func countBytes() decor.Decorator  { return decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace) }
func countThings() decor.Decorator { return decor.CountersNoUnit("%d / %d", decor.WCSyncSpace) }

// newProgress starts drawing for the command c; close ends it.
func newProgress(c *cobra.Command) *progress {
	quiet, _ := c.Flags().GetBool("quiet")
	asJSON, _ := c.Flags().GetBool("json")
	// A terminal of no width, as some pipelines have, would never see a bar end.
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if quiet || asJSON || err != nil || width <= 0 {
		return &progress{}
	}
	return &progress{counter: countBytes, pool: mpb.New(mpb.WithOutput(io.Writer(os.Stderr)), mpb.WithWidth(64), mpb.WithRefreshRate(100*time.Millisecond))}
}

// step reports that done of total bytes, or what the counter counts, of the step
// called name are behind us. A new name begins a new bar.
func (p *progress) step(name string, done, total int64) {
	if p.pool == nil {
		return
	}
	if p.bar == nil || p.name != name {
		p.finish()
		p.name = name
		p.bar = p.pool.AddBar(0, // one with a total could not be ended early
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(
				p.counter(),
				decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	}
	p.bar.SetTotal(total, false)
	p.bar.SetCurrent(done)
}

// finish completes the bar that is being drawn, if any.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.SetTotal(-1, true)
		p.bar = nil
	}
}

// close leaves the terminal clean. It may be deferred.
func (p *progress) close() {
	if p.pool == nil {
		return
	}
	if p.bar != nil {
		p.bar.Abort(false)
		p.bar = nil
	}
	p.pool.Wait()
}
