//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpostgres"
)

// directories are the figures of the directory.
type directories struct {
	checkIns, handshakes []throughput
	pollers              int
	perPoller            int64 // bytes
	reached              time.Duration
	listed               int // devices
	queries              []query
	approvals            []time.Duration
}

// throughput is calls per second of ours against the bare handler's.
type throughput struct {
	what         string
	ours, theirs []float64
	least        float64 // the ratio we want to reach
}

// query is a question of who administers.
type query struct {
	what string
	p99  time.Duration
}

// Targets.
const (
	leastCheckIns   = 0.5
	leastHandshakes = 0.8
	maxPerPoller    = 40 << 10 // bytes
	maxReached      = 5 * time.Second
	maxQuery        = 50 * time.Millisecond
)

const (
	callers    = 16 // devices that check in all the time
	span       = 2 * time.Second
	wantPolls  = 20_000
	listed     = 10_000
	askedEach  = 300
	spareFiles = 200
	wantFiles  = wantPolls + spareFiles
)

func (b *bench) directories(ctx context.Context) (*directories, error) {
	p, err := testpostgres.Run()
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	database, err := p.NewDatabase()
	if err != nil {
		return nil, err
	}
	d := new(directories)
	if err := b.throughputs(ctx, d, database); err != nil {
		return nil, err
	}
	if err := b.longPolls(ctx, d); err != nil {
		return nil, err
	}
	if err := b.approve(ctx, d); err != nil {
		return nil, err
	}
	return d, b.queries(ctx, d)
}

