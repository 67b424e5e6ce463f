package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// full is a screen that holds all that any does.
func full(state signin.State) signin.Screen {
	s := signin.Screen{
		Serial: 7, State: state, Title: "Welcome, Ann", Message: "Go on.", Text: "Call 4711.", Help: "https://acme.example/help",
		UserCode: "BCDF-GHJK", URI: "https://acme.example/s", QR: "https://acme.example/s?c=B", Code: "denied", Why: "slot_taken", Online: true,
		Here: true, Page: "https://acme.example/s?c=Z", Origins: []string{"https://acme.example", "https://login.example"}, Account: "ann", CanLogon: true, Ends: time.Now().Add(time.Hour), Device: signin.Device{Name: "ACME-1", Managed: true},
		Fields: []signin.Field{
			{Name: signin.FieldNumber, Label: "Number", Digits: true}, {Name: signin.FieldPassword, Label: "Password", Secret: true},
			{Name: signin.FieldPIN, Label: "PIN", Secret: true, Digits: true},
		},
	}
	for _, name := range []signin.ActionName{signin.Start, signin.Submit, signin.Cancel, signin.Retry, signin.Close, signin.Skip, signin.WithPIN, signin.Elsewhere} {
		s.Actions = append(s.Actions, signin.ActionButton{Name: name, Label: "Press"})
	}
	return s
}

var allStates = []signin.State{
	signin.Hidden, signin.Ready, signin.Starting, signin.Waiting, signin.Number, signin.Password, signin.PIN, signin.Creating,
	signin.Done, signin.Failed, signin.Unlock, signin.Renew, signin.Opening, "later",
}

// What is the tile's to show the window only knows to be there.
func TestWindowIsToldNoMoreThanItShows(t *testing.T) {
	for _, state := range allStates {
		s := full(state)
		got := forWindow(&s)
		want := signin.Screen{Serial: 7, State: state, Title: s.Title, Message: s.Message}
		button := func(i int) signin.ActionButton { return s.Actions[i] }
		switch state {
		case signin.Starting, signin.Failed, signin.Number, signin.Waiting:
			want.Text, want.Help, want.Code, want.Online, want.Ends, want.Device = s.Text, s.Help, s.Code, true, s.Ends, s.Device
			want.Actions = []signin.ActionButton{button(2)}
		}
		switch state {
		case signin.Waiting:
			want.UserCode, want.URI, want.QR = s.UserCode, s.URI, s.QR
		case signin.Number:
			want.Fields, want.Actions = s.Fields[:1], []signin.ActionButton{button(1), button(2)}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
}

// The window with the pages is told of pages, and never of a code.
func TestPagesAreToldNoMoreThanTheyShow(t *testing.T) {
	for _, state := range allStates {
		for _, here := range []bool{true, false} {
			s := full(state)
			s.Here = here
			got := forPages(&s)
			want := signin.Screen{Serial: 7, State: state, Title: s.Title, Message: s.Message}
			if here && slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, state) {
				want.Text, want.Help, want.Code, want.Online, want.Ends, want.Device = s.Text, s.Help, s.Code, true, s.Ends, s.Device
				want.Actions = []signin.ActionButton{s.Actions[2], s.Actions[7]}
				if state == signin.Number {
					want.Fields, want.Actions = s.Fields[:1], []signin.ActionButton{s.Actions[1], s.Actions[2], s.Actions[7]}
				}
				if state == signin.Waiting {
					want.Page, want.Origins = s.Page, s.Origins
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, here: %v (-want +got):\n%s", state, here, diff)
			}
		}
	}
}

// serveWindow runs a service for one window, and gives the window's end.
func serveWindow(t *testing.T, s SignIn) net.Conn {
	t.Helper()
	return serveOver(t, s, (*Server).ServeWindow)
}

func serveOver(t *testing.T, s SignIn, serve func(*Server, context.Context, io.ReadWriteCloser)) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	server := &Server{SignIn: s, Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		serve(server, ctx, far)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		near.Close()
	})
	return near
}

