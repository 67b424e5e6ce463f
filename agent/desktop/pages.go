package desktop

import (
	"context"
	"errors"
	"io"
	"time"

	"firstday.dev/api"
)

// Pages are windows that show the sign-in's pages themselves, instead of a code to
// open them elsewhere with.
type Pages struct {
	// Ready tells why this device cannot show pages; nil: it may.
	Ready func() error
	Open  func(context.Context) (Window, error)
	// Serve is that of [Keeper], and calls shown when the first page is there.
	Serve func(ctx context.Context, conn io.ReadWriteCloser, shown func())
	// Report is told why the last sign-in that should have had pages went on with a
	// code, and nothing ("") once one has them, or none should.
	Report func(context.Context, string)
}

// Whoever clicked has the code before them within ten seconds, whatever becomes of
// the pages: that is how long the first one may take, from the click, how long the
// window then has to go by itself, and the time it takes to open the other one.
// After that it is not tried again for a while: it would fail again, and people
// would wait again.
const (
	pagesTime     = 8 * time.Second
	pagesPatience = 500 * time.Millisecond
	pagesRest     = 10 * time.Minute
)

// errLate: the pages' window is there, or is still being opened, and shows nothing.
var errLate = errors.New("no page was shown in time")

// Here tells whether a sign-in that the surface starts now is to have its pages on
// this device.
func (k *Keeper) Here(surface string) bool {
	ctx := context.Background()
	if surface != TileSurface {
		return false
	}
	if k.Choice() != api.WindowWeb {
		k.report(ctx, "")
		return false
	}
	if !k.Vacant() {
		return false
	}
	if lost := k.lost.Load(); lost != nil && time.Since(*lost) < pagesRest {
		return false
	}
	if err := k.Pages.Ready(); err != nil {
		k.Log.WarnContext(ctx, "the sign-in's pages cannot be shown here; a code is", "error", err)
		k.report(ctx, err.Error())
		return false
	}
	return true
}

// lose has the sign-in go on with a code, since its pages are lost.
func (k *Keeper) lose(ctx context.Context, l *life, why error) {
	k.Log.WarnContext(ctx, "the sign-in's pages are lost; a code is shown", "error", why)
	now := time.Now()
	k.lost.Store(&now)
	k.report(ctx, why.Error())
	k.elsewhere(ctx, l)
}

// report tells of the pages, unless there is nothing to take back.
func (k *Keeper) report(ctx context.Context, problem string) {
	if k.noPages.Swap(problem != "") || problem != "" {
		k.Pages.Report(ctx, problem)
	}
}

// elsewhere tells the sign-in, and sees what comes of it.
func (k *Keeper) elsewhere(ctx context.Context, l *life) {
	if err := k.SignIn.Elsewhere(ctx); err != nil {
		return // the context has ended
	}
	l.enter(k.SignIn.Screen(), time.Now())
}
