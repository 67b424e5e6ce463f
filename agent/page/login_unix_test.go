//go:build unix

package page

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/agent/logon"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testbrowser"
	"firstday.dev/internal/testdirectory"
)

// mac is a device that a directory has taken in, with the agent's service.
type mac struct {
	*testdirectory.Service
	t        *testing.T
	device   *api.Client
	signIn   *signin.Machine
	accounts *accounts.InMemory
	desk     *desk
	socket   string
	stop     func() // ends the service
}

// newMac brings a Mac whose one slot is free.
func newMac(t *testing.T) *mac {
	t.Helper()
	m := &mac{Service: testdirectory.New(t), t: t, accounts: accounts.Memory(api.MacOS), desk: newDesk(), socket: filepath.Join(t.TempDir(), "agent", "sock")}
	m.Change(func(s *api.Settings) { s.SecondFactor = false })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	if err != nil {
		t.Fatal(err)
	}
	facts := api.Facts{Platform: api.MacOS, Serial: "C02ABC123", Name: "ACME-MAC-1", Model: "MacBook Air", OS: "macOS", OSVersion: "26.1", Arch: "arm64", KeyStorage: api.KeyInFile}
	var own atomic.Pointer[tls.Certificate]
	m.device, err = api.NewClient(m.At, func() (*tls.Certificate, error) { return own.Load(), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.device.Close)
	stranger, err := api.NewClient(m.At, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	e, err := stranger.Enroll(t.Context(), &api.EnrollRequest{ConnectKey: m.MustMint(api.NewConnectKey{}), Facts: facts, CertificateRequest: csr})
	if err != nil {
		t.Fatal(err)
	}
	own.Store(&tls.Certificate{Certificate: e.Certificates, PrivateKey: key})
	m.signIn = &signin.Machine{
		Directory: m.device, Pack: logon.PackPair, Log: slog.New(slog.DiscardHandler),
		Accounts: &signin.Accounts{Store: m.accounts, Platform: api.MacOS, Folder: t.TempDir(), Log: slog.New(slog.DiscardHandler)},
		Device: func() signin.Device {
			return signin.Device{Name: facts.Name, Serial: facts.Serial, Model: facts.Model, OS: "macOS 26.1", Organisation: "Acme", Managed: true, Heard: time.Now()}
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { m.signIn.Run(ctx) })
	t.Cleanup(func() { cancel(); group.Wait() })
	m.hears()
	m.serve()
	return m
}

// hears has the device ask the directory for news, and gives a code if that fails.
func (m *mac) hears() api.Code {
	ctx := m.t.Context()
	answer, err := m.device.CheckIn(ctx, new(api.CheckInRequest))
	_ = m.signIn.Reached(ctx, err == nil)
	if err != nil {
		return api.CodeOffline
	}
	_ = m.signIn.Heard(ctx, answer)
	return ""
}

// serve has surfaces speak with the service, until stop is called.
func (m *mac) serve() {
	m.t.Helper()
	l, err := local.Listen(m.socket, slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Fatal(err)
	}
	s := &local.Server{SignIn: m.signIn, Refresh: func(context.Context) api.Code { return m.hears() }, Desk: m.desk, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
	})
	m.t.Cleanup(m.stop)
}

// window is a login window: the page in a browser, and its host.
type window struct {
	*testbrowser.Browser
	*mac
	t      *testing.T
	host   *Host
	wishes chan Wish                         // for the other web view
	wlan   func(said string) (answer string) // the host's own Wi-Fi; nil: it has none
	ended  chan error
	logon  *Logon // once it has ended
}

// sight is a browser, in which one window after the other is opened.
type sight struct {
	*testbrowser.Browser
	mu   sync.Mutex
	hear func(string)
}

func newSight(t *testing.T) *sight {
	t.Helper()
	s := &sight{Browser: testbrowser.New(t)}
	s.Hear("toHost", func(text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.hear != nil {
			s.hear(text)
		}
	})
	s.Before(`window.webkit = { messageHandlers: { firstday: { postMessage: text => toHost(text) } } }`)
	return s
}

// file is the page's address on the disk, as a web view loads it.
func file(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../signinpage/index.html")
	if err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// opens shows the login window of a Mac.
func (s *sight) opens(m *mac) *window {
	m.t.Helper()
	w := s.shows(m.t, &Host{Surface: "login-window", Dial: func(ctx context.Context) (net.Conn, error) {
		conn, err := local.Connect(ctx, m.socket)
		if err != nil {
			return nil, err
		}
		return m.desk.between(conn), nil
	}})
	w.mac = m
	return w
}

// shows shows the login window of a service.
func (s *sight) shows(t *testing.T, host *Host) *window {
	t.Helper()
	w := &window{Browser: s.Browser, t: t, host: host, wishes: make(chan Wish, 100), ended: make(chan error, 1)}
	host.Tell = func(json string) { s.Tell("firstday.take(" + json + ")") }
	s.mu.Lock()
	s.hear = func(text string) {
		if lines := strings.Split(text, "\n"); w.wlan != nil && strings.HasPrefix(lines[len(lines)-1], "wlan ") {
			answer := w.wlan(text)
			go s.Tell("firstday.take(" + answer + ")")
			return
		}
		switch wish := w.host.Said([]byte(text)); wish {
		case Show, Portal, Shut:
			w.wishes <- wish
		}
	}
	s.mu.Unlock()
	s.Screen(false, false)
	s.Open(file(t))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		var err error
		w.logon, err = w.host.Run(ctx)
		w.ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-w.ended
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hear = nil
	})
	return w
}

// ends waits for what came of it.
func (w *window) ends() (*Logon, error) {
	w.t.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return w.logon, err
	case <-time.After(time.Minute):
		w.t.Fatal("the window does not end")
		return nil, nil
	}
}

// wished waits for what the other web view is to do.
func (w *window) wished(wish Wish) {
	w.t.Helper()
	select {
	case got := <-w.wishes:
		if got != wish {
			w.t.Fatalf("the page wishes %d, not %d", got, wish)
		}
	case <-time.After(time.Minute):
		w.t.Fatalf("the page does not wish %d", wish)
	}
}

// themes are what people ask their system for.
var themes = [][]string{{"prefers-color-scheme", "light"}, {"prefers-color-scheme", "dark"}}

// look has the page judged in each theme.
func (w *window) look(what string) {
	w.t.Helper()
	for _, theme := range themes {
		w.Prefer(theme...)
		w.Axe(what + ", " + strings.Join(theme, " "))
	}
	w.Prefer(themes[0]...)
	w.Look()
}

// tab goes from one control to the next until one is reached, as who has no mouse. It
// waits for one that is not there yet.
func (w *window) tab(selector string) {
	w.t.Helper()
	w.Await(`document.querySelector(` + quote(selector) + `)`)
	var seen []string
	for range 40 {
		if w.Is(`document.activeElement.matches(`+quote(selector)+`)`) == "true" {
			if len(seen) > 0 && w.Is(`document.activeElement.matches(":focus-visible")`) != "true" {
				w.t.Errorf("nobody sees that the focus is at %s", selector)
			}
			return
		}
		seen = append(seen, w.Is(`document.activeElement.id || document.activeElement.textContent`))
		w.Key("\t")
	}
	w.t.Fatalf("Tab does not lead to %s, but to %q", selector, seen)
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
