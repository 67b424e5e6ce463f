package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"firstday.dev/agent/local"
)

// stream is a connection that says so much, and hangs up.
type stream struct {
	net.Conn
	bytes.Reader
}

func (s *stream) Read(p []byte) (int, error)      { return s.Reader.Read(p) }
func (s *stream) SetReadDeadline(time.Time) error { return nil }

func reader(text []byte) *local.Reader {
	s := new(stream)
	s.Reset(text)
	return local.NewReader(s)
}

// blocks reads what a service says.
func blocks(t testing.TB, text string) (all []*local.Block) {
	t.Helper()
	in := reader([]byte(text))
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
}

// checkSent looks at what a service is sent: lines of the protocol.
func checkSent(t *testing.T, sent []byte) {
	t.Helper()
	for line := range bytes.Lines(sent) {
		verb, _, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if len(line) > local.MaxLine || line[len(line)-1] != '\n' || bytes.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r == 0x7f }) || verb == "" {
			t.Fatalf("a line %q is sent", line)
		}
	}
}

// checkTold looks at what a page is told: JSON, with nothing in it that ends a line
// or begins a tag.
func checkTold(t *testing.T, told []string) {
	t.Helper()
	for _, text := range told {
		if text != "" && (!json.Valid([]byte(text)) || strings.ContainsAny(text, "<>&\u2028\u2029\n")) {
			t.Fatalf("the page is told %q", text)
		}
	}
}
