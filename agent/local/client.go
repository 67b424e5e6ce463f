package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// Client is a surface's end of a connection. Its calls may come from several
// goroutines; each kind waits for the one before.
type Client struct {
	// Agent is the version of the agent at the other end.
	Agent string
	// Window is the login window whose plug-in has said hello last; told to
	// [SurfaceWatch].
	Window string

	conn    net.Conn
	screens call
	acts    call
	logons  call
	asks    call
	shows   call
	desk    map[string]*call // of each verb

	mu     sync.Mutex // over writing
	closed chan struct{}
	once   sync.Once
	err    error // why it is closed
}

// call is one kind of request, of which one is under way at a time.
type call struct {
	turn   chan struct{} // holds one: whose turn it is
	answer chan any      // a *Screen, a *block, bytes or an error
}

func newCall() call {
	return call{turn: make(chan struct{}, 1), answer: make(chan any, 1)}
}

// ErrClosed: the agent's service has hung up, or speaks no protocol of ours.
var ErrClosed = errors.New("the agent's service has hung up")

// answerTime bounds the wait for answers that the service gives at once, or, to
// a watch, after WatchTime.
const answerTime = WatchTime + 10*time.Second

// InSession names a surface that tells in which session of the system it is, if that
// is known.
func InSession(surface, session string) string { return strings.TrimSuffix(surface+" "+session, " ") }

// NewClient greets the service at the other end of a connection, as the surface
// of that name; see [InSession]. Whether it is the agent's service the caller has found out; see
// [Dial]. It closes the connection when it fails.
func NewClient(ctx context.Context, conn net.Conn, surface string) (*Client, error) {
	c := &Client{conn: conn, screens: newCall(), acts: newCall(), logons: newCall(), asks: newCall(), shows: newCall(), closed: make(chan struct{}), desk: make(map[string]*call)}
	for verb := range deskVerbs {
		c.desk[verb] = new(newCall())
	}
	defer context.AfterFunc(ctx, func() { c.close(ctx.Err()) })()
	in := &lines{r: conn}
	if err := c.greet(in, surface); err != nil {
		c.close(err)
		return nil, c.err
	}
	go c.listen(in)
	return c, nil
}

