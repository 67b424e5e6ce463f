package station

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"firstday.dev/station/media"
)

// WatchOptions say what is done with sticks that are plugged in.
type WatchOptions struct {
	WriteOptions // whose Event is not used
	// Format formats each stick; otherwise files are written into its volume.
	Format bool
	// Present takes the sticks, too, that were there when the watch began.
	Present bool
	// Tell, if set, is told each change of a socket, one after the other.
	Tell func(Socket)
	// Keep, if set, is given the run at the begin and after each stick: what was done is not lost
	// if the machine is switched off. Its error ends the watch.
	Keep func(*Run) error

	hub      hub           // nil: this machine's
	interval time.Duration // 0: lookEvery
}

// hub is where sticks are plugged in.
type hub interface {
	list(ctx context.Context) ([]media.Disk, error)
	eject(ctx context.Context, d *media.Disk) error
}

// machine is the hub of this machine.
type machine struct{}

func (machine) list(ctx context.Context) ([]media.Disk, error) { return media.List(ctx) }

func (machine) eject(ctx context.Context, d *media.Disk) error { return d.Eject(ctx) }

const (
	// lookEvery is how often the watch looks at the sockets.
	lookEvery = time.Second
	// settling is how many looks the volume of a stick may take to be mounted by
	// whoever does that on this machine.
	settling = 5
	// moment is for how many looks a stick may be gone that nobody took out: hubs
	// lose sticks, and find them again.
	moment = 10
	// blind is how many times in a row the disks may fail to be listed.
	blind = 10
)

// Watch writes every stick that is plugged in while it runs, each as soon as it is
// there, and lets go of it so that it can be taken out. It ends with its context,
// once every stick is whole or marked as incomplete, and gives what was done; that
// the context ended is no error.
func (s *Stick) Watch(ctx context.Context, o WatchOptions) (*Run, error) {
	if o.hub == nil {
		o.hub = machine{}
	}
	if o.interval == 0 {
		o.interval = lookEvery
	}
	if o.now == nil {
		o.now = time.Now
	}
	w := &watch{Stick: s, options: o, run: s.newRun(o.WriteOptions), sockets: make(map[string]*plugged)}
	w.run.Problems = s.problems(o.WriteOptions)
	if err := fatal(w.run.Problems); err != nil {
		return w.run, err
	}
	// Where it cannot be kept is said before anything is written.
	if err := w.keep(); err != nil {
		return w.run, err
	}
	ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	err := w.look(ctx)
	w.writers.Wait()
	w.run.Interrupted = slices.ContainsFunc(w.run.Sticks, func(r *Result) bool { return errors.Is(r.err, context.Canceled) })
	return w.run, errors.Join(err, w.keep())
}

// watch is a watch at work.
type watch struct {
	*Stick
	options WatchOptions
	cancel  context.CancelCauseFunc
	writers sync.WaitGroup

	mu      sync.Mutex // guards all below
	run     *Run
	sockets map[string]*plugged // by port
	looked  int                 // how many times
	lost    []lost
}

// lost is a stick that was in before the watch began, and is gone.
type lost struct {
	disk media.Disk
	look int
}

// plugged is a socket, and what the watch knows besides what it tells.
type plugged struct {
	Socket
	looks int
	// there: the disk was in the last list. ejected: it was let go of, and may say
	// that nothing is in it. letGo: it vanished then, so nobody can see it being
	// taken out.
	there, ejected, letGo bool
	early                 bool // it was in before the watch began
}

// look looks at the sockets until the context ends.
func (w *watch) look(ctx context.Context) error {
	tick := time.NewTicker(w.options.interval)
	defer tick.Stop()
	for first, failures := true, 0; ; {
		disks, err := w.options.hub.list(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if failures++; failures == blind {
				return fmt.Errorf("looking for sticks: %w", err)
			}
		default:
			failures = 0
			w.compare(ctx, disks, first)
			first = false // whatever failed before: what is in then was in already
		}
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		case <-tick.C:
		}
	}
}

func portOf(d *media.Disk) string {
	if d.Port != "" {
		return d.Port
	}
	return d.Name
}

// sameDisk: nobody exchanged it. Sticks of one kind may all have one serial number.
func sameDisk(a, b *media.Disk) bool {
	return a.Path == b.Path && a.Serial == b.Serial && a.Sequence == b.Sequence && a.Size == b.Size
}

// compare finds what came and what went.
func (w *watch) compare(ctx context.Context, disks []media.Disk, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked++
	w.empty(disks)
	for i := range disks {
		d := &disks[i]
		o := w.sockets[portOf(d)]
		switch {
		case d.Size == 0 && (o == nil || o.State != SocketBusy):
			continue
		case o == nil && first && d.Refusal != "":
			// The machine's own. It is known, and not told of.
			w.sockets[portOf(d)] = &plugged{Socket: Socket{Port: portOf(d), State: SocketRefused, Disk: *d}, there: true}
			continue
		case o == nil:
			o = &plugged{Socket: Socket{Port: portOf(d)}}
			w.sockets[o.Port] = o
			w.arrive(o, d, first)
		case o.State == SocketBusy:
			// Its writer finds out if it went.
		case o.State == SocketEmpty || !sameDisk(&o.Disk, d):
			w.arrive(o, d, false)
		}
		if o.State == SocketWaiting {
			w.wait(ctx, o, d)
		}
	}
}

