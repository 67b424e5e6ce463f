package local

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
)

// A surface that does not read, one that does not speak and one that went hold
// up nobody, and are hung up on.
func TestStuckSurfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serveInside(t, newFixed())
		stuck, silent, gone := l.call(), l.call(), l.call()
		if _, err := io.WriteString(stuck, "hello 1 stuck\n"); err != nil { // whose greeting nobody reads
			t.Fatal(err)
		}
		gone.Close()
		c, err := NewClient(t.Context(), l.call(), "terminal")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.Next(t.Context(), 0); err != nil || s.Serial != 7 {
			t.Errorf("%+v, %v", s, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		if _, err := c.Next(ctx, 7); !errors.Is(err, context.DeadlineExceeded) { // answered nine times with nothing new
			t.Errorf("a surface that watches: %v", err)
		}
		for name, conn := range map[string]net.Conn{"stuck": stuck, "silent": silent} {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("the %s one: %v", name, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOneSurfaceTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serveInside(t, newFixed())
		first, err := NewClient(t.Context(), l.call(), "terminal")
		if err != nil {
			t.Fatal(err)
		}
		for range maxSurfaces - 1 {
			defer l.call().Close()
		}
		b, err := readBlock(&lines{r: l.call()})
		if err != nil || b.refused().Word != refusedBusy {
			t.Errorf("one too many: %+v, %v", b, err)
		}
		first.Close()
		synctest.Wait()
		if _, err := NewClient(t.Context(), l.call(), "terminal"); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
	})
}

// The service ends at once, whatever its surfaces do: with its context, and when
// nobody can connect any more.
func TestServiceEnds(t *testing.T) {
	for want, end := range map[error]func(*inside, context.CancelFunc){
		nil:           func(_ *inside, cancel context.CancelFunc) { cancel() },
		net.ErrClosed: func(l *inside, _ context.CancelFunc) { l.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newInside()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			server := &Server{SignIn: newFixed(), Log: slog.New(slog.DiscardHandler)}
			go func() { ended <- server.Serve(ctx, l) }()
			c, err := NewClient(t.Context(), l.call(), "terminal")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				if _, err := c.Next(t.Context(), 7); !errors.Is(err, ErrClosed) {
					t.Errorf("a watch: %v", err)
				}
			}()
			l.call() // and says nothing
			synctest.Wait()
			begun := time.Now()
			end(l, cancel)
			if err := <-ended; !errors.Is(err, want) || time.Since(begun) != 0 {
				t.Errorf("%v after %v, want %v", err, time.Since(begun), want)
			}
			synctest.Wait()
		})
	}
}

