//go:build unix

package beside

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/agent/logon"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// mac is a Mac with the agent's service, its directory, and somebody in front of what
// stands beside Apple's login window.
type mac struct {
	t         *testing.T
	directory *testdirectory.Service
	client    *api.Client
	store     *accounts.InMemory
	folder    string
	socket    string
	log       *safeBuffer
	stop      func() // kills the service
	signIn    *signin.Machine

	*windows
	beside *Beside
	end    func() // ends what stands beside Apple's window, as launchd does
}

// newMac enrols a Mac that one person may sign in to.
func newMac(t *testing.T) *mac {
	t.Helper()
	dir, err := os.MkdirTemp("", "firstday") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &mac{
		t: t, directory: testdirectory.New(t), store: accounts.Memory(api.MacOS), folder: t.TempDir(),
		socket: filepath.Join(dir, "run", "agent.sock"), log: new(safeBuffer), windows: newWindows(),
	}
	m.enroll()
	m.serve()
	m.login()
	return m
}

// enroll makes the Mac a member, with a key of its own.
func (m *mac) enroll() {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	if err != nil {
		m.t.Fatal(err)
	}
	certificate := new(tls.Certificate)
	m.client, err = api.NewClient(m.directory.At, func() (*tls.Certificate, error) { return certificate, nil })
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.client.Close)
	answer, err := m.client.Enroll(m.t.Context(), &api.EnrollRequest{
		ConnectKey: m.directory.MustMint(api.NewConnectKey{}), PackageID: uuid.New(), CertificateRequest: request,
		Facts: api.Facts{Platform: api.MacOS, Serial: "SN-1", Name: "ACME-1", OS: "macOS", OSVersion: "15.6", Arch: "arm64", AgentVersion: "1.2.3", KeyStorage: api.KeyInFile},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	certificate = &tls.Certificate{Certificate: answer.Certificates, PrivateKey: key}
	m.client.Close() // connections without it
}

// serve runs the agent's service, as far as surfaces see it, until stop.
func (m *mac) serve() {
	m.t.Helper()
	log := slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	signIn := &signin.Machine{
		Directory: m.client, Log: log, Pack: logon.PackPair,
		Accounts: &signin.Accounts{Store: m.store, Platform: api.MacOS, Folder: m.folder, Log: log},
		Device:   func() signin.Device { return signin.Device{Organisation: "Acme", Name: "ACME-1"} },
	}
	m.signIn = signIn
	l, err := local.Listen(m.socket, log)
	if err != nil {
		m.t.Fatal(err)
	}
	server := &local.Server{SignIn: signIn, Version: "1.2.3", Log: log, Refresh: func(context.Context) api.Code { return "" }}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { signIn.Run(ctx) })
	group.Go(func() {
		if err := server.Serve(ctx, l); err != nil {
			m.t.Error(err)
		}
	})
	group.Go(func() { m.hear(ctx, signIn) })
	m.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
	m.t.Cleanup(m.stop)
}

// hear tells the sign-in what the directory says, as it changes.
func (m *mac) hear(ctx context.Context, signIn *signin.Machine) {
	for version := int64(0); ctx.Err() == nil; {
		answer, err := m.client.CheckIn(ctx, &api.CheckInRequest{Version: version, Wait: 60})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.t.Error(err)
			return
		}
		version = answer.Version
		_ = signIn.Reached(ctx, true)
		_ = signIn.Heard(ctx, answer)
	}
}

// wants has the organisation want a window.
func (m *mac) wants(w api.SignInWindow) {
	m.t.Helper()
	m.directory.Change(func(s *api.Settings) { s.MacOS.Window = w })
}

// dials is another surface.
func (m *mac) dials(t *testing.T, surface string) *local.Client {
	t.Helper()
	c, err := local.Dial(t.Context(), m.socket, surface)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// login begins the session of the login window, in which launchd runs us.
func (m *mac) login() {
	m.t.Helper()
	log := slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m.beside = &Beside{
		Dial:         func(ctx context.Context) (net.Conn, error) { return local.Connect(ctx, m.socket) },
		AuditSession: "100003", Toolkit: m.windows, Log: log,
	}
	m.windows.beside = m.beside
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { m.beside.Run(ctx) })
	m.end = sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
	m.t.Cleanup(m.end)
}

// windows is a toolkit that keeps what is to be seen, with a page that says that it
// listens as soon as it is there.
type windows struct {
	beside  *Beside
	changed chan struct{} // holds one: look again

	mu    sync.Mutex
	now   Picture
	all   []Picture
	told  []told
	deaf  bool // the page says nothing
	blind bool // there is no session
}

// told is what the page was told.
type told struct {
	Kind, State, Serial, Verb, Logon string
	Actions                          []struct{ Name string }
}

func newWindows() *windows { return &windows{changed: make(chan struct{}, 1)} }

func (w *windows) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *windows) Session() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.blind
}

func (w *windows) Show(p Picture) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Page != 0 && p.Page != w.now.Page {
		w.told = nil
		if !w.deaf {
			go w.beside.Said([]byte("ready"))
		}
	}
	w.now, w.all = p, append(w.all, p)
	w.wake()
}

func (w *windows) Tell(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var t told
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		panic(err) // the page's host writes it
	}
	w.told = append(w.told, t)
	w.wake()
}

// until waits until there is something to be seen, or told.
func (m *mac) until(what string, ok func(now Picture, told []told) bool) {
	m.t.Helper()
	late := time.After(time.Minute)
	for {
		m.mu.Lock()
		now, all := m.now, slices.Clone(m.told)
		m.mu.Unlock()
		if ok(now, all) {
			return
		}
		select {
		case <-m.changed:
		case <-late:
			m.t.Fatalf("no %s: %+v, the page was told %+v\n%s", what, now, all, m.log)
		}
	}
}

func (m *mac) sees(want Picture) {
	m.t.Helper()
	m.until("picture", func(now Picture, _ []told) bool { return now == want })
}

// hears waits until the page is told of a state, and gives the screen's number.
func (m *mac) hears(state signin.State) (screen told) {
	m.t.Helper()
	m.until(string(state), func(_ Picture, all []told) bool {
		for _, t := range slices.Backward(all) {
			if t.Kind == "screen" {
				screen = t
				break
			}
		}
		return screen.State == string(state)
	})
	return screen
}

// says says on the page what answers a screen.
func (m *mac) says(text string, on told) {
	m.beside.Said([]byte(strings.ReplaceAll(text, "SERIAL", on.Serial)))
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
