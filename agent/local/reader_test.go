package local

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/internal/testvectors"
)

// spoken is a connection on which all was said.
type spoken struct {
	net.Conn
	said *bytes.Reader
}

func (s *spoken) Read(p []byte) (int, error)    { return s.said.Read(p) }
func (*spoken) SetReadDeadline(time.Time) error { return nil }

// What a surface takes that passes blocks on is what any surface takes.
func TestReaderTakesTheVectors(t *testing.T) {
	streams, want := testvectors.Service(t, "testdata")
	for name, stream := range streams {
		r := NewReader(&spoken{said: bytes.NewReader(stream)})
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if end := strings.HasSuffix(want[name], "\nend") || want[name] == "end"; end != errors.Is(err, io.EOF) {
			t.Errorf("%s ends with %v", name, err)
		}
	}
}

// A block that has begun has its time, however it comes; between two there is none.
func TestReaderWaitsForNoBlockWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			time.Sleep(time.Hour)
			_, _ = io.WriteString(far, "ok watch\n\nok wa")
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(far, "a"); err != nil {
					return
				}
			}
		}()
		r := NewReader(near)
		b, err := r.Next()
		if err != nil || b.Word(1) != "watch" || b.Word(2) != "" || b.Value("code") != "" {
			t.Errorf("%+v, %v", b, err)
		}
		began := time.Now()
		if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != blockTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		r.Wipe()
		_ = near.Close()
		time.Sleep(time.Minute) // the other side goes
	})
}
