package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Write writes the stick to all targets at once, and reads each back. The files of
// the kit are read once. What becomes of one target does not touch the others: it
// stands in the run, and the error is [ErrSticks] if not all are good. Any other
// error means that nothing was written anywhere.
//
// A target on which nothing moves for a minute is given up; a goroutine may then
// wait for the system for ever. When the context ends, no more is read and every
// stick is left whole or marked as incomplete. Write may be called several times at
// once; a target that is being written is in use for others.
func (s *Stick) Write(ctx context.Context, targets []Target, o WriteOptions) (*Run, error) {
	if o.now == nil {
		o.now = time.Now
	}
	if o.patience == 0 {
		o.patience = patience
	}
	run := s.newRun(o)
	run.Problems = s.problems(o)
	if err := fatal(run.Problems); err != nil {
		return run, err
	}
	w := &writing{Stick: s, options: o, files: s.list()}
	jobs := make([]*job, len(targets))
	for i, t := range targets {
		jobs[i] = w.job(t)
	}
	run.Sticks = make([]*Result, len(jobs))
	var all sync.WaitGroup
	for i, j := range jobs {
		all.Go(func() { run.Sticks[i] = j.supervise(ctx) })
	}
	readers := make([]reader, len(jobs))
	for i, j := range jobs {
		<-j.ready
		readers[i] = reader{j.queue, func(file int) bool { return j.wants != nil && j.wants[file] }}
	}
	s.share(ctx, w.files, readers)
	all.Wait()
	run.Ended, run.Interrupted = o.now().UTC(), ctx.Err() != nil
	if bad := len(targets) - run.Good(); bad > 0 {
		return run, &sticksError{bad, len(targets), ctx.Err()}
	}
	return run, nil
}

// sticksError says that not all sticks are good, and whether that is since the
// context ended.
type sticksError struct {
	bad, of int
	why     error
}

func (e *sticksError) Error() string {
	s := fmt.Sprintf("%v: %d of %d", ErrSticks, e.bad, e.of)
	if e.why != nil {
		return "interrupted; " + s
	}
	return s
}

func (e *sticksError) Unwrap() []error { return []error{ErrSticks, e.why} }

func (s *Stick) newRun(o WriteOptions) *Run {
	host, _ := os.Hostname() // it is for people
	r := &Run{
		Station: host, Operator: o.Operator, KitID: fmt.Sprintf("%x", s.KitID), Label: s.Label,
		Organisation: s.Manifest.Organisation, Packages: []RunPackage{}, Began: o.now().UTC(), Sticks: []*Result{},
	}
	for _, p := range s.Manifest.Packages {
		r.Packages = append(r.Packages, RunPackage{p.File, p.ID.String(), p.Version, p.SHA256})
	}
	return r
}

// writing is one call of Write.
type writing struct {
	*Stick
	options WriteOptions
	files   []File

	telling sync.Mutex
}

func (w *writing) tell(e Event) {
	if w.options.Event != nil {
		w.telling.Lock()
		defer w.telling.Unlock()
		w.options.Event(e)
	}
}

// job is the writing of one stick.
type job struct {
	*writing
	target Target
	queue  *queue
	wants  []bool // of the files; set before ready is closed
	ready  chan struct{}
	once   sync.Once // closes it

	// A stick is given up when the timer fires, which runs while something is done
	// with it.
	timer   *time.Timer
	stalled chan struct{}
	givenUp atomic.Bool

	mu     sync.Mutex // guards all below: who is given up may still be at work
	result Result
	phase  Phase
	done   int64
	total  int64
}

func (w *writing) job(t Target) *job {
	j := &job{writing: w, target: t, queue: newQueue(), ready: make(chan struct{}), stalled: make(chan struct{})}
	j.result = Result{Target: t.Name, Formatted: t.Format, Began: w.options.now().UTC()}
	if d := t.Disk; d != nil {
		j.result.Port, j.result.Vendor, j.result.Model, j.result.Serial, j.result.Size = d.Port, d.Vendor, d.Model, d.Serial, d.Size
	}
	j.timer = time.AfterFunc(w.options.patience, func() {
		if j.givenUp.CompareAndSwap(false, true) {
			close(j.stalled)
		}
	})
	return j
}

// medium is one of the two kinds of targets.
type medium interface {
	// look finds what speaks against the stick, and which files it lacks. It writes
	// nothing.
	look(ctx context.Context) (wants []bool, err error)
	// complete: it lacks no files, and nothing else has to be done.
	complete() bool
	// begin marks the stick as incomplete.
	begin() error
	write(c *chunk) error
	// flush has the stick keep what was written.
	flush() error
	// check reads a file back and compares it.
	check(ctx context.Context, file int) error
	// commit makes the stick whole.
	commit() error
	// marked reads whether the stick says that it is incomplete.
	marked() bool
	close() error
}

