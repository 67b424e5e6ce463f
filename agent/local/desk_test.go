package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// desk is of a device at which somebody works: it can be shut down, but not
// restarted.
type desk struct {
	users   Users
	network Network
	info    Info
	logo    []byte
	err     error         // of all calls
	wait    chan struct{} // before each answer; nil: none
	hangs   bool          // each call, until its context ends

	mu   sync.Mutex
	told []string
}

func (d *desk) note(ctx context.Context, text string) error {
	d.mu.Lock()
	d.told = append(d.told, text)
	d.mu.Unlock()
	if d.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if d.wait != nil {
		select {
		case <-d.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return d.err
}

func (d *desk) Users(ctx context.Context) (Users, error) { return d.users, d.note(ctx, "users") }
func (d *desk) Network(ctx context.Context) (Network, error) {
	return d.network, d.note(ctx, "network")
}
func (d *desk) Scan(ctx context.Context) error { return d.note(ctx, "scan") }
func (d *desk) Join(ctx context.Context, j Join) error {
	return d.note(ctx, fmt.Sprintf("join %+v", j))
}
func (d *desk) SetWiFi(ctx context.Context, on bool) error {
	return d.note(ctx, fmt.Sprintf("wifi %t", on))
}
func (d *desk) Info(ctx context.Context) (Info, error)   { return d.info, d.note(ctx, "info") }
func (d *desk) Logo(ctx context.Context) ([]byte, error) { return d.logo, d.note(ctx, "logo") }
func (d *desk) Power(ctx context.Context, p Power) error {
	if p == Restart {
		return fmt.Errorf("ann: %w", ErrOthers)
	}
	return d.note(ctx, string(p))
}

// atDesk serves a desk, and gives a login window that asks it.
func atDesk(t *testing.T, d Desk) *Client {
	t.Helper()
	l := newInside()
	serveOn(t, &Server{SignIn: newFixed(), Desk: d, Log: slog.New(slog.DiscardHandler)}, l)
	c, err := NewClient(t.Context(), l.call(), "login-window")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDeskAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{
			users: Users{List: true, All: []User{{"ann", true, "Ann % Example"}, {"bob", false, "bob"}}},
			network: Network{
				Link: LinkWiFi, Internet: ReachCaptive, Directory: ReachNo, Portal: "http://192.0.2.1/login?a=b%20c", WiFi: WiFiOn, Name: "Acme 100 %",
				Withheld: "location", Scanning: true, Scanned: time.Now().Add(-7 * time.Second),
				Networks:   []WiFiNetwork{{Password, true, 2, "Acme 100 %"}, {Open, false, 4, " Guests "}, {Enterprise, false, 0, "Lab"}},
				Identities: []Identity{{"1A2B", "Ann's laptop"}}, Join: JoinFailed, JoinCode: "password", JoinName: "Lab",
			},
			info: Info{
				Computer: "ACME-1", Serial: "SN-1", Model: "Mac16,1", OS: "macOS 26.1", Agent: "1.2.3", Organisation: "Acme",
				Addresses: []Address{{"en0", "wifi", "00:00:5E:00:53:01", "192.0.2.7"}, {"utun3", "other", "", "198.51.100.7"}, {"en1", "ethernet", "00:00:5E:00:53:02", ""}},
			},
			logo: bytes.Repeat([]byte{0x89, 'P', 'N', 'G', 0}, MaxLogo/5),
		}
		c := atDesk(t, d)
		u, err := c.Users(t.Context())
		same(t, &d.users, u, err)
		n, err := c.Network(t.Context())
		same(t, &d.network, n, err)
		i, err := c.Info(t.Context())
		same(t, &d.info, i, err)
		logo, err := c.Logo(t.Context())
		same(t, &d.logo, &logo, err)
		for _, err := range []error{
			c.Scan(t.Context()), c.SetWiFi(t.Context(), true), c.SetWiFi(t.Context(), false), c.Power(t.Context(), Shutdown),
			c.Join(t.Context(), Join{Name: "Lab 100 %", Password: " geheim\t% ", Hidden: true, Identity: "1A2B"}), c.Join(t.Context(), Join{Name: "Guests"}),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		if err := c.Power(t.Context(), Restart); !errors.Is(err, ErrOthers) {
			t.Errorf("somebody loses their work: %v", err)
		}
		want := []string{
			"users", "network", "info", "logo", "scan", "wifi true", "wifi false", "shutdown",
			"join {Name:Lab 100 % Password: geheim\t%  Hidden:true Identity:1A2B}", "join {Name:Guests Password: Hidden:false Identity:}",
		}
		if diff := cmp.Diff(want, d.told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func same[T any](t *testing.T, want, got *T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-at the desk +arrived):\n%s", diff)
	}
}

// Refusals are of one verb, and the surface goes on.
func TestDeskRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		desk Desk
		word string
	}{
		"no desk":               {nil, refusedUnknown},
		"no such thing":         {&desk{err: fmt.Errorf("wifi: %w", errors.ErrUnsupported)}, refusedUnknown},
		"it fails":              {&desk{err: errors.New("no radio")}, refusedFailed},
		"it takes for ever":     {&desk{hangs: true}, refusedFailed},
		"somebody is logged in": {&desk{err: ErrOthers}, refusedOthers},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := atDesk(t, c.desk)
				begun := time.Now()
				var refused *RefusedError
				if _, err := client.Users(t.Context()); !errors.As(err, &refused) || refused.Word != c.word {
					t.Errorf("users: %v, want %s", err, c.word)
				}
				if err := client.Scan(t.Context()); !errors.As(err, &refused) || refused.Word != c.word {
					t.Errorf("scan: %v, want %s", err, c.word)
				}
				if took := time.Since(begun); took > 2*5*time.Second {
					t.Errorf("two answers after %v", took)
				}
				if s, err := client.Next(t.Context(), 0); err != nil || s.Serial != 7 {
					t.Errorf("and then: %+v, %v", s, err)
				}
			})
		})
	}
}

