package credprov_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"firstday.dev/internal/testcredprov"
)

// babbler sends frames, one after the other, to a tile that goes on after some of
// them and hangs up after others.
type babbler struct {
	hungUp chan error // one for each connection

	mu     sync.Mutex // one connection at a time; over what follows
	frames [][]byte
	at     int
	bears  int // frames after which the tile has gone on
}

// talk asks for another watch after each frame, so that there is an answer if the
// tile goes on.
func (b *babbler) talk(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hungUp <- b.send(c)
	_ = c.Close()
}

func (b *babbler) send(c net.Conn) error {
	if _, err := c.Write([]byte("hello 1\n\n")); err != nil {
		return nil //nolint:nilerr // the screen has ended
	}
	switch err := answered(c); {
	case os.IsTimeout(err):
		return fmt.Errorf("the tile does not greet: %w", err)
	case err != nil:
		return nil //nolint:nilerr // it has hung up
	}
	for b.at < len(b.frames) {
		frame, watch := b.frames[b.at], "ok watch\n\n"
		if !bytes.HasSuffix(frame, []byte("\n\n")) {
			watch = "\n\n" + watch
		}
		b.at++
		if _, err := c.Write(append(frame[:len(frame):len(frame)], watch...)); err != nil {
			return nil //nolint:nilerr // it has hung up before the end
		}
		switch err := answered(c); {
		case os.IsTimeout(err):
			return fmt.Errorf("frame %d: %w", b.at-1, err)
		case err != nil:
			return nil //nolint:nilerr // it has hung up
		}
		b.bears++
	}
	return nil
}

// answered waits until a watch is asked for.
func answered(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	var got []byte
	piece := make([]byte, 4096)
	for !bytes.Contains(got, []byte("watch ")) || !bytes.HasSuffix(got, []byte("\n")) {
		n, err := c.Read(piece)
		if err != nil {
			return err
		}
		got = append(got, piece[:n]...)
	}
	return nil
}

func TestWindowsFramesOfAnyKind(t *testing.T) {
	data, err := os.ReadFile(`C:\frames.bin`)
	must(t, err)
	b := &babbler{hungUp: make(chan error, 1000)}
	for len(data) > 0 {
		size := binary.LittleEndian.Uint32(data)
		b.frames = append(b.frames, data[4:4+size])
		data = data[4+size:]
	}
	stop := listen(t, b.talk)
	connections, shown, slowest := 0, 0, time.Duration(0)
	for ended := false; !ended; connections++ {
		h := load(t, self)
		must(t, h.Begin(testcredprov.SignIn))
		for talking := true; talking; {
			select {
			case err := <-b.hungUp:
				must(t, err)
				talking = false
			case <-time.After(time.Millisecond):
			}
			must(t, h.Look())
			if h.Tile.Count > 0 {
				shown++
			}
		}
		b.mu.Lock()
		ended = b.at == len(b.frames)
		b.mu.Unlock()
		if connections > 2*len(b.frames) {
			t.Fatalf("only %d frames were sent", b.at)
		}
		left, err := h.End()
		if left != 0 || err != nil {
			t.Fatalf("%d hold the provider, %v", left, err)
		}
		slowest = max(slowest, h.Longest)
	}
	stop()
	t.Logf("%d frames over %d connections, %d borne, a tile at %d looks; the longest call took %v", b.at, connections, b.bears, shown, slowest)
	if slowest > longest || b.bears < len(b.frames)/20 {
		t.Error("that is not so")
	}
	newDesk(ready).serve(t)
	showing(t, screen(t), &ready)
}
