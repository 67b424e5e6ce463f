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
		}
	})
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
	f.Add([]byte("hello 1 t\nfield password hunter22\nhunter22\nact submit 7\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var log bytes.Buffer
		s := &Server{
			SignIn: newFixed(), Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3",
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		conn := &memory{Reader: bytes.NewReader(stream)}
		c := &session{Server: s, conn: conn, lines: lines{r: conn}, typed: make(typed)}
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