// A slow answer holds up neither others nor the sign-in, and a second request of
// its verb is not begun.
func TestDeskIsAskedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{wait: make(chan struct{})}
		l := newInside()
		serveOn(t, &Server{SignIn: newFixed(), Desk: d, Log: slog.New(slog.DiscardHandler)}, l)
		conn := l.call()
		in := &lines{r: conn}
		heads := func(count int) (all []string) {
			for range count {
				b, err := readBlock(in)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, strings.Join(b.words, " "))
			}
			return all
		}
		if _, err := io.WriteString(conn, "hello 1 t\nusers\nusers\nwatch 0\n"); err != nil {
			t.Fatal(err)
		}
		got := heads(3)
		close(d.wait)
		got = append(got, heads(1)...)
		slices.Sort(got[1:3]) // they come in any order
		if diff := cmp.Diff([]string{"hello 1", "error wait users", "screen 7", "ok users"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := io.WriteString(conn, "users\n"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"ok users"}, heads(1)); diff != "" {
			t.Errorf("again (-want +got):\n%s", diff)
		}
	})
}

// The windows of few rights learn nothing of the device's people and network, and
// change nothing.
func TestDeskIsNotForWindows(t *testing.T) {
	d := new(desk)
	server := &Server{SignIn: newFixed(), Desk: d, Log: slog.New(slog.DiscardHandler)}
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() { defer close(ended); server.ServeWindow(t.Context(), far) }()
	c, err := NewClient(t.Context(), near, SurfaceWindow)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close(); <-ended }()
	ask := map[string]func() error{
		verbScan: func() error { return c.Scan(t.Context()) }, verbWiFi: func() error { return c.SetWiFi(t.Context(), false) },
		verbPower: func() error { return c.Power(t.Context(), Shutdown) }, verbJoin: func() error { return c.Join(t.Context(), Join{Name: "Acme"}) },
		verbUsers: func() error { _, err := c.Users(t.Context()); return err }, verbNetwork: func() error { _, err := c.Network(t.Context()); return err },
		verbInfo: func() error { _, err := c.Info(t.Context()); return err }, verbLogo: func() error { _, err := c.Logo(t.Context()); return err },
	}
	for verb := range deskVerbs {
		var refused *RefusedError
		if err := ask[verb](); !errors.As(err, &refused) || refused.Word != refusedDenied {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if len(d.told) > 0 {
		t.Errorf("it did %v", d.told)
	}
}

// However much there is, it fits into a block, and what is left out is said.
func TestDeskAnswersFit(t *testing.T) {
	for name, long := range map[string]string{
		"letters": strings.Repeat("a", 2000), "escapes": strings.Repeat("%", 2000), "umlauts": strings.Repeat("ü", 1000), "noise": strings.Repeat("\n\x00\xff", 700),
	} {
		short := long[:30]
		u := Users{All: []User{{Name: "a b", Label: "a name that is two words"}, {Name: long, Label: "too long"}}}
		n := Network{Link: LinkWiFi, Internet: ReachCaptive, Portal: "http://a.example/" + long, Name: long, JoinName: long}
		i := Info{Computer: long, Serial: long, Model: long, OS: long, Agent: long, Organisation: long}
		for range 200 {
			u.All = append(u.All, User{Name: short, Label: long})
			n.Networks = append(n.Networks, WiFiNetwork{Open, false, 9, short}, WiFiNetwork{Open, false, 9, long})
			n.Identities = append(n.Identities, Identity{short, long})
			i.Addresses = append(i.Addresses, Address{short, "other", "00:00:5E:00:53:01", "2001:db8:0:0:0:0:0:7%" + short})
		}
		n.Networks = append(n.Networks, WiFiNetwork{Password, true, 1, "saved"})
		users, err := readUsers(reread(t, usersBlock(&u)))
		if err != nil || len(users.All) != MaxUsers || !users.More {
			t.Errorf("%s: %+v, %v", name, users, err)
		}
		network, err := readNetwork(reread(t, networkBlock(&n, time.Now())), time.Now())
		if err != nil || len(network.Networks) != MaxNetworks || len(network.Identities) != MaxIdentities || network.Portal != "" || network.Networks[0].Name != "saved" {
			t.Errorf("%s: %+v, %v", name, network, err)
		}
		info, err := readInfo(reread(t, infoBlock(&i)))
		if err != nil || len(info.Addresses) != MaxAddresses {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	if b := reread(t, logoBlock(make([]byte, MaxLogo))); len(b.pairs) == 0 {
		t.Error("the largest logo has no rows")
	}
	if b := logoBlock(make([]byte, MaxLogo+1)); len(b.pairs) != 0 {
		t.Error("a larger one does")
	}
}

func TestDeskAnswersThatAreNone(t *testing.T) {
	for text, read := range map[string]func(*block) error{
		"ok users\nuser=ann managed\n\n":                 ofUsers,
		"ok users\nuser=ann boss Ann\n\n":                ofUsers,
		"ok users\nuser= managed Ann\n\n":                ofUsers,
		"ok users\nlist=maybe\n\n":                       ofUsers,
		"ok users\nlist=yes\nlist=no\n\n":                ofUsers,
		"ok network\nportal=file:///etc/passwd\n\n":      ofNetwork,
		"ok network\nportal=javascript:alert(1)\n\n":     ofNetwork,
		"ok network\nlink=a b\n\n":                       ofNetwork,
		"ok network\nscanned=-1\n\n":                     ofNetwork,
		"ok network\nscanning=1\n\n":                     ofNetwork,
		"ok network\nname=a\nname=b\n\n":                 ofNetwork,
		"ok network\nnetwork=open new 5 Acme\n\n":        ofNetwork,
		"ok network\nnetwork=open new +1 Acme\n\n":       ofNetwork,
		"ok network\nnetwork=open old 1 Acme\n\n":        ofNetwork,
		"ok network\nnetwork=open new 1\n\n":             ofNetwork,
		"ok network\nidentity=1A2B\n\n":                  ofNetwork,
		"ok info\naddress=en0 wifi -\n\n":                ofInfo,
		"ok info\naddress=en0 wifi - 192.0.2.7 more\n\n": ofInfo,
		"ok logo\npng=a\n\n":                             ofLogo,
		"ok logo\npng=iVBORw0KGgp=\n\n":                  ofLogo,
	} {
		b, err := readBlock(&lines{r: strings.NewReader(text)})
		if err == nil {
			err = read(b)
		}
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func ofUsers(b *block) error   { _, err := readUsers(b); return err }
func ofNetwork(b *block) error { _, err := readNetwork(b, time.Now()); return err }
func ofInfo(b *block) error    { _, err := readInfo(b); return err }
func ofLogo(b *block) error    { _, err := readLogo(b); return err }