func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixed()
		c, err := NewClient(t.Context(), serveInside(t, f).call(), "terminal")
		if err != nil || c.Agent != "1.2.3" {
			t.Fatalf("%+v, %v", c, err)
		}
		s, err := c.Next(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.Screen, s.Screen); diff != "" {
			t.Errorf("(-shown +arrived):\n%s", diff)
		}
		password := map[string]string{"password": "100 % geheim ü\t", "again": ""}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Submit, Serial: 7, Fields: password}); err != nil {
			t.Error(err)
		}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Cancel, Serial: 6}); !errors.Is(err, signin.ErrStale) {
			t.Errorf("an action on another screen: %v", err)
		}
		if diff := cmp.Diff([]string{"submit again= password=100 %25 geheim ü%09"}, f.actions()); diff != "" {
			t.Errorf("actions (-want +got):\n%s", diff)
		}
		if r, err := c.Refresh(t.Context()); err != nil || r.Code != "offline" || r.Message == "" {
			t.Errorf("%+v, %v", r, err)
		}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Submit, Serial: 7, Fields: map[string]string{"password": strings.Repeat("%", 400)}}); !errors.Is(err, ErrProtocol) {
			t.Errorf("a field of more than a line: %v", err)
		}
		// A watch that nobody waits for any more does no harm.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Next(ctx, 7); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if s, err := c.Next(t.Context(), 0); err != nil || s.Serial != 7 {
			t.Errorf("%+v, %v", s, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := c.Next(t.Context(), 7); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// Whatever a service does, a surface comes to an end with it.
func TestClientsOfOddServices(t *testing.T) {
	const hello = "hello 1\n\n"
	for name, c := range map[string]struct {
		says  []string // to each line
		hangs bool     // and does not hang up then
		want  error    // nil: a refusal
	}{
		"it hangs up":           {says: []string{hello, ""}, want: ErrClosed},
		"it never answers":      {says: []string{hello, ""}, hangs: true, want: ErrClosed},
		"it stops in a block":   {says: []string{hello, "screen 1\nstate=ready\n"}, hangs: true, want: ErrClosed},
		"it hangs up in one":    {says: []string{hello, "screen 1\nstate=ready\n"}, want: io.ErrUnexpectedEOF},
		"it speaks otherwise":   {says: []string{hello, "{}\n\n"}, want: ErrProtocol},
		"it refuses":            {says: []string{hello, "error malformed\n\n"}},
		"it never greets":       {says: []string{""}, hangs: true, want: os.ErrDeadlineExceeded},
		"it greets otherwise":   {says: []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, want: ErrProtocol},
		"it is of another kind": {says: []string{"hello 2\n\n"}, want: ErrProtocol},
		"it answers no words":   {says: []string{"hello\n\n"}, want: ErrProtocol},
		"it has no room":        {says: []string{"error busy\n\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				go func() {
					in := bufio.NewReader(far)
					for _, answer := range c.says {
						if _, err := in.ReadString('\n'); err != nil {
							return
						}
						if _, err := io.WriteString(far, answer); err != nil {
							return
						}
					}
					if !c.hangs {
						far.Close()
					}
				}()
				defer far.Close()
				client, err := NewClient(t.Context(), near, "terminal")
				if err == nil {
					_, err = client.Next(t.Context(), 0)
				}
				var refused *RefusedError
				if c.want == nil && !errors.As(err, &refused) || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}

// Whatever a screen says, it is sent in the sizes that surfaces have room for.
func TestLongScreens(t *testing.T) {
	for name, long := range map[string]string{
		"letters":  strings.Repeat("a", 4000),
		"escapes":  strings.Repeat("%", 4000),
		"umlauts":  strings.Repeat("ü", 4000),
		"controls": "a\nb\x00c\x1b[2J\xff" + strings.Repeat("\n", 4000),
	} {
		s := signin.Screen{
			Serial: 1, State: signin.Waiting, Title: long, Message: long, Text: long, Help: "https://acme.example/" + long, UserCode: long, URI: long,
			QR: strings.Repeat("a", 213), Account: long, Device: signin.Device{Name: long, Serial: long, Model: long, OS: long, Organisation: long},
		}
		for range maxList {
			s.Fields = append(s.Fields, signin.Field{Name: "password", Label: long})
			s.Actions = append(s.Actions, signin.ActionButton{Name: "submit", Label: long})
		}
		out := screenBlock(&s, time.Now()).bytes()
		got, err := readBlock(&lines{r: strings.NewReader(string(out))})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		screen, err := readScreen(got, time.Now())
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case screen.Help != "" || screen.URI != "":
			t.Errorf("%s: half an address is shown", name)
		case len(screen.Modules) != maxModules:
			t.Errorf("%s: the picture has %d rows", name, len(screen.Modules))
		case !strings.HasSuffix(screen.Title, "…") || len(screen.Title) < 300:
			t.Errorf("%s: the title is %q", name, screen.Title)
		}
	}
	if QRCode(strings.Repeat("a", 300)) != nil || QRCode("") != nil {
		t.Error("there is a picture of nothing, or of too much")
	}
}

// A value comes back as it was.
func TestEscapes(t *testing.T) {
	for value, want := range map[string]string{
		"":                   "",
		"plain = text":       "plain = text",
		"100 %":              "100 %25",
		"a\nb\rc\td\x1b\x7f": "a%0Ab%0Dc%09d%1B%7F",
		"Jörg 😀":             "Jörg 😀",
	} {
		text := escape(value)
		back, err := unescape([]byte(text))
		if text != want || err != nil || string(back) != value {
			t.Errorf("%q is written %q and read %q, %v", value, text, back, err)
		}
	}
	if got := escape("a\x00b\xff"); got != "a\uFFFDb\uFFFD" {
		t.Errorf("what cannot be written is %q", got)
	}
}

// What was read is not kept.
func TestLinesAreWiped(t *testing.T) {
	in := &lines{r: strings.NewReader("field password secret-1\nfield again secret-2\nact submit 7\n")}
	for range 3 {
		if _, err := in.next(); err != nil {
			t.Fatal(err)
		}
	}
	if kept := string(in.buf[:]); strings.Contains(kept, "secret") {
		t.Errorf("it is still there: %q", strings.Trim(kept, "\x00"))
	}
}

func TestLogonIsForOneSurface(t *testing.T) {
	l := serveInside(t, newFixed())
	var given [][]byte
	for range 2 {
		c, err := NewClient(t.Context(), l.call(), "tile")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		packed, err := c.Logon(t.Context(), 7)
		if err != nil && !errors.Is(err, signin.ErrNoLogon) {
			t.Error(err)
		}
		given = append(given, packed)
	}
	if diff := cmp.Diff([][]byte{[]byte("hunter22"), nil}, given); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// apart keeps which surfaces act, and ask for what is logged on with.
type apart struct {
	*fixed
	acted, asked []int64
	within       []string // the sessions of who acts and watches
}

func (a *apart) NextIn(ctx context.Context, session string, serial int64) (signin.Screen, error) {
	a.within = append(a.within, session)
	return a.fixed.NextIn(ctx, session, serial)
}

func (a *apart) Act(ctx context.Context, action signin.Action) error {
	a.acted, a.within = append(a.acted, action.Surface), append(a.within, action.Session)
	return a.fixed.Act(ctx, action)
}

func (a *apart) Logon(ctx context.Context, serial, surface int64) ([]byte, error) {
	a.asked = append(a.asked, surface)
	return a.fixed.Logon(ctx, serial, surface)
}

// The sign-in gives what is logged on with to who typed: it is told who that is, by
// the connection, whatever a surface calls itself.
func TestSurfacesAreToldApart(t *testing.T) {
	a := &apart{fixed: newFixed()}
	l := serveInside(t, a)
	for range 3 {
		c, err := NewClient(t.Context(), l.call(), "login-window")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Act(t.Context(), signin.Action{Name: signin.Submit, Serial: 7}); err != nil {
			t.Error(err)
		}
		if _, err := c.Logon(t.Context(), 7); err != nil && !errors.Is(err, signin.ErrNoLogon) {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(a.acted, a.asked); diff != "" || len(a.acted) != 3 || slices.Contains(a.acted, 0) || len(slices.Compact(slices.Sorted(slices.Values(a.acted)))) != 3 {
		t.Errorf("%v act, and %v ask", a.acted, a.asked)
	}
}

// The sign-in is told in which session of the system a surface is; the windows that
// the service starts are in whichever it is for.
func TestSurfacesNameTheirSession(t *testing.T) {
	for hello, want := range map[string]string{
		"hello 1 login-window 100004 later\n": "100004",
		"hello 1 tile\n":                      "",
		"":                                    signin.AnySession,
	} {
		a := &apart{fixed: newFixed()}
		server := &Server{SignIn: a, Log: slog.New(slog.DiscardHandler)}
		var conn net.Conn
		if hello == "" {
			hello = "hello 1 window 100004\n"
			near, far := net.Pipe()
			ended := make(chan struct{})
			go func() { defer close(ended); server.ServeWindow(t.Context(), far) }()
			defer func() { near.Close(); <-ended }()
			conn = near
		} else {
			l := newInside()
			serveOn(t, server, l)
			conn = l.call()
		}
		in := &lines{r: conn}
		for _, request := range []string{hello, "watch 0\n", "act cancel 7\n"} {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			if b, err := readBlock(in); err != nil || b.word(0) == kindError {
				t.Fatalf("%q: %+v, %v", request, b, err)
			}
		}
		if diff := cmp.Diff([]string{want, want}, a.within); diff != "" {
			t.Errorf("%q (-want +told):\n%s", hello, diff)
		}
		conn.Close()
	}
}