// throughputs lets the contestants take turns.
func (b *bench) throughputs(ctx context.Context, d *directories, database string) error {
	contestants := []struct {
		name, database string
		more           []string
	}{{"bare", "", []string{"bare"}}, {"SQLite", "", nil}, {"PostgreSQL", database, nil}}
	fleets := make([][]*laptop, len(contestants))
	for i, c := range contestants {
		s, err := b.startService(ctx, "service-"+c.name, c.database, c.more...)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		defer s.stop() //nolint:errcheck // the figures are there
		if fleets[i], err = s.enrollAll(ctx, callers); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, again := range []bool{false, true} {
		rates := make([][]float64, len(contestants))
		for round := -1; round < b.runs; round++ {
			for i, c := range contestants {
				fmt.Fprintf(os.Stderr, "\rround %d of %d: %-30s", round+1, b.runs, "check-ins, "+c.name)
				r, err := rate(ctx, fleets[i], span, again)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				if round >= 0 {
					rates[i] = append(rates[i], r)
				}
			}
		}
		for i, c := range contestants[1:] {
			if again {
				d.handshakes = append(d.handshakes, throughput{c.name, rates[i+1], rates[0], leastHandshakes})
			} else {
				d.checkIns = append(d.checkIns, throughput{c.name, rates[i+1], rates[0], leastCheckIns})
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

// longPolls lets very many devices wait, then changes a setting.
func (b *bench) longPolls(ctx context.Context, d *directories) error {
	files, err := openFiles()
	if err != nil {
		return err
	}
	d.pollers = min(wantPolls, files-spareFiles)
	s, err := b.startService(ctx, "pollers", "")
	if err != nil {
		return err
	}
	defer s.stop() //nolint:errcheck // the figures are there
	fmt.Fprintf(os.Stderr, "%d devices enrol\n", d.pollers)
	laptops, err := s.enrollAll(ctx, d.pollers)
	if err != nil {
		return err
	}
	owner, err := s.owner()
	if err != nil {
		return err
	}
	settings, err := owner.Settings(ctx)
	if err != nil {
		return err
	}
	empty, err := s.resident()
	if err != nil {
		return err
	}
	// Each asks once, and so has its connection, before it waits on it.
	if err := atOnce(32, len(laptops), func(i int) error {
		answer, err := laptops[i].CheckIn(ctx, new(api.CheckInRequest))
		if err == nil {
			laptops[i].version = answer.Version
		}
		return err
	}); err != nil {
		return err
	}
	heard := make([]time.Time, len(laptops))
	errs := make([]error, len(laptops))
	var group sync.WaitGroup
	for i, l := range laptops {
		group.Go(func() {
			_, errs[i] = l.CheckIn(ctx, &api.CheckInRequest{Version: l.version, Wait: 600})
			heard[i] = time.Now()
		})
	}
	time.Sleep(10 * time.Second) // until all wait
	full, err := s.resident()
	if err != nil {
		return err
	}
	d.perPoller = (full - empty) / int64(d.pollers)
	settings.Windows.Text = "changed"
	begin := time.Now()
	if _, err := owner.SetSettings(ctx, settings); err != nil {
		return err
	}
	group.Wait()
	for _, at := range heard {
		d.reached = max(d.reached, at.Sub(begin))
	}
	return errors.Join(errs...)
}

// queries asks what who administers asks of a directory with many devices.
func (b *bench) queries(ctx context.Context, d *directories) error {
	s, err := b.startService(ctx, "listed", "")
	if err != nil {
		return err
	}
	defer s.stop() //nolint:errcheck // the figures are there
	d.listed = listed
	fmt.Fprintf(os.Stderr, "%d devices enrol\n", d.listed)
	if _, err := s.enrollAll(ctx, d.listed); err != nil {
		return err
	}
	owner, err := s.owner()
	if err != nil {
		return err
	}
	page := func(q url.Values) ([]api.Device, error) {
		var out struct{ Items []api.Device }
		return out.Items, owner.Do(ctx, "GET", api.PathAdmin+"/devices?"+q.Encode(), nil, &out)
	}
	all, err := owner.Devices(ctx)
	if err != nil {
		return err
	}
	at := func(i int) *api.Device { return &all[i*37%len(all)] }
	for _, q := range []struct {
		what string
		ask  func(i int) error
	}{
		{"a page of the list of devices", func(i int) error {
			_, err := page(url.Values{"afterName": {at(i).Facts.Name}, "after": {at(i).ID.String()}})
			return err
		}},
		{"one device", func(i int) error { _, err := owner.Device(ctx, at(i).ID); return err }},
		{"the connect keys", func(int) error { _, err := owner.Keys(ctx); return err }},
		{"the uses of a connect key", func(i int) error { _, err := owner.KeyUses(ctx, at(i).KeyID); return err }},
		{"the settings", func(int) error { _, err := owner.Settings(ctx); return err }},
		{"a page of the audit log", func(i int) error { _, err := owner.Audit(ctx, int64(i*31)); return err }},
		{"a page of the list of users", func(int) error { _, err := owner.Users(ctx, api.UserQuery{}); return err }},
		{"no such device", func(int) error {
			if _, err := owner.Device(ctx, uuid.Nil); !errors.Is(err, api.CodeNotFound) {
				return err
			}
			return nil
		}},
	} {
		var times []time.Duration
		for i := range askedEach {
			begin := time.Now()
			if err := q.ask(i); err != nil {
				return fmt.Errorf("%s: %w", q.what, err)
			}
			times = append(times, time.Since(begin))
		}
		d.queries = append(d.queries, query{q.what, percentile(times, 99)})
	}
	return nil
}

// directoryHeading begins the part of the page that is about the directory, the
// last one.
const directoryHeading = "\n## Directory: calls per second"

// page adds the figures of the directory.
func (d *directories) page(p *strings.Builder) {
	fmt.Fprintf(p, directoryHeading+`

%d devices that check in all the time, over mutual TLS on loopback, on the same
two cores as the directory; against a bare net/http handler that decodes the same
question and encodes the same answer. A full handshake is a connection for each
check-in.

| | ours | bare | ratio | target |
|---|---|---|---|---|
`, callers)
	for _, kind := range []struct {
		what string
		of   []throughput
	}{{"check-ins, ", d.checkIns}, {"full handshakes, ", d.handshakes}} {
		for _, t := range kind.of {
			var ratios []float64
			for i := range t.ours {
				ratios = append(ratios, t.ours[i]/t.theirs[i])
			}
			fmt.Fprintf(p, "| %s | %.0f/s | %.0f/s | %.2f | ≥ %.2f %s |\n", kind.what+t.what, median(t.ours), median(t.theirs), median(ratios), t.least, verdict(median(ratios) >= t.least))
		}
	}
	fmt.Fprintf(p, `
## Directory: many devices

| | | target |
|---|---|---|
| memory for each of %d devices that wait for news | %.1f KiB | ≤ %d KiB %s |
| until a changed setting has reached all of them | %.2f s | ≤ %.0f s %s |
`, d.pollers, float64(d.perPoller)/1024, maxPerPoller>>10, verdict(d.perPoller <= maxPerPoller), d.reached.Seconds(), maxReached.Seconds(), verdict(d.reached <= maxReached))
	worst := percentile(d.approvals, 100)
	fmt.Fprintf(p, "| from the approval on the page to the account, beyond the system's own time for it, the longest of %d | %.1f ms | ≤ %d ms %s |\n",
		len(d.approvals), float64(worst)/1e6, maxApproval/time.Millisecond, verdict(worst <= maxApproval))
	fmt.Fprintf(p, "\nWith %d devices in SQLite, 99 of 100 questions are answered within:\n\n| question | time | target |\n|---|---|---|\n", d.listed)
	for _, q := range d.queries {
		fmt.Fprintf(p, "| %s | %.1f ms | ≤ %d ms %s |\n", q.what, float64(q.p99)/1e6, maxQuery/time.Millisecond, verdict(q.p99 <= maxQuery))
	}
}
