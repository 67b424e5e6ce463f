package wifi

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Times of a radio.
const (
	joinTime    = 45 * time.Second
	scanTime    = 40 * time.Second
	addressTime = 20 * time.Second // for an address, once a network is joined
	pollTime    = time.Second
	freshTime   = 3 * time.Second // how long what was seen is good for
	firstTime   = 3 * time.Second // how long the first who asks waits for it
	surveyTime  = 15 * time.Second
)

// air is CoreWLAN. Its calls cannot be ended, and take as long as they take.
type air interface {
	// name gives the current network's; withheld and not connected are the same.
	name(device string) string
	// scan gives the networks that are seen, some or all of them without a name.
	scan(device string) ([]sighting, error)
	// associate joins a network that it sees by its name. The error is a *refusal,
	// or wraps errNotSeen or errElsewhere if another way may still work.
	associate(device string, j Join) error
}

// Radio is this device's way to a network. What takes long goes on behind, one at a
// time, and is seen in its [Status].
type Radio struct {
	tools tools
	air   air // nil: there is none
	// identities gives those of the System keychain.
	identities func() ([]Identity, error)
	// addresses gives those of each device that is up.
	addresses func() (map[string][]netip.Addr, error)
	// savedFirst: the current network is the first of the saved ones.
	savedFirst bool
	log        *slog.Logger

	ctx    context.Context // of all that goes on behind; ended by Close
	cancel context.CancelFunc
	behind sync.WaitGroup
	turn   chan struct{} // held by the scan, or the join, that is under way
	onAir  lane          // held by what CoreWLAN does
	onKeys lane          // by what the keychain does

	mu       sync.Mutex
	closed   bool
	facts    facts
	surveyed time.Time     // when the facts were seen; zero: never
	looking  chan struct{} // of the survey under way, closed with it; nil: none
	changes  int           // counts what we did that a survey before it does not know
	scan     struct {
		number  int // counts them
		running bool
		end     context.CancelFunc
	}
	last    sightings
	join    joined
	joining chan struct{} // of the last join, closed with it; nil: there was none
	endJoin context.CancelFunc
}

// sightings is what the last scan saw.
type sightings struct {
	seen     []sighting
	scanned  time.Time // zero: never
	withheld Withheld
}

// joined is the last join.
type joined struct {
	number   int // counts them
	name     string
	progress Progress
	code     Code
	holds    bool // nothing has happened since to the network that was joined
}

func newRadio(c Commands, log *slog.Logger) *Radio {
	r := &Radio{tools: tools{c}, addresses: interfaceAddresses, log: log, turn: make(chan struct{}, 1), onAir: newLane(), onKeys: newLane()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends what goes on, and waits for it. What CoreWLAN is doing goes on.
func (r *Radio) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.behind.Wait()
}

// Network gives what there is to show, at once. Only the first waits, up to three
// seconds, for there to be anything.
func (r *Radio) Network(ctx context.Context) Status {
	r.mu.Lock()
	if !r.closed && r.looking == nil && time.Since(r.surveyed) >= freshTime {
		r.look()
	}
	first, looking := r.surveyed.IsZero(), r.looking
	r.mu.Unlock()
	if first && looking != nil {
		wait := time.NewTimer(firstTime)
		defer wait.Stop()
		select {
		case <-looking:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status()
}

// look surveys behind. The lock is held.
func (r *Radio) look() {
	looking, changes := make(chan struct{}), r.changes
	r.looking = looking
	r.behind.Go(func() {
		defer close(looking)
		ctx, cancel := context.WithTimeout(r.ctx, surveyTime)
		defer cancel()
		f, err := r.survey(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.looking = nil
		if err != nil {
			if r.ctx.Err() == nil {
				r.log.Warn("the network is not seen", "error", err)
			}
			return
		}
		if r.changes == changes {
			r.learn(f)
		}
	})
}

// learn keeps what a survey saw. The lock is held.
func (r *Radio) learn(f facts) {
	r.facts, r.surveyed = f, time.Now()
	if !f.active || f.name != "" && !f.guessed && f.name != r.join.name {
		r.join.holds = false
	}
}

// Scan looks for networks behind. One that is asked for while another is under way
// is that one.
func (r *Radio) Scan() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.scan.running {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.scan.number++
	r.scan.running, r.scan.end = true, cancel
	number, joining := r.scan.number, r.joining
	r.behind.Go(func() {
		defer cancel()
		if joining != nil {
			<-joining // which the person is waiting for
		}
		s, err := r.scanInTurn(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.scan.number != number || !r.scan.running || r.ctx.Err() != nil {
			return // it was interrupted
		}
		r.scan.running = false
		if err != nil {
			r.last.withheld = WithheldFailed // what was seen before is still shown
			r.log.Warn("no scan for networks", "error", err)
			return
		}
		r.last = s
	})
}

// Join joins a network behind, in place of any that is being joined. It keeps a copy
// of the password until then.
func (r *Radio) Join(j Join) error {
	if err := j.check(); err != nil {
		return err
	}
	j.Password = bytes.Clone(j.Password)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		clear(j.Password)
		return context.Canceled
	}
	r.interrupt()
	ctx, cancel := context.WithTimeout(r.ctx, joinTime)
	r.endJoin = cancel
	number := r.join.number + 1
	r.join = joined{number: number, name: j.Name, progress: JoinRunning}
	joining := make(chan struct{})
	r.joining = joining
	r.behind.Go(func() {
		defer close(joining)
		defer cancel()
		defer clear(j.Password)
		code, err := r.joinInTurn(ctx, j)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.join.number != number { // another one has taken its place
			return
		}
		r.changes++
		r.join.code, r.join.progress, r.join.holds = code, JoinDone, code == ""
		if code != "" {
			r.join.progress = JoinFailed
			r.log.Warn("no network is joined", "code", string(code), "error", err)
		}
	})
	return nil
}

// interrupt ends the join and the scan under way. The lock is held.
func (r *Radio) interrupt() {
	if r.endJoin != nil {
		r.endJoin()
	}
	if r.scan.running {
		r.scan.running = false
		r.scan.end()
	}
}

// status puts it together. The lock is held.
func (r *Radio) status() Status {
	f := r.facts
	s := Status{
		Device: f.device, Link: f.link, Power: f.power, Name: f.name, Withheld: r.last.withheld,
		Scanning: r.scan.running, Scanned: r.last.scanned, Identities: slices.Clone(f.identities),
		Join: r.join.progress, JoinCode: r.join.code, JoinName: r.join.name,
	}
	if s.Link == "" { // nothing was ever seen
		s.Link, s.Power = LinkNone, PowerNone
	}
	if (s.Name == "" || f.guessed) && f.active && r.join.holds {
		s.Name = r.join.name // as macOS does not tell it
	}
	switch f.power {
	case PowerOn:
		s.Networks = list(r.last.seen, f.saved, s.Withheld != "")
	case PowerOff:
		s.Withheld = WithheldOff
	default:
		s.Withheld = ""
	}
	return s
}
