package local

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// SignIn is the sign-in that surfaces show. [signin.Machine] is one.
type SignIn interface {
	NextIn(ctx context.Context, session string, serial int64) (signin.Screen, error)
	Act(ctx context.Context, a signin.Action) error
	Logon(ctx context.Context, serial, surface int64) ([]byte, error)
}

// Server speaks with surfaces, with several at once. None holds up another, or
// the sign-in.
type Server struct {
	SignIn SignIn
	// Refresh asks the directory for news, and gives a code if that fails.
	Refresh func(context.Context) api.Code
	// Started is told which surface has started the sign-in, after it did. It must
	// not wait. nil: nobody wants to know.
	Started func(surface string)
	// Here tells whether there is a window on this device for the pages of a sign-in
	// that the surface starts now. nil: there never is.
	Here func(surface string) bool
	// FileVault tells whether a surface may log on with what was typed at the
	// screen of FileVault, which it may once each time the system starts. nil: there
	// is no such screen.
	FileVault func(context.Context) bool
	// Greeted is told which surface has said hello, and in which session of the
	// system it is, if it says so. It must not wait. nil: nobody wants to know.
	Greeted func(surface, session string)
	// Greeting names the login window whose plug-in has said hello last, for the second
	// watchdog. It must not wait. nil: this system has none.
	Greeting func() string
	// Desk is for login windows. nil: this system has none.
	Desk    Desk
	Version string // of the agent
	Log     *slog.Logger

	surfaces atomic.Int64 // that there were, which tells them apart
}

// SurfaceWatch is the second watchdog of the login window, among the surfaces.
const SurfaceWatch = "login-watch"

// maxSurfaces is how many there may be at once.
const maxSurfaces = 16

// Serve speaks with who connects, until the context ends or the listener does.
// It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer func() {
		cancel()
		group.Wait()
	}()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	room := make(chan struct{}, maxSurfaces)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		c := &session{Server: s, conn: conn, lines: lines{r: conn}, typed: make(typed), number: s.surfaces.Add(1)}
		select {
		case room <- struct{}{}:
			group.Go(func() {
				defer func() { <-room }()
				c.run(ctx)
			})
		default:
			s.Log.WarnContext(ctx, "too many surfaces at once")
			c.refuse(refusedBusy, "there are too many surfaces")
			_ = conn.Close()
		}
	}
}

// What the service refuses, as one word. After the first four it closes.
const (
	refusedMalformed = "malformed"
	refusedVersion   = "version"
	refusedHello     = "hello"
	refusedBusy      = "busy"
	refusedUnknown   = "unknown"
	refusedStale     = "stale"
	refusedRefresh   = "refresh"
	refusedLogon     = "logon"
	refusedDenied    = "denied"
	refusedFileVault = "filevault"
	// Those to the desk's verbs only.
	refusedWait   = "wait"
	refusedField  = "field"
	refusedOthers = "others"
	refusedFailed = "failed"
)

// session is one surface's connection.
type session struct {
	*Server
	conn  net.Conn
	lines lines
	typed typed

	signIn  SignIn // as this surface sees it
	surface string // how it named itself
	within  string // the session of the system
	shown   func() // is told that the page is there; nil: this surface has none
	number  int64  // of the surface; 0: it is the window

	group sync.WaitGroup
	watch context.CancelFunc // ends the watch that waits
	once  chan struct{}      // of a refresh
	asked sync.Map           // verbs of the desk that are not answered yet

	mu sync.Mutex // over writing
}

func (c *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		_ = c.conn.Close()
		c.group.Wait()
		c.lines.wipe()
		clear(c.typed)
	}()
	// Reading ends with the service.
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Now()) })()
	c.watch, c.once = func() {}, make(chan struct{}, 1)
	surface, err := c.greet(ctx)
	c.surface, c.signIn = surface, c.SignIn
	if surface == SurfaceBeside {
		c.signIn = besides{c.SignIn}
	}
	for err == nil {
		var r *request
		if r, err = c.read(ctx); err == nil {
			err = c.take(ctx, r)
		}
	}
	if errors.Is(err, ErrProtocol) {
		c.Log.WarnContext(ctx, "a surface does not speak the protocol", "surface", surface, "error", err)
		c.refuse(refusedMalformed, "")
	}
	c.Log.DebugContext(ctx, "surface gone", "surface", surface)
}

// read reads a request, as long as the service runs.
func (c *session) read(ctx context.Context) (*request, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // the deadline was to be this one
		return nil, ctx.Err()
	}
	line, err := c.lines.next()
	if err != nil {
		return nil, err
	}
	return readRequest(line)
}

// errBye ends a connection as it should.
var errBye = errors.New("bye")

// greet hears who speaks, and which version.
func (c *session) greet(ctx context.Context) (surface string, err error) {
	r, err := c.read(ctx)
	switch {
	case err != nil:
		return "", err
	case r.verb != verbHello:
		c.refuse(refusedHello, "hello comes first")
		return "", errBye
	case r.number != Version:
		c.refuse(refusedVersion, "the agent speaks version 1")
		return r.name, errBye
	}
	c.within = r.session
	if c.number == 0 { // it is for whoever has begun
		c.within = signin.AnySession
	}
	c.Log.DebugContext(ctx, "surface", "surface", r.name, "session", r.session)
	if c.Greeted != nil {
		c.Greeted(r.name, r.session)
	}
	b := newBlock(kindHello, "1")
	b.add("agent", c.Version)
	if r.name == SurfaceWatch && c.Greeting != nil {
		b.add("window", c.Greeting())
	}
	return r.name, c.send(b)
}

