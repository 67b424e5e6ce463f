package beside

import (
	"context"
	"time"

	"firstday.dev/agent/local"
)

// How long to pause before the service is tried again, and how long at last.
const (
	firstPause = time.Second
	longPause  = 10 * time.Second
)

// follow gives what the service shows, until the context ends. A service that is
// silent is tried again.
func (b *Beside) follow(ctx context.Context, sights chan<- sight) {
	give := func(s sight) {
		select {
		case sights <- s:
		case <-ctx.Done():
		}
	}
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		spoke, err := b.listen(ctx, give)
		if ctx.Err() != nil {
			return
		}
		b.Log.DebugContext(ctx, "the agent's service is silent", "error", err)
		if spoke {
			give(sight{})
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// listen gives each screen of one connection. It tells whether there was any.
func (b *Beside) listen(ctx context.Context, give func(sight)) (spoke bool, err error) {
	conn, err := b.Dial(ctx)
	if err != nil {
		return false, err
	}
	c, err := local.NewClient(ctx, conn, local.InSession(local.SurfaceBeside, b.AuditSession))
	if err != nil {
		return false, err
	}
	defer c.Close() //nolint:errcheck // it always closes
	for serial := int64(0); ; spoke = true {
		s, err := c.Next(ctx, serial)
		if err != nil {
			return spoke, err
		}
		give(sight{c, s})
		serial = s.Serial
	}
}
