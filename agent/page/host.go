package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"firstday.dev/agent/local"
)

// How long a host waits, and how often it begins anew, as native/visit.c does.
const (
	patience  = 15 * time.Second       // until the service has to be there
	pause     = 500 * time.Millisecond // between attempts to connect
	losses    = 8                      // connections that may be lost
	writeTime = 2 * time.Second
	pageTime  = 20 * time.Second // until the page has to listen
)

// How it ends, if not with a name and a password.
var (
	// ErrApple: the person wants Apple's login window.
	ErrApple = errors.New("the person wants Apple's login window")
	// ErrLost: there is no service, or none that speaks the protocol.
	ErrLost = errors.New("the agent's service is lost")
	// ErrPage: the page does not listen.
	ErrPage = errors.New("the page does not listen")
)

// Host stands between a page and the agent's service. Set its fields, then call Run
// once; the other methods may be called at any time, from any goroutine, and return
// at once.
type Host struct {
	// Dial connects to the service, and makes sure that it is the agent's; see
	// [local.Connect].
	Dial func(context.Context) (net.Conn, error)
	// Surface names this host to the service, Session the session of the system that
	// it is in. A session that is empty is not told.
	Surface, Session string
	// Tell has the page take JSON, as firstday.take(JSON). It is called in order,
	// after the page has said that it is ready.
	Tell func(json string)

	once sync.Once
	wake chan struct{} // holds one: there is something to do

	mu      sync.Mutex
	talk    *talk // nil: there is no connection
	between talk  // takes what the page says meanwhile
	ready   bool
	again   bool      // there was a page that was ready
	readyAt time.Time // since when one is waited for
	end     error     // the person has chosen it
	visit   Wish      // what the other web view shows: Show, Portal or Nothing
}

func (h *Host) init() {
	h.once.Do(func() { h.wake = make(chan struct{}, 1) })
}

func (h *Host) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// now is what there is to talk with.
func (h *Host) now() *talk {
	if h.talk == nil {
		return &h.between
	}
	return h.talk
}

// Said takes what the page says, and wipes it. It gives what is left for its caller
// to do; the page is told of what is malformed.
func (h *Host) Said(text []byte) Wish {
	h.init()
	defer h.wakeUp()
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.now()
	wish, err := t.said(text, time.Now())
	switch {
	case err != nil:
		h.end = err
	case wish == Ready:
		if h.again { // another page
			t.anew(time.Now())
		}
		h.ready, h.again = true, true
	case wish == Show, wish == Portal:
		h.visit = wish
	case wish == Shut:
		h.visit = Nothing
	case wish == Malformed:
		t.note(noteJSON("malformed", "", ""))
	}
	return wish
}

// Closed takes that the other web view is gone, by its own or since the page has
// wished it.
func (h *Host) Closed() {
	h.init()
	defer h.wakeUp()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visit = Nothing
	h.now().note(noteJSON("shut", "", ""))
}

// Gone takes that the page is gone, and is loaded anew.
func (h *Host) Gone() {
	h.init()
	defer h.wakeUp()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready, h.readyAt = false, time.Now()
}

// Address is what the other web view begins with; empty: with nothing.
func (h *Host) Address() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.now()
	switch {
	case h.visit == Show && h.may(t, t.address):
		return t.address
	case h.visit == Portal:
		return t.portal
	}
	return ""
}

// MayShow tells whether the other web view may go to an address: to one of the
// sign-in's origins by https, or as long as a network wants people to sign in to it
// to wherever it leads them.
func (h *Host) MayShow(address string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.may(h.now(), address)
}

func (h *Host) may(t *talk, address string) bool {
	if h.visit == Portal {
		return t.portal != "" && webAddress(address, "http", "https") != nil
	}
	u := webAddress(address, "https")
	return h.visit == Show && t.address != "" && u != nil && slices.ContainsFunc(append([]string{t.address}, t.origins...), func(origin string) bool {
		o := webAddress(origin, "https")
		return o != nil && strings.EqualFold(o.Host, u.Host)
	})
}

