package beside

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pictures is a toolkit that keeps what was to be seen, and when.
type pictures struct {
	begun time.Time
	all   []Picture
	at    []time.Duration
}

func (*pictures) Session() bool { return true }
func (*pictures) Tell(string)   {}

func (p *pictures) Show(next Picture) {
	p.all, p.at = append(p.all, next), append(p.at, time.Since(p.begun))
}

// playing runs what stands beside Apple's window with somebody in the place of the
// service, for a time.
func playing(t *testing.T, dial func(context.Context) (net.Conn, error), act func(*Beside), most time.Duration) *pictures {
	p := &pictures{begun: time.Now()}
	b := &Beside{Dial: dial, Toolkit: p, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	act(b)
	<-done
	return p
}

// readyThen says that the sign-in is ready, and goes on with what follows.
func readyThen(conn net.Conn, then func(*bufio.Reader)) {
	in := bufio.NewReader(conn)
	for _, answer := range []string{"hello 1\n\n", "screen 3\nstate=ready\naction=start primary " + signInWithAcme + "\n\n"} {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
	then(in)
}

func piped(serve func(net.Conn)) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		serve(far)
	}()
	return near
}

// A service that is not there is tried again, after a second and later every ten.
func TestServiceIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var tried []time.Duration
		p := playing(t, func(context.Context) (net.Conn, error) {
			tried = append(tried, time.Since(begun))
			return nil, errors.New("nobody listens")
		}, func(*Beside) {}, 40*time.Second)
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 25 * time.Second, 35 * time.Second}
		if !slices.Equal(tried, want) {
			t.Errorf("tried at %v", tried)
		}
		if len(p.all) > 0 {
			t.Errorf("was to be seen: %+v", p.all)
		}
	})
}

// A service that hangs takes the windows with it as one does that dies, when it is late.
func TestServiceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(context.Context) (net.Conn, error) {
			return piped(func(conn net.Conn) { readyThen(conn, func(in *bufio.Reader) { _, _ = io.Copy(io.Discard, in) }) }), nil
		}
		p := playing(t, hangs, func(b *Beside) {
			time.Sleep(time.Second)
			b.Pressed()
		}, 31*time.Second)
		want := []Picture{{Button: signInWithAcme}, {Page: 1, Title: signInWithAcme}}
		if len(p.all) < 3 || !slices.Equal(p.all[:2], want) || slices.ContainsFunc(p.all[2:], func(q Picture) bool { return q.Page > 0 }) {
			t.Errorf("was to be seen: %+v at %v", p.all, p.at)
		}
		if last := p.all[len(p.all)-1]; last != (Picture{}) {
			t.Errorf("in the end: %+v", last)
		}
	})
}

// What the service says is not to be trusted to be the protocol.
func TestServiceSpeaksNonsense(t *testing.T) {
	for _, said := range []string{"screen 4\n\n", "screen 4\nstate=ready\n", strings.Repeat("x", 70_000), "error later\n\n", "\xff\n"} {
		synctest.Test(t, func(t *testing.T) {
			p := playing(t, func(context.Context) (net.Conn, error) {
				return piped(func(conn net.Conn) {
					readyThen(conn, func(*bufio.Reader) {
						time.Sleep(100 * time.Millisecond)
						_, _ = io.WriteString(conn, said)
					})
				}), nil
			}, func(*Beside) {}, 500*time.Millisecond)
			if want := []Picture{{Button: signInWithAcme}, {}}; !slices.Equal(p.all, want) {
				t.Errorf("after %.20q was to be seen: %+v", said, p.all)
			}
		})
	}
}

// Somebody leaves as the service has just gone on to the next screen: it is told of
// that one, once.
func TestLeavesOnAScreenThatHasJustGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acts []string
		serve := func(conn net.Conn) {
			readyThen(conn, func(in *bufio.Reader) {
				say := func(s string) { _, _ = io.WriteString(conn, s) }
				if _, err := in.ReadString('\n'); err != nil { // that it waits for another one
					return
				}
				say("screen 4\nstate=number\naction=cancel secondary Cancel\n\n")
				for serial := 4; ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if !strings.HasPrefix(line, "act ") {
						continue
					}
					acts = append(acts, strings.TrimSpace(line))
					if serial == 4 { // the other screen comes after the answer
						say("error stale\n\n")
						time.Sleep(10 * time.Millisecond)
						say("screen 5\nstate=password\naction=cancel secondary Cancel\n\n")
						serial = 5
						continue
					}
					say("ok act\n\nscreen 6\nstate=ready\naction=start primary " + signInWithAcme + "\n\n")
				}
			})
		}
		p := playing(t, func(context.Context) (net.Conn, error) { return piped(serve), nil }, func(b *Beside) {
			time.Sleep(100 * time.Millisecond)
			b.Pressed()
			time.Sleep(100 * time.Millisecond)
			b.Closed()
		}, 5*time.Second)
		if want := []string{"act cancel 4", "act cancel 5"}; !slices.Equal(acts, want) {
			t.Errorf("the service was told %q", acts)
		}
		if last := p.all[len(p.all)-1]; last != (Picture{}) { // the context has ended
			t.Errorf("in the end: %+v", last)
		}
	})
}
