//go:build amd64 || arm64

package loginplugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/agent/logon"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// fakeDirectory is an organisation's directory in which Ann may sign in.
type fakeDirectory struct {
	signin.Directory
	approved chan struct{} // closed when she has
	anchors  [][]byte      // by which its pages are known
}

func (d *fakeDirectory) SignIn(_ context.Context, r *api.SignInRequest) (*api.SignInResponse, error) {
	var origins []string
	var anchors [][]byte
	if r.SameDevice {
		origins, anchors = []string{"https://id.acme.example", "https://login.example:8443"}, d.anchors
	}
	return &api.SignInResponse{Origins: origins, Anchors: anchors, DeviceCode: "device code", UserCode: "BCDF-GHJK", VerificationURI: "https://id.acme.example/signin", VerificationURIComplete: "https://id.acme.example/signin?code=BCDFGHJK", ExpiresIn: 600, Interval: 5}, nil
}

func (d *fakeDirectory) WhoSignedIn(ctx context.Context, _ *api.TokenRequest) (*api.TokenResponse, error) {
	select {
	case <-d.approved:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ann := api.Person{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Name: "ann", Email: "ann@acme.example", FullName: "Ann Example"}
	return &api.TokenResponse{User: ann, Ticket: "ticket", Password: api.ChoosePassword, Permission: api.Standard, ExpiresIn: 600}, nil
}

func (*fakeDirectory) CompleteSignIn(context.Context, *api.CompleteRequest) error { return nil }
func (*fakeDirectory) CancelSignIn(context.Context, *api.CancelRequest) error     { return nil }

// service is the agent's, with its sign-in, as far as a login window sees it.
type service struct {
	m         *mac
	directory *fakeDirectory
	signIn    *signin.Machine
	unlocks   atomic.Int64 // how often FileVault may let somebody in
	desk      local.Desk
	log       *safeBuffer
	stop      func()
}

type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// serve runs the agent's service on a Mac whose one slot is free.
func serve(m *mac, prepare ...func(*service)) *service {
	m.t.Helper()
	s := &service{m: m, directory: &fakeDirectory{approved: make(chan struct{})}, log: new(safeBuffer)}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.signIn = &signin.Machine{
		Directory: s.directory, Log: log, Pack: logon.PackPair,
		Accounts: &signin.Accounts{Store: accounts.Memory(api.MacOS), Platform: api.MacOS, Folder: m.t.TempDir(), Log: log},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { s.signIn.Run(ctx) })
	m.t.Cleanup(func() { cancel(); group.Wait() })
	settings := api.DefaultSettings()
	if err := s.signIn.Heard(ctx, &api.CheckInResponse{State: api.DeviceActive, Organisation: "Acme", Settings: settings.MacOS, Free: true}); err != nil {
		m.t.Fatal(err)
	}
	for _, p := range prepare {
		p(s)
	}
	s.listen()
	return s
}

// listen has surfaces speak with the service, until stop is called.
func (s *service) listen() {
	s.m.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l, err := local.Listen(s.m.socket, log)
	if err != nil {
		s.m.t.Fatal(err)
	}
	server := &local.Server{
		Desk:   s.desk,
		SignIn: s.signIn, Version: "1.2.3", Log: log, Refresh: func(context.Context) api.Code { return api.CodeOffline },
		FileVault: func(context.Context) bool { return s.unlocks.Add(-1) >= 0 },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.m.t.Error(err)
		}
	})
	s.m.t.Cleanup(s.stop)
}

// told is what a page was told.
type told struct {
	Kind, State, Serial, Code, Message string
	Verb, Error, Page, URI, UserCode   string
	Fields, Actions                    []item
	Pairs                              [][2]string
}

// sees waits until the page is told of a state, or of something else.
func (m *mac) sees(what string) told {
	m.t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case text := <-m.cocoa.told:
			var got told
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				m.t.Fatal(err)
			}
			if got.State == what || got.Kind == what {
				return got
			}
		case <-late:
			m.t.Fatalf("the page is not told of %s", what)
		}
	}
}

// withPage is a page that listens as soon as it is there.
func (m *mac) withPage() {
	m.cocoa.load = func() {
		m.main <- func() { m.sayFrom(m.cocoa.message("ready")) }
	}
}

const annsPassword = "pass % word 1 ü"

// signsIn goes as far as a state.
func (s *service) signsIn(until string) (last told) {
	s.m.t.Helper()
	last = s.m.sees("ready")
	for _, step := range []struct{ state, press string }{
		{"ready", "act start SERIAL same-device"}, {"waiting", ""}, {"password", "field password pass %25 word 1 ü\nfield again pass %25 word 1 ü\nact submit SERIAL"},
	} {
		if step.state != "ready" {
			last = s.m.sees(step.state)
		}
		if step.state == until {
			return last
		}
		if step.state == "waiting" {
			close(s.directory.approved)
		} else {
			s.m.say(strings.ReplaceAll(step.press, "SERIAL", last.Serial))
		}
	}
	return last
}

// plays is somebody in the place of the agent's service, who takes each connection.
// How often it was connected to is counted.
func (m *mac) plays(speak func(net.Conn)) (connections *atomic.Int64) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.socket), 0o700); err != nil {
		m.t.Fatal(err)
	}
	l, err := net.Listen("unix", m.socket)
	if err != nil {
		m.t.Fatal(err)
	}
	connections = new(atomic.Int64)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			group.Go(func() {
				defer conn.Close()
				speak(conn)
			})
		}
	})
	m.t.Cleanup(func() { l.Close(); group.Wait() })
	return connections
}

// hears reads until a line was said.
func hears(conn net.Conn, line string) bool {
	var all []byte
	one := make([]byte, 512)
	for !strings.Contains(string(all), line+"\n") {
		n, err := conn.Read(one)
		if err != nil {
			return false
		}
		all = append(all, one[:n]...)
	}
	return true
}

// silence says no more, and waits until the other side hangs up.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
