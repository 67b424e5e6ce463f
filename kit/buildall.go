package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// ErrIncomplete: not every kit of a batch is there.
var ErrIncomplete = errors.New("not every kit was built")

// BuildAll builds n kits, several at a time; row gives each when its turn comes,
// so that they need not all be in memory. A kit that is there, whole, in date
// and made of the same is kept. What goes wrong with one is in the report and
// stops no other; the error wraps [ErrIncomplete] then, or is the context's.
// Either way the report is complete, and it also lies in the batch's folder.
//
// Options.Progress is told how many kits are done.
func (b *Batch) BuildAll(ctx context.Context, n int, row func(i int) (Row, error)) (*Report, error) {
	j, err := openJournal(b.options.Output)
	if err != nil {
		return nil, err
	}
	defer j.file.Close()
	r := &Report{
		Version: ReportVersion, Builder: "firstday " + b.options.Builder, Started: time.Now().UTC().Truncate(time.Second),
		Kits: make([]ReportedKit, n),
	}
	run := &batchRun{Batch: b, journal: j, report: r, row: row}
	run.all(ctx)
	r.finish()
	if err := r.write(b.options.Output); err != nil {
		return r, err
	}
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case r.Built+r.Kept < n:
		return r, fmt.Errorf("%w: %d of %d failed", ErrIncomplete, n-r.Built-r.Kept, n)
	}
	return r, nil
}

// batchRun is a run of a batch.
type batchRun struct {
	*Batch
	journal *journal
	report  *Report
	row     func(i int) (Row, error)

	mu   sync.Mutex
	next int
	done int64
}

func (r *batchRun) all(ctx context.Context) {
	for i := range r.report.Kits {
		r.report.Kits[i].Result = Open
	}
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(r.report.Kits)) {
		workers.Go(func() {
			for i := r.take(); i < len(r.report.Kits) && ctx.Err() == nil; i = r.take() {
				r.one(ctx, &r.report.Kits[i], i)
			}
		})
	}
	workers.Wait()
}

func (r *batchRun) take() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next - 1
}

// one builds a kit, or keeps it, and reports.
func (r *batchRun) one(ctx context.Context, k *ReportedKit, i int) {
	began := time.Now()
	row, err := r.row(i)
	k.Kit, k.Line = row.Name, row.Line
	var m *Manifest
	if err == nil {
		k.Organisation = row.Config.Organisation.Name
		m, k.Result, err = r.settle(ctx, row)
	}
	k.Seconds = time.Since(began).Seconds()
	switch {
	case err != nil && ctx.Err() != nil:
		k.Result = Open
	case err != nil:
		k.Result, k.Error = Failed, err.Error()
	default:
		k.describe(m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.options.Progress != nil {
		r.options.Progress("kits", r.done, int64(len(r.report.Kits)))
	}
}

func (r *batchRun) settle(ctx context.Context, row Row) (*Manifest, Result, error) {
	inputs, err := r.inputs(ctx, row, r.journal.key)
	if err != nil {
		return nil, Failed, err
	}
	if made := r.journal.made[row.Name]; made != nil && made.Inputs == inputs {
		if m := r.still(ctx, row, made); m != nil {
			return m, Kept, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, Open, err
	}
	m, err := r.Build(ctx, row)
	if err != nil {
		if row.Revoke != nil {
			err = errors.Join(err, row.Revoke(ctx))
		}
		return nil, Failed, err
	}
	data, err := os.ReadFile(filepath.Join(r.options.Output, row.Name, SumsFile))
	if err != nil {
		return nil, Failed, err
	}
	return m, Built, r.journal.add(&entry{row.Name, inputs, hexSum(data)})
}