// supervise waits for the job, but not for ever.
func (j *job) supervise(ctx context.Context) *Result {
	ended := make(chan Result, 1)
	go func() { ended <- j.work(ctx) }()
	var r Result
	select {
	case r = <-ended:
	case <-j.stalled:
		j.queue.leave(ErrStalled)
		r = j.end(fmt.Errorf("%w: after %s it was given up", ErrStalled, j.options.patience), false, false)
	}
	j.announce(nil)
	j.tell(Event{Target: j.target.Name, Phase: Done, Done: r.Bytes, Total: r.Bytes, Result: &r})
	return &r
}

// work does it all, and says how it ended.
func (j *job) work(ctx context.Context) Result {
	defer j.timer.Stop()
	m, err := j.open(ctx)
	begun := false
	if err == nil {
		begun, err = j.put(ctx, m)
	}
	j.queue.leave(err)
	incomplete := false
	if m != nil {
		incomplete = begun && err != nil && j.beat() == nil && m.marked()
		if e := m.close(); err == nil && e != nil {
			err = e
		}
	}
	return j.end(err, begun, incomplete)
}

func (j *job) open(ctx context.Context) (medium, error) {
	if j.target.Format {
		return j.openRaw(ctx)
	}
	return j.openFolder(ctx)
}

// put writes the stick, reads it back and makes it whole. It says whether anything
// was written.
func (j *job) put(ctx context.Context, m medium) (begun bool, err error) {
	j.enter(Looking, 0)
	wants, err := m.look(ctx)
	if err == nil {
		err = j.preflight()
	}
	if err != nil {
		return false, err
	}
	if m.complete() {
		return false, nil
	}
	if err := errors.Join(ctx.Err(), j.beat()); err != nil {
		return false, err
	}
	j.enter(Writing, j.size(wants))
	if err := m.begin(); err != nil {
		return true, err
	}
	j.announce(wants)
	if err := j.writeAll(m); err != nil {
		return true, err
	}
	if err := m.flush(); err != nil {
		return true, err
	}
	j.enter(Reading, j.size(wants))
	for i := range wants {
		if !wants[i] {
			continue
		}
		if err := m.check(ctx, i); err != nil {
			return true, fmt.Errorf("%s: %w", j.files[i].Path, err)
		}
		j.count(func(r *Result) { r.Files++ })
	}
	// From here on it takes a moment, and is not interrupted.
	if err := ctx.Err(); err != nil {
		return true, err
	}
	j.enter(Finishing, 0)
	return true, m.commit()
}

// writeAll takes pieces until there are no more.
func (j *job) writeAll(m medium) error {
	for {
		j.timer.Stop() // it is not the stick that is waited for
		c, err := j.queue.next()
		if errors.Is(err, io.EOF) {
			return j.beat()
		}
		if err != nil {
			return err
		}
		if err := j.beat(); err != nil {
			return err
		}
		if err := m.write(c); err != nil {
			return fmt.Errorf("%s: %w", j.files[c.file].Path, err)
		}
		j.advance(len(c.data))
		j.count(func(r *Result) { r.Bytes += int64(len(c.data)) })
	}
}

// announce lets the reading of the kit begin, once all have announced.
func (j *job) announce(wants []bool) {
	j.once.Do(func() {
		j.wants = wants
		close(j.ready)
	})
}

// beat says that something moves. Who is given up touches the stick no more.
func (j *job) beat() error {
	if j.givenUp.Load() {
		return ErrStalled
	}
	j.timer.Reset(j.options.patience)
	return nil
}

func (j *job) size(wants []bool) (total int64) {
	for i, want := range wants {
		if want {
			total += j.files[i].Size
		}
	}
	return total
}

func (j *job) enter(p Phase, total int64) {
	j.mu.Lock()
	j.phase, j.done, j.total = p, 0, total
	j.mu.Unlock()
	j.advance(0)
}

func (j *job) advance(n int) {
	j.mu.Lock()
	j.done += int64(n)
	e := Event{Target: j.target.Name, Phase: j.phase, Done: j.done, Total: j.total}
	j.mu.Unlock()
	if !j.givenUp.Load() {
		j.tell(e)
	}
}

func (j *job) count(f func(*Result)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.result)
}

// preflight fails if something that was found speaks against writing.
func (j *job) preflight() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return fatal(j.result.Problems)
}

// end says how it ended: with nothing written, marked as incomplete, or neither.
func (j *job) end(err error, begun, incomplete bool) Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.result
	r.Seconds = j.options.now().UTC().Sub(r.Began).Seconds()
	r.err = err
	switch {
	case err == nil && !begun:
		r.Outcome = Unchanged
	case err == nil && (r.Formatted || r.Files == len(j.files)):
		r.Outcome = Written
	case err == nil:
		r.Outcome = Repaired
	case incomplete:
		r.Outcome = Incomplete
	default:
		r.Outcome = Failed
	}
	if err != nil {
		r.Reason, r.Hint = reason(err), Hint(err)
	}
	return r
}