// In every state, nothing but to cancel and to send the number.
func TestWindowMayCancelAndSendTheNumber(t *testing.T) {
	requests := []string{
		"field number 47\nact submit 7", "act cancel 7",
		// And never:
		"act start 7", "act retry 7", "act close 7", "act skip 7", "act pin 7", "act later 7", "act submit 7", "act cancel 7 same-device",
		"field number 47\nact submit 7 same-device", "field number 47\nact cancel 7", "field password 47\nact submit 7",
		"field number 4x\nact submit 7", "field number \nact submit 7", "field number 12345678901234567\nact submit 7",
		"field number 47\nfield pin 1\nact submit 7", "logon 7", "shown", "act elsewhere 7",
	}
	for _, state := range allStates {
		synctest.Test(t, func(t *testing.T) {
			f := &fixed{Screen: full(state)}
			conn := serveWindow(t, f)
			in := bufio.NewReader(conn)
			says(t, conn, in, "hello 1 window")
			says(t, conn, in, "watch 0")
			got := map[string]string{}
			for _, r := range requests {
				if head := says(t, conn, in, r); head != "error denied" {
					got[r] = head
				}
			}
			want := map[string]string{}
			var acted []string
			if slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number, signin.Failed}, state) {
				want["act cancel 7"], acted = "ok act", []string{"cancel"}
			}
			if state == signin.Number {
				want["field number 47\nact submit 7"], acted = "ok act", []string{"submit number=47", "cancel"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", state, diff)
			}
			if diff := cmp.Diff(acted, f.actions()); diff != "" || f.given {
				t.Errorf("%s: actions (-want +got):\n%s", state, diff)
			}
			if head := says(t, conn, in, "act cancel 6"); head != "error stale" {
				t.Errorf("%s: another screen: %s", state, head)
			}
			if head := says(t, conn, in, "refresh"); head != "ok refresh" {
				t.Errorf("%s: refresh: %s", state, head)
			}
		})
	}
}

// What the window with the pages may do: that, and to say that the page is there,
// or that the sign-in should go on elsewhere.
func TestPagesMaySendTheSignInElsewhere(t *testing.T) {
	requests := []string{
		"field number 47\nact submit 7", "act cancel 7", "act elsewhere 7", "shown",
		// And never:
		"act start 7", "act retry 7", "act close 7", "act skip 7", "act pin 7", "act later 7", "act submit 7", "act elsewhere 7 same-device",
		"field number 47\nact elsewhere 7", "field password 47\nact submit 7", "field number 47\nfield pin 1\nact submit 7", "logon 7",
	}
	for _, state := range allStates {
		synctest.Test(t, func(t *testing.T) {
			f, shown := &fixed{Screen: full(state)}, 0
			conn := serveOver(t, f, func(s *Server, ctx context.Context, pipes io.ReadWriteCloser) {
				s.ServePages(ctx, pipes, func() { shown++ })
			})
			in := bufio.NewReader(conn)
			says(t, conn, in, "hello 1 pages")
			says(t, conn, in, "watch 0")
			got := map[string]string{}
			for _, r := range requests {
				if head := says(t, conn, in, r); head != "error denied" {
					got[r] = head
				}
			}
			want, acted := map[string]string{"shown": "ok shown"}, []string(nil)
			if slices.Contains([]signin.State{signin.Starting, signin.Waiting, signin.Number}, state) {
				want["act cancel 7"], want["act elsewhere 7"], acted = "ok act", "ok act", []string{"cancel", "elsewhere"}
			}
			if state == signin.Number {
				want["field number 47\nact submit 7"], acted = "ok act", []string{"submit number=47", "cancel", "elsewhere"}
			}
			if diff := cmp.Diff(want, got); diff != "" || shown != 1 {
				t.Errorf("%s, shown %d times (-want +got):\n%s", state, shown, diff)
			}
			if diff := cmp.Diff(acted, f.actions()); diff != "" || f.given {
				t.Errorf("%s: actions (-want +got):\n%s", state, diff)
			}
		})
	}
}

