package credprov_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

const pipe = `\\.\pipe\firstday-agent`

// listen makes the agent's pipe, and serves who connects until stop is called.
func listen(t *testing.T, serve func(net.Conn)) (stop func()) {
	t.Helper()
	l, err := local.Listen(pipe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			group.Go(func() { serve(c) })
		}
	})
	stop = sync.OnceFunc(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// desk is a sign-in whose screens a test puts up, behind the agent's own server.
type desk struct {
	mu      sync.Mutex
	screen  signin.Screen
	changed chan struct{}
	acts    chan signin.Action
	logon   []byte
	given   int
}

func newDesk(s signin.Screen) *desk {
	s.Serial = 1
	return &desk{screen: s, changed: make(chan struct{}), acts: make(chan signin.Action, 10)}
}

// puts shows another screen.
func (d *desk) puts(s signin.Screen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Serial = d.screen.Serial + 1
	d.screen = s
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desk) NextIn(ctx context.Context, _ string, serial int64) (signin.Screen, error) {
	for {
		d.mu.Lock()
		s, changed := d.screen, d.changed
		d.mu.Unlock()
		if s.Serial != serial {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

func (d *desk) Act(_ context.Context, a signin.Action) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.Serial != d.screen.Serial {
		return signin.ErrStale
	}
	// The server wipes what was typed.
	fields := make(map[string]string)
	for name, value := range a.Fields {
		fields[name] = value
	}
	a.Fields = fields
	d.acts <- a
	return nil
}

func (d *desk) Logon(_ context.Context, serial, _ int64) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if serial != d.screen.Serial || d.logon == nil {
		return nil, signin.ErrNoLogon
	}
	d.given++
	packed := d.logon
	d.logon = nil
	return packed, nil
}

// server is the agent's own.
func (d *desk) server() *local.Server {
	return &local.Server{SignIn: d, Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
}

// serve runs the agent's server with the desk until stop is called.
func (d *desk) serve(t *testing.T) (stop func()) {
	t.Helper()
	l, err := local.Listen(pipe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.server().Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// The screens of a sign-in.
var (
	cancelButton = signin.ActionButton{Name: signin.Cancel, Label: "Cancel"}
	nextButton   = signin.ActionButton{Name: signin.Submit, Label: "Next", Primary: true}

	hidden  = signin.Screen{State: signin.Hidden}
	ready   = signin.Screen{State: signin.Ready, Title: "Sign in with Acmé", Message: "Sign in once, and this device is yours.", Text: "Call 4711.", Actions: []signin.ActionButton{{Name: signin.Start, Label: "Sign in with Acmé", Primary: true}}}
	begun   = signin.Screen{State: signin.Starting, Title: "Sign in with Acmé", Message: "One moment.", Actions: []signin.ActionButton{cancelButton}}
	waiting = signin.Screen{State: signin.Waiting, Title: "Sign in with Acmé", Message: "Point the camera.", UserCode: "BCDF-GHJK", URI: "https://id.acme.example/signin", QR: "https://id.acme.example/signin?code=BCDFGHJK", Actions: []signin.ActionButton{cancelButton}}
	number  = signin.Screen{State: signin.Number, Title: "Almost there", Message: "Type the number.", Fields: []signin.Field{{Name: signin.FieldNumber, Label: "Number", Digits: true}}, Actions: []signin.ActionButton{nextButton, cancelButton}}
	typing  = signin.Screen{State: signin.Password, Title: "Welcome, Ann", Message: "Choose a password.", Fields: []signin.Field{{Name: signin.FieldPassword, Label: "Password", Secret: true}, {Name: signin.FieldAgain, Label: "The same once more", Secret: true}}, Actions: []signin.ActionButton{nextButton, cancelButton}}
	pinning = signin.Screen{State: signin.PIN, Title: "Choose a PIN", Message: "It is for this device only.", Fields: []signin.Field{{Name: signin.FieldPIN, Label: "PIN", Secret: true, Digits: true}, {Name: signin.FieldPINAgain, Label: "The same once more", Secret: true, Digits: true}}, Actions: []signin.ActionButton{nextButton, {Name: signin.Skip, Label: "Not now"}, cancelButton}}
	making  = signin.Screen{State: signin.Creating, Title: "Welcome, Ann", Message: "Your account is being made."}
	done    = signin.Screen{State: signin.Done, Title: "Welcome", Message: "Your account ann is ready.", Account: "ann", Actions: []signin.ActionButton{{Name: signin.Close, Label: "Close", Primary: true}}}
	unlock  = signin.Screen{State: signin.Unlock, Title: "Sign in with your PIN", Message: "Type your PIN.", Fields: []signin.Field{{Name: signin.FieldPIN, Label: "PIN", Secret: true, Digits: true}}, Actions: []signin.ActionButton{nextButton}}
	renew   = signin.Screen{State: signin.Renew, Title: "Sign in with your password", Message: "It was changed.", Fields: []signin.Field{{Name: signin.FieldPassword, Label: "Password", Secret: true}}, Actions: []signin.ActionButton{nextButton, cancelButton}}
	opening = signin.Screen{State: signin.Opening, Title: "Sign in with your PIN", Message: "One moment, please.", Actions: []signin.ActionButton{cancelButton}}
	failed  = signin.Screen{State: signin.Failed, Title: "This did not work", Message: "Please try again.", Code: api.CodeInternal, Actions: []signin.ActionButton{{Name: signin.Retry, Label: "Try again", Primary: true}, {Name: signin.Close, Label: "Close"}}}
)

// screens has one of each state.
var screens = []signin.Screen{hidden, ready, begun, waiting, number, typing, pinning, making, done, failed, unlock, renew, opening}