func (c *Client) greet(in *lines, surface string) error {
	if words, err := readWords([]byte(surface)); err != nil || len(words) > 2 {
		return malformed("a surface without a name")
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if err := c.send(fmt.Appendf(nil, "%s %d %s\n", verbHello, Version, surface)); err != nil {
		return err
	}
	b, err := readBlock(in)
	if err != nil {
		return err
	}
	switch {
	case b.words[0] == kindError:
		return b.refused()
	case b.words[0] != kindHello || len(b.words) < 2 || b.words[1] != strconv.Itoa(Version):
		return malformed("it does not greet")
	}
	c.Agent, c.Window = b.value("agent"), b.value("window")
	return c.conn.SetReadDeadline(time.Time{}) // who asks bounds the wait
}

// Close ends the connection. What waits for an answer gets none.
func (c *Client) Close() error {
	_ = c.send([]byte(verbBye + "\n"))
	c.close(ErrClosed)
	return nil
}

func (c *Client) close(why error) {
	c.once.Do(func() {
		c.err = why
		_ = c.conn.Close()
		close(c.closed)
	})
}

// Next waits for another screen than that of the serial number; 0: for any. A
// serial number holds as long as the connection.
func (c *Client) Next(ctx context.Context, serial int64) (*Screen, error) {
	for {
		a, err := c.ask(ctx, &c.screens, fmt.Appendf(nil, "%s %d\n", verbWatch, serial))
		if err != nil {
			return nil, err
		}
		// It may be the answer to a watch that nobody waited for.
		if s, ok := a.(*Screen); ok && s.Serial != serial {
			return s, nil
		}
	}
}

// Arrival is a screen, or why there are no more.
type Arrival struct {
	Screen *Screen
	Err    error
}

// Screens gives each screen that a surface has to show, until the context ends or
// there are no more. Next is that of a [Client].
func Screens(ctx context.Context, next func(ctx context.Context, serial int64) (*Screen, error)) <-chan Arrival {
	arrivals := make(chan Arrival)
	go func() {
		for serial := int64(0); ; {
			screen, err := next(ctx, serial)
			select {
			case arrivals <- Arrival{screen, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			serial = screen.Serial
		}
	}()
	return arrivals
}

// Act tells what the person did. It gives [signin.ErrStale] where the screen is
// not shown any more.
func (c *Client) Act(ctx context.Context, a signin.Action) error {
	request, err := writeAction(&a)
	defer clear(request)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, &c.acts, request)
	return err
}

// Logon gives what Windows logs the account on with that the screen of the serial
// number shows. Who has it wipes it. It gives [signin.ErrNoLogon] if there is
// nothing, or somebody else has it.
func (c *Client) Logon(ctx context.Context, serial int64) ([]byte, error) {
	a, err := c.ask(ctx, &c.logons, fmt.Appendf(nil, "%s %d\n", verbLogon, serial))
	if err != nil {
		return nil, err
	}
	return a.([]byte), nil
}

// Shown tells that the page is there which the screen names.
func (c *Client) Shown(ctx context.Context) error {
	_, err := c.ask(ctx, &c.shows, []byte(verbShown+"\n"))
	return err
}

// Refresh has the directory asked for news, and tells what came of it.
func (c *Client) Refresh(ctx context.Context) (*Refreshed, error) {
	a, err := c.ask(ctx, &c.asks, []byte(verbRefresh+"\n"))
	if err != nil {
		return nil, err
	}
	b := a.(*block)
	return &Refreshed{Code: api.Code(b.value("code")), Message: b.value("message")}, nil
}

// ask sends a request and waits for the answer. Whoever gives up an action or a
// refresh hangs up: its answer would be taken for that of the next one.
func (c *Client) ask(ctx context.Context, k *call, request []byte) (any, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-c.closed:
		return nil, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-k.answer: // nobody waited for it
	default:
	}
	if err := c.send(request); err != nil {
		c.close(fmt.Errorf("%w: %w", ErrClosed, err))
		return nil, c.err
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case a := <-k.answer:
		if err, ok := a.(error); ok {
			return nil, err
		}
		return a, nil
	case <-late.C:
		c.close(fmt.Errorf("%w: it does not answer", ErrClosed))
		return nil, c.err
	case <-c.closed:
		return nil, c.err
	case <-ctx.Done():
		if k != &c.screens {
			c.close(ctx.Err())
		}
		return nil, ctx.Err()
	}
}

func (c *Client) send(request []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.conn.Write(request)
	return err
}

// listen hands answers to who waits for them, until the connection ends.
func (c *Client) listen(in *lines) {
	for {
		b, err := readBlock(in)
		if err == nil {
			err = c.take(b)
		}
		if errors.Is(err, io.EOF) {
			err = ErrClosed
		}
		if err != nil {
			c.close(err)
			return
		}
	}
}

// take takes a block. Kinds of later versions are left alone.
func (c *Client) take(b *block) error {
	switch b.words[0] {
	case kindScreen:
		s, err := readScreen(b, time.Now())
		if err != nil {
			return err
		}
		c.screens.hand(s)
	case kindOK:
		if b.word(1) == verbLogon {
			packed, err := readLogon(b)
			if err != nil {
				return err
			}
			c.logons.hand(packed)
		} else if k := c.callOf(b.word(1)); k != nil {
			k.hand(b)
		}
	case kindError:
		refused := b.refused()
		if k := c.desk[b.word(2)]; k != nil {
			k.hand(refused)
			return nil
		}
		switch refused.Word {
		case refusedStale:
			c.acts.hand(signin.ErrStale)
		case refusedLogon:
			c.logons.hand(signin.ErrNoLogon)
		case refusedRefresh:
			c.asks.hand(refused)
		case refusedDenied:
			c.acts.hand(refused)
			c.logons.hand(refused)
			c.shows.hand(refused)
		case refusedUnknown: // an agent of an earlier version
			c.asks.hand(refused)
			c.logons.hand(refused)
			for _, k := range c.desk {
				k.hand(refused)
			}
		default:
			return refused
		}
	}
	return nil
}

func (c *Client) callOf(verb string) *call {
	if k := c.desk[verb]; k != nil {
		return k
	}
	return map[string]*call{verbWatch: &c.screens, verbAct: &c.acts, verbRefresh: &c.asks, verbShown: &c.shows}[verb]
}

// hand gives an answer to who waits, in place of one that nobody took.
func (k *call) hand(a any) {
	select {
	case <-k.answer:
	default:
	}
	k.answer <- a
}

func (b *block) refused() *RefusedError {
	return &RefusedError{Word: b.word(1), Message: b.value("message")}
}