// The page's address and all its origins arrive, as many as there may be.
func TestPagesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixed{Screen: full(signin.Waiting)}
		f.Origins = nil
		for n := range api.MaxOrigins {
			f.Origins = append(f.Origins, fmt.Sprintf("https://n%d.%s.example:8443", n, strings.Repeat("x", 60)))
		}
		shown := false
		c, err := NewClient(t.Context(), serveOver(t, f, func(s *Server, ctx context.Context, pipes io.ReadWriteCloser) {
			s.ServePages(ctx, pipes, func() { shown = true })
		}), SurfacePages)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Next(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.Page != f.Page || cmp.Diff(f.Origins, s.Origins) != "" || s.QR != "" || len(s.Modules) > 0 {
			t.Errorf("%+v", s)
		}
		if err := c.Shown(t.Context()); err != nil || !shown {
			t.Errorf("shown: %v, %v", shown, err)
		}
		other, err := NewClient(t.Context(), serveWindow(t, newFixed()), SurfaceWindow)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		var refused *RefusedError
		if err := other.Shown(t.Context()); !errors.As(err, &refused) || refused.Word != refusedDenied {
			t.Errorf("a window without pages: %v", err)
		}
	})
}

// says sends lines, and gives the head of the block that answers.
func says(t *testing.T, conn net.Conn, in *bufio.Reader, lines string) string {
	t.Helper()
	if _, err := io.WriteString(conn, lines+"\n"); err != nil {
		t.Fatal(err)
	}
	head := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", lines, err)
		}
		if line == "\n" {
			return head
		}
		if head == "" {
			head = strings.TrimSuffix(line, "\n")
		}
	}
}

// A window that has not asked for a screen acts on none.
func TestWindowActsOnNothingItWasNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixed()
		conn := serveWindow(t, f)
		in := bufio.NewReader(conn)
		says(t, conn, in, "hello 1 window")
		if head := says(t, conn, in, "act cancel 7"); head != "error stale" || len(f.actions()) > 0 {
			t.Errorf("%s, %q", head, f.actions())
		}
	})
}

// Our own client hears of refusals, and goes on.
func TestClientIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := NewClient(t.Context(), serveWindow(t, newFixed()), SurfaceWindow)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Next(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var refused *RefusedError
		if err := c.Act(t.Context(), signin.Action{Name: signin.Start, Serial: s.Serial}); !errors.As(err, &refused) || refused.Word != refusedDenied {
			t.Errorf("start: %v", err)
		}
		if _, err := c.Logon(t.Context(), s.Serial); !errors.As(err, &refused) || refused.Word != refusedDenied {
			t.Errorf("logon: %v", err)
		}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Cancel, Serial: s.Serial}); err != nil {
			t.Errorf("cancel: %v", err)
		}
	})
}

// stuckPipes are pipes that nobody reads or writes; they wait until closed.
type stuckPipes struct{ closed chan struct{} }

func (p stuckPipes) Read([]byte) (int, error)  { <-p.closed; return 0, io.EOF }
func (p stuckPipes) Write([]byte) (int, error) { <-p.closed; return 0, io.ErrClosedPipe }
func (p stuckPipes) Close() error              { close(p.closed); return nil }

// Neither side waits for ever for pipes without deadlines.
func TestStuckPipes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stuckPipes{make(chan struct{})}
		server := &Server{SignIn: newFixed(), Log: slog.New(slog.DiscardHandler)}
		begun := time.Now()
		server.ServeWindow(t.Context(), p)
		if took := time.Since(begun); took != idleTime {
			t.Errorf("the service waits %v for a silent window", took)
		}
		<-p.closed

		p = stuckPipes{make(chan struct{})}
		begun = time.Now()
		if _, err := NewClient(t.Context(), OverPipes(p), SurfaceWindow); err == nil {
			t.Error("a service that does not read has greeted")
		}
		if took := time.Since(begun); took != writeTime {
			t.Errorf("the window waits %v for a silent service", took)
		}
		<-p.closed
	})
}

