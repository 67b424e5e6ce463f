package local

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

var update = flag.Bool("update", false, "rewrite the transcript in docs/local-protocol.md")

const (
	document   = "../../docs/local-protocol.md"
	transcript = "```transcript\n"
)

// acme is a directory in which Ann signs in and types 47.
type acme struct{ approved chan struct{} }

func (acme) SignIn(context.Context, *api.SignInRequest) (*api.SignInResponse, error) {
	return &api.SignInResponse{
		DeviceCode: "device code", UserCode: "BCDF-GHJK", VerificationURI: "https://id.acme.example/signin",
		VerificationURIComplete: "https://id.acme.example/signin?code=BCDFGHJK", ExpiresIn: 600, Interval: 5,
	}, nil
}

func (a acme) WhoSignedIn(ctx context.Context, r *api.TokenRequest) (*api.TokenResponse, error) {
	select {
	case <-a.approved:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.Number != "47" {
		return nil, api.Refuse(api.CodeNumberRequired, "")
	}
	ann := api.Person{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Name: "ann", Email: "ann@acme.example", FullName: "Ann Example"}
	return &api.TokenResponse{User: ann, Ticket: "ticket", ExpiresIn: 600, Password: api.ChoosePassword, Permission: api.Standard}, nil
}

func (acme) ConfirmPassword(context.Context, *api.PasswordRequest) error { return nil }
func (acme) CompleteSignIn(context.Context, *api.CompleteRequest) error  { return nil }
func (acme) CancelSignIn(context.Context, *api.CancelRequest) error      { return nil }

// offering gives a running sign-in that the directory offers to the device.
func offering(t *testing.T, a acme) *signin.Machine {
	t.Helper()
	m := &signin.Machine{
		Directory: a, Log: slog.New(slog.DiscardHandler),
		Accounts: &signin.Accounts{Store: accounts.Memory(api.Windows), Platform: api.Windows, Folder: t.TempDir(), Log: slog.New(slog.DiscardHandler)},
		Device: func() signin.Device {
			return signin.Device{
				Name: "ACME-1", Serial: "SN-1", Model: "Latitude 7450", OS: "Windows 11 Pro 10.0.26100", Organisation: "Acme",
				Managed: true, Heard: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
			}
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	if err := m.Reached(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	hears(t, m, true)
	return m
}

func hears(t *testing.T, m *signin.Machine, free bool) {
	t.Helper()
	settings := api.DefaultSettings().Windows
	settings.Text = "Questions? Call 100 % of IT: 4711."
	if err := m.Heard(t.Context(), &api.CheckInResponse{State: api.DeviceActive, Organisation: "Acme", Settings: settings, Free: free}); err != nil {
		t.Fatal(err)
	}
}

// inside is a listener for connections within this process.
type inside struct {
	calls chan net.Conn
	done  chan struct{}
}

func newInside() *inside { return &inside{make(chan net.Conn), make(chan struct{})} }

func (l *inside) call() net.Conn {
	near, far := net.Pipe()
	l.calls <- far
	return near
}

func (l *inside) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *inside) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *inside) Addr() net.Addr { return nil }

// serveInside runs a server until the test ends.
func serveInside(t *testing.T, s SignIn) *inside {
	t.Helper()
	l := newInside()
	serveOn(t, &Server{SignIn: s, Refresh: func(context.Context) api.Code { return api.CodeOffline }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}, l)
	return l
}

// play is a surface that writes down what is said.
type play struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	text strings.Builder
}

// says sends lines and writes down the block that answers them.
func (p *play) says(lines ...string) {
	p.t.Helper()
	synctest.Wait()
	for _, line := range lines {
		fmt.Fprintf(&p.text, "> %s\n", line)
		if _, err := p.conn.Write([]byte(line + "\n")); err != nil {
			p.t.Fatal(err)
		}
	}
	for line := ""; line != "\n"; {
		var err error
		if line, err = p.in.ReadString('\n'); err != nil {
			p.t.Fatalf("%v, after\n%s", err, &p.text)
		}
		p.text.WriteString(strings.TrimRight("< "+line, " \n") + "\n")
	}
}

// acmeDesk is that of a device in a network that wants its page read first.
func acmeDesk() *desk {
	return &desk{
		users: Users{List: true, All: []User{{"ann", true, "Ann Example"}, {"rescue", false, "IT"}}},
		network: Network{
			Link: LinkWiFi, Internet: ReachCaptive, Directory: ReachNo, Portal: "http://192.0.2.1/welcome", WiFi: WiFiOn, Name: "Guests of Acme",
			Scanned: time.Now().Add(-7 * time.Second), Networks: []WiFiNetwork{{Open, false, 4, "Guests of Acme"}, {Password, true, 2, "Acme"}},
		},
		info: Info{
			Computer: "ACME-1", Serial: "SN-1", Model: "MacBook Air", OS: "macOS 26.1", Agent: "1.2.3", Organisation: "Acme",
			Addresses: []Address{{"en0", "wifi", "00:00:5E:00:53:01", "192.0.2.7"}, {"en0", "wifi", "00:00:5E:00:53:01", "2001:db8::7"}, {"en5", "ethernet", "", ""}},
		},
	}
}

// The document shows a whole sign-in as it is.
func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := acme{make(chan struct{})}
		m := offering(t, a)
		l := newInside()
		serveOn(t, &Server{SignIn: m, Refresh: func(context.Context) api.Code { return api.CodeOffline }, Desk: acmeDesk(), Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}, l)
		p := &play{t: t, conn: l.call()}
		p.in = bufio.NewReader(p.conn)
		acts := func(fields ...string) {
			t.Helper()
			synctest.Wait()
			serial := m.Screen().Serial
			for i, f := range fields {
				fields[i] = strings.ReplaceAll(f, "SERIAL", fmt.Sprint(serial))
			}
			p.says(fields...)
			p.says(fmt.Sprintf("watch %d", serial))
		}
		p.says("hello 1 terminal")
		p.says("watch 0")
		acts("act start SERIAL")
		close(a.approved)
		synctest.Wait()
		p.says(fmt.Sprintf("watch %d", m.Screen().Serial-1))
		acts("field number 47", "act submit SERIAL")
		acts("field password 100%25 secret", "field again 100%25 secret", "act submit SERIAL")
		hears(t, m, false)
		acts("act close SERIAL")
		p.says("refresh")
		p.says("users")
		p.says("network")
		p.says("field name Guests of Acme", "join")
		p.says("info")
		p.says("power restart")
		p.text.WriteString("> bye\n")
		if _, err := p.conn.Write([]byte("bye\n")); err != nil {
			t.Fatal(err)
		}
		checkDocument(t, p.text.String())
	})
}

func checkDocument(t *testing.T, text string) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), transcript)
	shown, after, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatalf("%s has no transcript", document)
	}
	if *update {
		if err := os.WriteFile(document, []byte(before+transcript+text+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(text, shown); diff != "" {
		t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", document, diff)
	}
}