func (c *session) take(ctx context.Context, r *request) error {
	switch r.verb {
	case verbWatch:
		c.startWatch(ctx, r.number)
	case verbField:
		return c.typed.put(r)
	case verbAct:
		return c.act(ctx, r)
	case verbLogon:
		return c.logon(ctx, r.number)
	case verbRefresh:
		c.refresh(ctx)
	case verbShown:
		if c.shown == nil {
			c.deny(ctx, r.verb)
			return nil
		}
		c.shown()
		return c.send(newBlock(kindOK, verbShown))
	case verbFileVault:
		return c.fileVault(ctx)
	case verbBye:
		return errBye
	case verbHello:
		return malformed("hello twice")
	default:
		if _, ok := deskVerbs[r.verb]; ok {
			c.ask(ctx, r)
			return nil
		}
		c.refuse(refusedUnknown, "the agent does not know "+r.verb, r.verb)
	}
	return nil
}

// startWatch answers when there is another screen, or when it is time to tell
// that there is none. It takes the place of a watch that waits.
func (c *session) startWatch(ctx context.Context, serial int64) {
	c.watch()
	ctx, c.watch = context.WithTimeout(ctx, WatchTime)
	c.group.Go(func() {
		screen, err := c.signIn.NextIn(ctx, c.within, serial)
		switch {
		case err == nil:
			c.answer(screenBlock(&screen, time.Now()))
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			c.answer(newBlock(kindOK, verbWatch))
		}
	})
}

func (c *session) act(ctx context.Context, r *request) error {
	a := signin.Action{Name: signin.ActionName(r.name), Fields: c.typed, SameDevice: r.sameDev, Serial: r.number, Session: c.within, Surface: c.number}
	c.typed = make(typed)
	starts := a.Name == signin.Start || a.Name == signin.Retry
	if starts && c.Here != nil && c.Here(c.surface) {
		a.SameDevice = true
	}
	err := c.signIn.Act(ctx, a)
	clear(a.Fields)
	switch {
	case errors.Is(err, signin.ErrStale):
		c.refuse(refusedStale, "the screen has changed meanwhile")
		return nil
	case errors.Is(err, errDenied):
		c.deny(ctx, r.verb)
		return nil
	case err != nil:
		return err
	}
	if c.Started != nil && starts {
		c.Started(c.surface)
	}
	return c.send(newBlock(kindOK, verbAct))
}

// logon hands over what the account is logged on with.
func (c *session) logon(ctx context.Context, serial int64) error {
	packed, err := c.signIn.Logon(ctx, serial, c.number)
	defer clear(packed)
	switch {
	case errors.Is(err, errDenied):
		c.deny(ctx, verbLogon)
		return nil
	case errors.Is(err, signin.ErrNoLogon):
		c.refuse(refusedLogon, "there is nothing to log on with, or somebody else has it")
		return nil
	case err != nil:
		return err
	}
	out := logonBlock(packed)
	defer clear(out)
	return c.write(out)
}

// fileVault says whether the person who unlocked the disk is logged on.
func (c *session) fileVault(ctx context.Context) error {
	if c.FileVault == nil || !c.FileVault(ctx) {
		c.refuse(refusedFileVault, "nobody is logged on by FileVault, or somebody was already")
		return nil
	}
	c.Log.InfoContext(ctx, "a surface logs on who has unlocked the disk", "surface", c.surface)
	return c.send(newBlock(kindOK, verbFileVault))
}

// refresh asks the directory while the surface may go on.
func (c *session) refresh(ctx context.Context) {
	select {
	case c.once <- struct{}{}:
	default:
		c.refuse(refusedRefresh, "the directory is being asked already")
		return
	}
	c.group.Go(func() {
		code := c.Refresh(ctx)
		b := newBlock(kindOK, verbRefresh)
		b.add("code", string(code))
		if code == "" {
			b.add("message", "The directory was asked just now; this device is up to date.")
		} else {
			b.add("message", api.Explain(code).Employee)
		}
		<-c.once
		c.answer(b)
	})
}

// deny refuses what this surface has no right to, which ours never asks for.
func (c *session) deny(ctx context.Context, verb string) {
	c.Log.WarnContext(ctx, "a surface asks for what it may not", "request", verb)
	c.refuse(refusedDenied, "this surface may not do that", about(verb)...)
}

// about gives the word that a refusal of the desk's ends with: answers to its other
// verbs may be on their way.
func about(verb string) []string {
	if _, ok := deskVerbs[verb]; ok {
		return []string{verb}
	}
	return nil
}

// refuse says what is not done, and of which verb, if that is not clear.
func (c *session) refuse(word, message string, verb ...string) {
	b := newBlock(append([]string{kindError, word}, verb...)...)
	b.add("message", message)
	c.answer(b)
}

// answer sends, and hangs up on who does not take it.
func (c *session) answer(b *block) {
	if err := c.send(b); err != nil {
		_ = c.conn.Close()
	}
}

func (c *session) send(b *block) error { return c.write(b.bytes()) }

func (c *session) write(bytes []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.conn.Write(bytes)
	return err
}
