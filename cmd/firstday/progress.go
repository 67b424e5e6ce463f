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
	// counter shows how far a bar is.
	counter decor.Decorator
}

// newProgress starts drawing for the command c; close ends it.
func newProgress(c *cobra.Command) *progress {
	quiet, _ := c.Flags().GetBool("quiet")
	asJSON, _ := c.Flags().GetBool("json")
	if quiet || asJSON || !term.IsTerminal(int(os.Stderr.Fd())) {
		return &progress{}
	}
	return &progress{counter: decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace), pool: mpb.New(mpb.WithOutput(io.Writer(os.Stderr)), mpb.WithWidth(64), mpb.WithRefreshRate(100*time.Millisecond))}
}

// step reports that done of total bytes, or what the counter counts, of the step called name are behind us.
// A new name begins a new bar.
func (p *progress) step(name string, done, total int64) {
	if p.pool == nil {
		return
	}
	if p.bar == nil || p.name != name {
		p.finish()
		p.name = name
		p.bar = p.pool.AddBar(total,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(
				p.counter,
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
