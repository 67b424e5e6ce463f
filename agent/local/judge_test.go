//go:build unix

package local

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/codesign"
)

const helper = hosts + "Versions/A/MachServices/SecurityAgent.bundle/Contents/XPCServices/SecurityAgentHelper-arm64.xpc"

func macOSSays(path string, err error) func() (codesign.Program, error) {
	return func() (codesign.Program, error) {
		return codesign.Program{Identifier: "com.example.program", Path: path}, err
	}
}

func TestWhichProgramsAreLoginWindows(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		err     error
		refused string // the kind; empty: it is let in
		logged  string
	}{
		"macOS' host":              {helper, nil, "", "level=INFO "},
		"Apple's, elsewhere":       {"/usr/bin/nc", nil, "", "level=WARN "},
		"beside the hosts":         {"/System/Library/Frameworks/Security.framework.evil/a", nil, "", "kind=elsewhere"},
		"Apple's, nobody knows":    {"", nil, "", "path=unknown"},
		"no functions for it":      {"", codesign.ErrUnavailable, "", "level=ERROR "},
		"functions that know none": {"", codesign.StatusError(-67067), "", "kind=unasked"},
		"somebody's":               {"/tmp/surface", codesign.StatusError(-67050), peerForeign, "path=/tmp/surface"},
		"somebody's as the host":   {helper, codesign.StatusError(-67050), peerForeign, "level=WARN "},
		"not signed":               {"/tmp/surface", codesign.StatusError(-67062), peerInvalid, "kind=invalid"},
		"changed while it ran":     {helper, codesign.StatusError(-67063), peerInvalid, "kind=invalid"},
		"ended":                    {"", codesign.StatusError(-67065), peerGone, "kind=gone"},
		"another number":           {"", codesign.StatusError(-1), peerInvalid, "error="},
		"another error":            {"", io.ErrUnexpectedEOF, peerInvalid, "error="},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			j := newJudge(slog.New(slog.NewTextHandler(&log, nil)))
			for range 3 {
				err := j.let(macOSSays(c.path, c.err))
				var refused *PeerError
				switch {
				case c.refused == "" && err != nil:
					t.Errorf("it is refused: %v", err)
				case c.refused != "" && (!errors.As(err, &refused) || refused.Kind != c.refused || !errors.Is(err, c.err)):
					t.Errorf("%v, want it refused as %s", err, c.refused)
				}
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), c.logged) {
				t.Errorf("%d lines are logged, want one with %q:\n%s", n, c.logged, &log)
			}
		})
	}
}

// One kind does not hide another.
func TestEachKindIsTold(t *testing.T) {
	var log bytes.Buffer
	j := newJudge(slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		_ = j.let(macOSSays(helper, nil))
		_ = j.let(macOSSays("/tmp/surface", codesign.ErrForeign))
		_ = j.let(macOSSays("/tmp/"+strings.Repeat("long", 1000), codesign.ErrGone))
	}
	if n := strings.Count(log.String(), "\n"); n != 3 || log.Len() > 2000 {
		t.Errorf("%d lines of %d bytes are logged, want 3:\n%.2000s", n, log.Len(), &log)
	}
}

// Where macOS never answers, nobody waits for long, and nothing piles up.
func TestJudgeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJudge(slog.New(slog.DiscardHandler))
		stuck := make(chan struct{})
		var asked atomic.Int64
		start := time.Now()
		for range 3 {
			var refused *PeerError
			err := j.let(func() (codesign.Program, error) {
				asked.Add(1)
				<-stuck
				return codesign.Program{Path: helper}, nil
			})
			if !errors.As(err, &refused) || refused.Kind != peerSlow {
				t.Errorf("%v", err)
			}
		}
		if waited := time.Since(start); waited != 3*judgeTime || asked.Load() != 1 {
			t.Errorf("%d questions in %v", asked.Load(), waited)
		}
		close(stuck)
		synctest.Wait()
		if err := j.let(macOSSays(helper, nil)); err != nil {
			t.Errorf("after it has answered: %v", err)
		}
	})
}

func TestReadToken(t *testing.T) {
	token := codesign.Token{0, 92, 92, 92, 92, 777, 100001, 1}
	for name, c := range map[string]struct {
		token  codesign.Token
		failed error
		want   error
	}{
		"a token":                    {token, nil, nil},
		"none, and no error":         {codesign.Token{}, nil, codesign.ErrGone},
		"the option is not known":    {codesign.Token{}, syscall.ENOPROTOOPT, codesign.ErrUnavailable},
		"nor is it for such sockets": {codesign.Token{}, syscall.EOPNOTSUPP, codesign.ErrUnavailable},
		"the other end is closed":    {codesign.Token{}, syscall.ENOTCONN, codesign.ErrGone},
		"an error with a token":      {token, syscall.EINVAL, codesign.ErrGone},
	} {
		got, err := readToken(c.token, c.failed)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err == nil && got != token {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// ends are connections of which the service has the judged one.
type ends struct {
	verdict func() error
	conns   chan net.Conn
	closed  sync.Once
}

func (l *ends) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return &judged{conn, l.verdict}, nil
}
func (l *ends) Close() error   { l.closed.Do(func() { close(l.conns) }); return nil }
func (l *ends) Addr() net.Addr { return &net.UnixAddr{} }

// The server itself speaks with who is let in, and says nothing to who is not.
func TestServerHearsTheJudgedOnly(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"let in":  {nil, "hello 1"},
		"refused": {&PeerError{peerForeign, codesign.ErrForeign}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			l := &ends{conns: make(chan net.Conn, 1), verdict: sync.OnceValue(func() error { asked++; return c.err })}
			greeted := false
			s := &Server{SignIn: newFixed(), Log: slog.New(slog.DiscardHandler), Greeted: func(string, string) { greeted = true }}
			served := make(chan error, 1)
			go func() { served <- s.Serve(t.Context(), l) }()
			ours, theirs := net.Pipe()
			l.conns <- theirs
			go func() { // a refused one closes without reading
				_, _ = io.WriteString(ours, "hello 1 window\nbye\n")
			}()
			answer, err := io.ReadAll(ours)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(answer); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("it is told %q", got)
			}
			l.Close()
			if err := <-served; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if greeted != (c.err == nil) || asked != 1 {
				t.Errorf("greeted: %t, asked %d times", greeted, asked)
			}
		})
	}
}