// Two pipes end with the process at the other end.
func TestPipesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, service := io.Pipe()
		_, out := io.Pipe()
		conn := OverPipes(TwoPipes{in, out})
		if _, err := io.WriteString(service, "hello"); err != nil {
			t.Fatal(err)
		}
		service.Close()
		if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

// flat are pipes whose other end has said all it will.
type flat struct {
	io.Reader
	sent bytes.Buffer
}

func (f *flat) Write(p []byte) (int, error) { return f.sent.Write(p) }
func (*flat) Close() error                  { return nil }

// Whatever a window sends, in any state: it cancels and sends the number, and
// that is all.
func FuzzWindowService(f *testing.F) {
	for _, v := range readVectors(f, "surface") {
		if stream := v.stream(); len(stream) < 4096 {
			f.Add(uint8(4), stream)
		}
	}
	for state := range allStates {
		f.Add(uint8(state), []byte("hello 1 window\nwatch 0\nfield number 47\nact submit 7\nact cancel 7\nlogon 7\nact start 7\nrefresh\nbye\n"))
	}
	f.Add(uint8(129), []byte("hello 1 pages\nwatch 0\nshown\nact elsewhere 7\nact start 7\nbye\n"))
	f.Fuzz(func(t *testing.T, state uint8, stream []byte) {
		s := &fixed{Screen: full(allStates[int(state)%len(allStates)])}
		server := &Server{SignIn: s, Refresh: func(context.Context) api.Code { return "" }, Log: slog.New(slog.DiscardHandler)}
		pages := state >= 128
		if pages {
			server.ServePages(t.Context(), &flat{Reader: bytes.NewReader(stream)}, func() {})
		} else {
			server.ServeWindow(t.Context(), &flat{Reader: bytes.NewReader(stream)})
		}
		for _, a := range s.actions() {
			var number string
			_, err := fmt.Sscanf(a, "submit number=%s", &number)
			if a != "cancel" && (!pages || a != "elsewhere") && (err != nil || s.State != signin.Number || strings.Trim(number, "0123456789") != "" || len(number) > MaxNumber) {
				t.Fatalf("in %s: %q", s.State, a)
			}
		}
		if s.given {
			t.Fatal("the window has what is logged on with")
		}
	})
}

// The CAs by which the page's origin is known arrive, as many and as large as there may
// be; or none of them does, where the screen has no room: a screen is never too large.
func TestAnchorsArriveAllOrNone(t *testing.T) {
	largest := slices.Repeat([][]byte{append([]byte{0x30, 0x82, 4092 >> 8, 4092 & 0xff}, make([]byte, 4092)...)}, 4)
	long := slices.Repeat([]string{"https://" + strings.Repeat("x", 600) + ".example"}, api.MaxOrigins)
	for name, test := range map[string]struct {
		anchors, want [][]byte
		origins       []string
	}{
		"none":      {},
		"largest":   {largest, largest, long[:5]},
		"no room":   {largest, nil, long[:30]},
		"too many":  {slices.Repeat([][]byte{{0x30, 0}}, 5), nil, nil},
		"too large": {append(slices.Clone(largest[:3]), append([]byte{0x30, 0x82, 4093 >> 8, 4093 & 0xff}, make([]byte, 4093)...)), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			sent := signin.Screen{Serial: 7, State: signin.Waiting, Page: "https://acme.example/s", Origins: test.origins, Anchors: test.anchors, Ends: now}
			out := screenBlock(&sent, now).bytes()
			b, err := readBlock(&lines{r: bytes.NewReader(out)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := readScreen(b, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Anchors); diff != "" || len(got.Origins) != len(test.origins) {
				t.Errorf("%d origins (-want +got):\n%s", len(got.Origins), diff)
			}
		})
	}
}
