package local

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"firstday.dev/api"
)

// Whatever a service sends: it is understood the same in any pieces, and what is
// understood can be written.
func FuzzSurface(f *testing.F) {
	for _, v := range readVectors(f, "service") {
		if stream := v.stream(); len(stream) < 4096 {
			f.Add(stream)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		text := understood(bytes.NewReader(stream))
		if pieces := understood(iotest.OneByteReader(bytes.NewReader(stream))); pieces != text {
			t.Fatalf("at once %q, in pieces %q", text, pieces)
		}
		now := time.Now()
		for in := (&lines{r: bytes.NewReader(stream)}); ; {
			b, err := readBlock(in)
			if err != nil {
				return
			}
			if s, err := readScreen(b, now); b.word(0) == kindScreen && err == nil {
				out := screenBlock(&s.Screen, now).bytes()
				if again, err := readBlock(&lines{r: bytes.NewReader(out)}); err != nil {
					t.Fatalf("%q: %v", out, err)
				} else if _, err := readScreen(again, now); err != nil {
					t.Fatalf("%q: %v", out, err)
				}
			}
			rewrites(t, b, now)
		}
	})
}

// rewrites reads an answer of the desk, and what is written of that: it says the
// same.
func rewrites(t *testing.T, b *block, now time.Time) {
	t.Helper()
	var out, again *block
	switch {
	case b.word(0) != kindOK:
		return
	case b.word(1) == verbUsers:
		if u, err := readUsers(b); err == nil {
			out = usersBlock(u)
			if u, err = readUsers(reread(t, out)); err == nil {
				again = usersBlock(u)
			}
		}
	case b.word(1) == verbNetwork:
		if n, err := readNetwork(b, now); err == nil {
			out = networkBlock(n, now)
			if n, err = readNetwork(reread(t, out), now); err == nil {
				again = networkBlock(n, now)
			}
		}
	case b.word(1) == verbInfo:
		if i, err := readInfo(b); err == nil {
			out = infoBlock(i)
			if i, err = readInfo(reread(t, out)); err == nil {
				again = infoBlock(i)
			}
		}
	case b.word(1) == verbLogo:
		if png, err := readLogo(b); err == nil {
			out = logoBlock(png)
			if png, err = readLogo(reread(t, out)); err == nil {
				again = logoBlock(png)
			}
		}
	}
	if out != nil && (again == nil || !bytes.Equal(out.bytes(), again.bytes())) {
		t.Fatalf("%q is written, and then %+v", out.bytes(), again)
	}
}

func reread(t *testing.T, b *block) *block {
	t.Helper()
	again, err := readBlock(&lines{r: bytes.NewReader(b.bytes())})
	if err != nil {
		t.Fatalf("%q: %v", b.bytes(), err)
	}
	return again
}

// memory is a connection whose other end has said all it will.
type memory struct {
	net.Conn
	io.Reader
	sent bytes.Buffer
}

func (m *memory) Read(p []byte) (int, error)       { return m.Reader.Read(p) }
func (m *memory) Write(p []byte) (int, error)      { return m.sent.Write(p) }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
func (m *memory) Close() error                     { return nil }

// Whatever a surface sends: the service answers in blocks, acts on nothing but
// the screen that is shown, and logs nothing that was typed.
func FuzzService(f *testing.F) {
	for _, v := range readVectors(f, "surface") {
		if stream := v.stream(); len(stream) < 4096 {
			f.Add(stream)
		}
	}
	f.Add([]byte("hello 1 t\nfield name Acme\nfield password hunter22\njoin\nnetwork\nwifi off\n"))
	f.Add([]byte("hello 1 t\nfield password hunter22\nhunter22\nact submit 7\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var log bytes.Buffer
		s := &Server{
			SignIn: newFixed(), Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3",
			Desk: &desk{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		conn := &memory{Reader: bytes.NewReader(stream)}
		c := &session{Server: s, conn: conn, lines: lines{r: conn}, typed: make(typed), number: 1}
		c.run(t.Context())
		for in := (&lines{r: &conn.sent}); ; {
			if _, err := readBlock(in); err == io.EOF { //nolint:errorlint // nothing less
				break
			} else if err != nil {
				t.Fatalf("the answer: %v", err)
			}
		}
		if strings.Contains(log.String(), "hunter22") && !bytes.Contains(stream, []byte("hello 1 hunter22")) {
			t.Fatalf("typed, and in the log: %s", &log)
		}
	})
}