// webAddress reads an address that hides nothing; nil: it is none, or of another
// scheme.
func webAddress(address string, schemes ...string) *url.URL {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.User != nil || strings.ContainsAny(address, "\\ ") {
		return nil
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	return u
}

// Run speaks with the service until there is something to log on with, which whoever
// has it wipes, or the window is to go: then it gives ErrApple, ErrLost, ErrPage, or
// the context's error. A service that is lost is looked for again.
func (h *Host) Run(ctx context.Context) (*Logon, error) {
	h.init()
	h.mu.Lock()
	h.readyAt = time.Now()
	h.mu.Unlock()
	defer h.forget()
	since, lost := time.Now(), 0
	for {
		greeted, err := h.call(ctx)
		if logon, end := h.ended(ctx, err); end != nil || logon != nil {
			return logon, end
		}
		if greeted {
			since = time.Now()
			lost++
		}
		switch {
		case lost > losses:
			return nil, fmt.Errorf("%w: it hangs up again and again", ErrLost)
		case time.Since(since) >= patience:
			return nil, fmt.Errorf("%w: it is not there", ErrLost)
		}
		if logon, end := h.rest(ctx); end != nil || logon != nil {
			return logon, end
		}
	}
}

// call speaks over one connection. It tells whether the service has greeted.
func (h *Host) call(ctx context.Context) (greeted bool, err error) {
	reach, cancel := context.WithTimeout(ctx, writeTime)
	conn, err := h.Dial(reach)
	cancel()
	if err != nil {
		return false, nil // it is tried again
	}
	h.mu.Lock()
	t := begin(h.Surface, h.Session, time.Now())
	t.told, t.logon = h.between.told, h.between.logon
	h.between = talk{}
	h.talk = t
	h.mu.Unlock()
	err = h.speak(ctx, conn, t)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.talk = nil
	h.between = talk{logon: t.logon}
	h.between.note(noteJSON("lost", "", ""))
	t.logon = nil
	t.wipe()
	return t.greeted, err
}

// heard is a block, or why there is none.
type heard struct {
	block *local.Block
	err   error
}

// speak speaks until there is a result, or one side hangs up. The error is
// errBroken where it is of no use to connect again.
func (h *Host) speak(ctx context.Context, conn net.Conn, t *talk) error {
	blocks, gone := make(chan heard), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { listen(conn, blocks, gone) })
	defer group.Wait()
	defer close(gone)
	defer func() { _ = conn.Close() }()
	for {
		h.tell()
		if logon, end := h.settled(); logon || end != nil {
			return nil
		}
		if h.flush(conn, t) != nil {
			return nil
		}
		h.mu.Lock()
		left := t.left(time.Now())
		h.mu.Unlock()
		if left == 0 {
			return errBroken
		}
		var b *local.Block
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-time.After(min(left, h.pageLeft())):
		case got := <-blocks:
			if errors.Is(got.err, local.ErrProtocol) || errors.Is(got.err, os.ErrDeadlineExceeded) {
				return errBroken
			}
			if got.err != nil {
				return nil // it has hung up
			}
			b = got.block
		}
		if b != nil {
			h.mu.Lock()
			err := t.take(b, time.Now())
			h.mu.Unlock()
			if err != nil {
				return err
			}
		}
	}
}

// listen reads blocks, until there are no more or nobody wants them.
func listen(conn net.Conn, blocks chan<- heard, gone <-chan struct{}) {
	in := local.NewReader(conn)
	defer in.Wipe()
	for {
		b, err := in.Next()
		select {
		case blocks <- heard{b, err}:
		case <-gone:
			return
		}
		if err != nil {
			return
		}
	}
}

// tell has the page told what it is to be told.
func (h *Host) tell() {
	h.mu.Lock()
	if !h.ready {
		h.mu.Unlock()
		return
	}
	t := h.now()
	var all []string
	if t.screen != "" {
		all = append(all, t.screen)
	}
	all = append(all, t.told...)
	t.screen, t.told = "", nil
	h.mu.Unlock()
	for _, json := range all {
		h.Tell(json)
	}
}

// flush sends what is to be sent.
func (h *Host) flush(conn net.Conn, t *talk) error {
	h.mu.Lock()
	out := t.out
	t.out = nil
	h.mu.Unlock()
	if len(out) == 0 {
		return nil
	}
	defer clear(out)
	if err := conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := conn.Write(out)
	return err
}

// pageLeft is how long the page has until it must listen.
func (h *Host) pageLeft() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready {
		return pageTime
	}
	return max(0, pageTime-time.Since(h.readyAt))
}

// settled tells whether the person has ended it.
func (h *Host) settled() (logon bool, end error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end == nil && !h.ready && time.Since(h.readyAt) >= pageTime {
		h.end = ErrPage
	}
	return h.now().logon != nil, h.end
}

// ended gives what Run gives, if it is time.
func (h *Host) ended(ctx context.Context, broken error) (*Logon, error) {
	logon, end := h.settled()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case end != nil:
		return nil, end
	case logon:
		h.mu.Lock()
		defer h.mu.Unlock()
		l := h.now().logon
		h.now().logon = nil
		return l, nil
	case broken != nil:
		return nil, fmt.Errorf("%w: %w", ErrLost, broken)
	}
	return nil, nil
}

// rest waits before it is tried again, while the page goes on.
func (h *Host) rest(ctx context.Context) (*Logon, error) {
	over := time.After(pause)
	for {
		h.tell()
		if logon, end := h.ended(ctx, nil); end != nil || logon != nil {
			return logon, end
		}
		select {
		case <-ctx.Done():
		case <-h.wake:
		case <-over:
			return nil, nil
		}
	}
}

// forget wipes what is left.
func (h *Host) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now().wipe()
}