// empty finds the sockets out of which something went.
func (w *watch) empty(disks []media.Disk) {
	for _, o := range w.sockets {
		o.there = false
	}
	for i := range disks {
		d := &disks[i]
		// Where nothing is in it, it is a reader without a card, or a stick that was
		// ejected and is still in its socket.
		if o := w.sockets[portOf(d)]; o != nil && (d.Size > 0 || o.State == SocketGood && o.ejected && o.Disk.Path == d.Path) {
			o.there = true
		}
	}
	for _, o := range w.sockets {
		if o.there || o.State == SocketBusy || o.State == SocketEmpty || o.letGo {
			continue
		}
		if o.early {
			w.lost = append(w.lost, lost{o.Disk, w.looked})
		}
		w.set(o, SocketEmpty, "", "")
	}
	w.lost = slices.DeleteFunc(w.lost, func(l lost) bool { return w.looked-l.look > moment })
}

// isBack says whether a stick that came is one that was in before the watch began,
// and that the hub lost for a moment, wherever it is now.
func (w *watch) isBack(o *plugged, d *media.Disk) bool {
	same := func(other *media.Disk) bool {
		return d.Serial != "" && d.Vendor == other.Vendor && d.Model == other.Model && d.Serial == other.Serial && d.Size == other.Size
	}
	if o.early && o.State == SocketRefused && same(&o.Disk) {
		return true
	}
	i := slices.IndexFunc(w.lost, func(l lost) bool { return same(&l.disk) })
	if i < 0 {
		return false
	}
	w.lost = slices.Delete(w.lost, i, i+1)
	return true
}

// arrive judges a stick that came.
func (w *watch) arrive(o *plugged, d *media.Disk, first bool) {
	const again = "if it is meant, take it out, and put it in again ten seconds later"
	back := w.isBack(o, d)
	o.early = false
	o.Disk, o.Again, o.looks, o.ejected, o.letGo = *d, false, 0, false, false
	switch {
	case d.Refusal != "":
		w.set(o, SocketRefused, d.Refusal, "")
	case first && !w.options.Present:
		o.early = true
		w.set(o, SocketRefused, "it was in before the station began", again)
	case back:
		o.early = true
		w.set(o, SocketRefused, "it was in before the station began, and was gone for a moment", again)
	default:
		w.set(o, SocketWaiting, "", "")
	}
}

// wait begins with a stick once it is ready: its volume is mounted, or whoever
// mounts volumes here had the time to.
func (w *watch) wait(ctx context.Context, o *plugged, d *media.Disk) {
	o.Disk = *d
	o.looks++
	if len(d.Mounts()) == 0 && o.looks < settling || ctx.Err() != nil {
		return
	}
	o.Phase, o.Done, o.Total = string(Looking), 0, 0
	w.set(o, SocketBusy, "", "")
	w.writers.Go(func() { w.serve(ctx, o, *d) })
}

// serve writes one stick, lets go of it, and tells how it went.
func (w *watch) serve(ctx context.Context, o *plugged, d media.Disk) {
	result := w.write(ctx, o, &d)
	var ejected error
	if result.Outcome.Good() {
		ejected = w.options.hub.eject(context.WithoutCancel(ctx), &d)
	}
	w.mu.Lock()
	if o.Again = result.Outcome == Unchanged && w.has(result); !o.Again {
		w.run.Sticks = append(w.run.Sticks, result)
	}
	switch {
	case !result.Outcome.Good():
		w.set(o, SocketFailed, result.Reason, result.Hint)
	case ejected != nil:
		w.set(o, SocketGood, "", "eject it before you take it out: "+ejected.Error())
	default:
		_, err := os.Stat(d.Path)
		o.ejected, o.letGo = true, err != nil
		hint := ""
		if o.Again {
			hint = "it was done before, and counts once"
		}
		w.set(o, SocketGood, "", hint)
	}
	w.mu.Unlock()
	if err := w.keep(); err != nil {
		w.cancel(err)
	}
}

// has says whether a stick that is unchanged is one of the run's. Of sticks that all
// have one serial number, and were written in another run, it counts one.
func (w *watch) has(r *Result) bool {
	return r.Serial != "" && slices.ContainsFunc(w.run.Sticks, func(s *Result) bool {
		return s.Outcome.Good() && s.Vendor == r.Vendor && s.Model == r.Model && s.Serial == r.Serial && s.Size == r.Size
	})
}

// write writes one stick in the way that the options say.
func (w *watch) write(ctx context.Context, o *plugged, d *media.Disk) *Result {
	options := w.options.WriteOptions
	options.Event = func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if e.Result == nil {
			o.Phase, o.Done, o.Total = string(e.Phase), e.Done, e.Total
			w.tell(o)
		}
	}
	target := Target{Name: d.Name, Disk: d, Format: w.options.Format}
	if mounts := d.Mounts(); len(mounts) > 0 {
		target.Folder = mounts[0]
	}
	run, err := w.Write(ctx, []Target{target}, options)
	if len(run.Sticks) > 0 {
		return run.Sticks[0]
	}
	// Something speaks against the kit by now.
	return &Result{
		Target: d.Name, Outcome: Failed, Reason: err.Error(), Hint: Hint(err), Port: d.Port, Vendor: d.Vendor, Model: d.Model,
		Serial: d.Serial, Size: d.Size, Formatted: target.Format, Began: w.options.now().UTC(), err: err,
	}
}

// set changes the state of a socket, and tells of it.
func (w *watch) set(o *plugged, state SocketState, message, hint string) {
	o.State, o.Message, o.Hint, o.Since = state, message, hint, w.options.now()
	w.tell(o)
}

func (w *watch) tell(o *plugged) {
	if w.options.Tell != nil {
		w.options.Tell(o.Socket)
	}
}

// keep has the run kept.
func (w *watch) keep() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run.Ended = w.options.now().UTC()
	if w.options.Keep == nil {
		return nil
	}
	return w.options.Keep(w.run)
}
