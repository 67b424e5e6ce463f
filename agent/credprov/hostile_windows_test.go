package credprov_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/internal/testcredprov"
)

// Whatever serves the pipe says: nothing is shown that is not the protocol,
// LogonUI never waits, and the agent is found again.
func TestWindowsTileBearsAnyServer(t *testing.T) {
	const hello, screen7 = "hello 1\n\n", "screen 7\nstate=ready\ntitle=Hostile\n"
	random := rand.New(rand.NewPCG(7, 1))
	noise := make([]byte, 100000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for name, says := range map[string]func(net.Conn){
		"nothing": func(net.Conn) {},
		"garbage": func(c net.Conn) { _, _ = c.Write(noise) },
		"half a frame": func(c net.Conn) {
			_, _ = c.Write([]byte(hello + screen7))
			time.Sleep(200 * time.Millisecond)
			_ = c.Close()
		},
		"half, and mute": func(c net.Conn) { _, _ = c.Write([]byte(hello + screen7)) },
		"a slow one": func(c net.Conn) {
			for _, b := range []byte(hello + screen7) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		},
		"another version": func(c net.Conn) { _, _ = c.Write([]byte("hello 2\n\n" + screen7 + "\n")) },
		"a logon that nobody asked for": func(c net.Conn) {
			_, _ = c.Write([]byte(hello + "ok logon\nblob=00\n\n" + screen7 + "\n"))
		},
		"a flood": func(c net.Conn) {
			_, _ = c.Write([]byte(hello))
			for range 5000 {
				if _, err := c.Write([]byte("later=1 x\n\n")); err != nil {
					return
				}
			}
		},
		"who does not read": func(c net.Conn) {
			for _, err := c.Write([]byte(hello)); err == nil; {
				_, err = c.Write([]byte("ok watch\n\n"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := screen(t)
			begun := make(chan struct{}, 100)
			stop := listen(t, func(c net.Conn) {
				begun <- struct{}{}
				says(c)
			})
			<-begun
			for range 20 {
				must(t, h.Look())
				if h.Tile.Count != 0 {
					t.Fatalf("it shows %q", h.Tile.Shown())
				}
				time.Sleep(20 * time.Millisecond)
			}
			stop()
			newDesk(ready).serve(t)
			showing(t, h, &ready)
		})
	}
}

// A server that answered well, and then sends no more than half a block: the tile
// goes when the block's time is over.
func TestWindowsTileGoesWhenABlockDoesNotEnd(t *testing.T) {
	h := screen(t)
	listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		_, _ = in.ReadString('\n')
		_, _ = c.Write([]byte("hello 1\n\n"))
		_, _ = in.ReadString('\n')
		_, _ = c.Write([]byte("screen 7\nstate=ready\ntitle=Well\n\nscreen 8\nsta"))
	})
	must(t, h.Wait(func(tile *testcredprov.Tile) bool { return tile.Shows("Well") }))
	must(t, h.Wait(nothing))
}

// LogonUI comes and goes while the screens change.
func TestWindowsTileBearsHurry(t *testing.T) {
	d := newDesk(ready)
	d.serve(t)
	over := make(chan struct{})
	flipped := make(chan struct{})
	go func() {
		defer close(flipped)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			case <-d.acts:
			case <-time.After(time.Millisecond):
				d.puts([]signin.Screen{ready, hidden, typing, waiting, failed}[i%5])
			}
		}
	}()
	defer func() { close(over); <-flipped }()
	seen := 0
	for i := range 300 {
		h := load(t, self)
		must(t, h.Begin(testcredprov.SignIn))
		for range i % 7 {
			must(t, h.Look())
			if h.Tile.Count > 0 {
				seen++
				_, err := h.Select()
				must(t, err)
				_, _, err = h.Submit()
				must(t, err)
			}
			time.Sleep(time.Duration(i%3) * time.Millisecond)
		}
		if left, err := h.End(); left != 0 || err != nil || h.Longest > longest {
			t.Fatalf("%d hold the provider, %v; a call took %v", left, err, h.Longest)
		}
	}
	t.Logf("the tile was there %d times", seen)
	if seen == 0 {
		t.Error("the tile was never there")
	}
}

// Who is not SYSTEM gets nothing, whatever they say, and nothing of it is shown.
func TestWindowsTileSendsNothingToWhoIsNotSystem(t *testing.T) {
	h := screenOf(t, func() uint32 { return 0 })
	ended := make(chan string, 100)
	listen(t, func(c net.Conn) {
		_, _ = c.Write([]byte("hello 1\n\nscreen 7\nstate=ready\ntitle=Hostile\n\n"))
		got := make([]byte, 1)
		n, err := c.Read(got)
		ended <- fmt.Sprintf("%q %v", got[:n], err == nil)
	})
	for range 2 {
		if got := <-ended; got != `"" false` {
			t.Errorf("it sent %s", got)
		}
	}
	must(t, h.Look())
	if h.Tile.Count != 0 {
		t.Errorf("it shows %q", h.Tile.Shown())
	}
}
