// Package beside is the sign-in beside Apple's login window: a button in its corner,
// and when somebody presses that a window with the page of agent/page. It runs in the
// session of the login window, as root, before anybody has logged in.
//
// It changes nothing of macOS, knows no password, and types for nobody: when the
// account is there, the person chooses it at Apple's window. When anything is wrong it
// shows nothing. What there is to show the agent's service says.
package beside

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"firstday.dev/agent/local"
	"firstday.dev/agent/page"
	"firstday.dev/agent/signin"
)

// Command is the agent's that shows it. launchd runs it, see templates/macos.
const Command = "login-beside"

// Toolkit draws. None of its methods waits for anybody.
type Toolkit interface {
	// Session tells whether there is a session of the window server, which shows
	// windows.
	Session() bool
	// Show shows a picture in place of the one before.
	Show(Picture)
	// Tell has the page take JSON, as firstday.take(JSON).
	Tell(json string)
}

// Beside shows what the agent's service says. Set its fields, then call Run once; the
// other methods are for the toolkit, which calls them from any goroutine. They return
// at once.
type Beside struct {
	// Dial connects to the service, and makes sure that it is the agent's; see
	// [local.Connect].
	Dial func(context.Context) (net.Conn, error)
	// AuditSession tells sessions of the system apart, as a word; empty: not known.
	AuditSession string
	Toolkit      Toolkit
	Log          *slog.Logger

	once sync.Once
	wake chan struct{} // holds one: something has happened

	mu       sync.Mutex
	happened []event

	host atomic.Pointer[page.Host] // nil: there is no page
}

func (b *Beside) init() {
	b.once.Do(func() { b.wake = make(chan struct{}, 1) })
}

// maxHappened is how much may wait to be taken. More is of no person.
const maxHappened = 256

// post has the event taken in its turn.
func (b *Beside) post(e event) {
	b.init()
	b.mu.Lock()
	if len(b.happened) < maxHappened {
		b.happened = append(b.happened, e)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// posted gives what has happened, in its order.
func (b *Beside) posted() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.happened
	b.happened = nil
	return all
}

// Pressed takes that the button in the corner was.
func (b *Beside) Pressed() { b.post(pressed{}) }

// Closed takes that the person has closed the page's window, which is still there.
func (b *Beside) Closed() { b.post(closed{}) }

// PageLost takes that the process that draws the page has ended.
func (b *Beside) PageLost() { b.post(pageLost{}) }

// OtherLost takes that the second web view has nothing to show.
func (b *Beside) OtherLost() { b.post(otherLost{}) }

// Said takes what the page says, and wipes it.
func (b *Beside) Said(text []byte) {
	defer clear(text)
	h := b.host.Load()
	if h == nil {
		return
	}
	switch h.Said(text) {
	case page.Show, page.Portal:
		b.post(visit{h.Address()})
	case page.Shut:
		b.post(visit{})
	case page.Nothing, page.Ready, page.Malformed:
	}
}

// MayShow tells whether the second web view may go to an address.
func (b *Beside) MayShow(address string) bool {
	h := b.host.Load()
	return h != nil && h.MayShow(address)
}

// Trusts tells by what is known whom a page in the second web view comes from, see
// [page.Host.Trusts].
func (b *Beside) Trusts(certificate bool, host string, port int) (page.Trust, [][]byte) {
	h := b.host.Load()
	if h == nil {
		return page.NothingSaid, nil
	}
	return h.Trusts(certificate, host, port)
}

// How often it is looked whether there is a session, and how long the service is told
// that a sign-in was left.
const (
	lookTime  = 2 * time.Second
	leaveTime = 2 * time.Second
)

// Run shows what there is to show, until the context ends; then it shows nothing, and
// ends the sign-in that somebody was in the middle of.
func (b *Beside) Run(ctx context.Context) {
	b.init()
	r := &running{Beside: b}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer r.group.Wait()
	defer cancel()
	defer r.told.Wait() // by the connection that is followed
	sights := make(chan sight)
	r.group.Go(func() { b.follow(following, sights) })
	look := time.NewTicker(lookTime)
	defer look.Stop()
	r.take(session(b.Toolkit.Session()))
	over := ctx.Done()
	var late <-chan time.Time
	for over != nil || r.pending > 0 || r.state.late {
		select {
		case s := <-sights:
			r.client = s.client
			r.take(s)
		case <-b.wake:
			for _, e := range b.posted() {
				r.take(e)
			}
		case why := <-r.ends():
			r.take(ended{why})
		case <-look.C:
			r.take(session(over != nil && b.Toolkit.Session()))
		case <-over:
			over, late = nil, time.After(leaveTime)
			r.take(closed{})
			r.take(session(false))
		case <-late:
			return
		}
	}
}

// running is what Run has in hand.
type running struct {
	*Beside
	state  state
	shown  Picture
	client *local.Client
	group  sync.WaitGroup
	told   sync.WaitGroup // what the service is told
	// pending is how much it was told without an answer.
	pending int

	hosted *hosted // nil: there is no page
}

// hosted is a page's host that runs.
type hosted struct {
	end context.CancelFunc
	why chan error // why it ended, once
}

// ends gives why the host ended by itself.
func (r *running) ends() <-chan error {
	if r.hosted == nil {
		return nil
	}
	return r.hosted.why
}

// take takes what happened, tells the service, and shows what there is to show now.
func (r *running) take(e event) {
	if _, ok := e.(answered); ok {
		r.pending--
	}
	if name := r.state.step(e); name != "" && r.client != nil {
		r.tell(r.client, signin.Action{Name: name, Serial: r.state.screen.Serial})
	}
	p := r.state.picture()
	if p == r.shown {
		return
	}
	before := r.shown
	r.shown = p
	switch {
	case before.Page > 0 && p.Page == 0:
		r.unhost()
	case before.Page == 0 && p.Page > 0:
		r.host()
	case before.Other != "" && p.Other == "":
		r.Beside.host.Load().Closed()
	}
	r.Toolkit.Show(p)
}

// tell tells the service what the person did. It may be the last thing that it is
// told, so that the context is another one.
func (r *running) tell(client *local.Client, a signin.Action) {
	r.pending++
	r.told.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		err := client.Act(ctx, a)
		r.post(answered{a.Serial, errors.Is(err, signin.ErrStale)})
		if err != nil {
			r.Log.Debug("the service did not take it", "action", a.Name, "error", err)
		}
	})
}

// host stands between the page that is to be shown and the service.
func (r *running) host() {
	ctx, cancel := context.WithCancel(context.Background())
	h := &page.Host{Dial: r.Dial, Surface: local.SurfaceBeside, Session: r.AuditSession}
	h.Tell = func(json string) {
		if r.Beside.host.Load() == h { // else there may be another page
			r.Toolkit.Tell(json)
		}
	}
	running := &hosted{end: cancel, why: make(chan error, 1)}
	r.hosted = running
	r.Beside.host.Store(h)
	r.group.Go(func() {
		defer cancel()
		logon, err := h.Run(ctx)
		if logon != nil {
			logon.Wipe()
		}
		running.why <- err
	})
}

// unhost ends the host, after which it tells the page nothing.
func (r *running) unhost() {
	r.Beside.host.Store(nil)
	r.hosted.end()
	r.hosted = nil
}
