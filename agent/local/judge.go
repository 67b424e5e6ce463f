//go:build unix

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"firstday.dev/agent/codesign"
)

// judgeTime is for one connection to be judged. The plug-in waits four times as long
// for its first answer.
const judgeTime = 5 * time.Second

// Why the program at the other end is refused, or let in though there is something
// to tell.
const (
	peerUnasked   = "unasked"   // macOS cannot be asked. It is let in
	peerElsewhere = "elsewhere" // Apple's, but none of macOS' hosts that we know. It is let in
	peerApple     = "apple"     // one of macOS' hosts. It is let in
	peerGone      = "gone"
	peerForeign   = "foreign" // not Apple's
	peerInvalid   = "invalid" // no good signature, or none
	peerSlow      = "slow"    // macOS did not answer
)

// PeerError is why a program that runs as the login window's account is not let in.
type PeerError struct {
	Kind string
	Err  error
}

func (e *PeerError) Error() string { return "the other end (" + e.Kind + "): " + e.Err.Error() }
func (e *PeerError) Unwrap() error { return e.Err }

// judge asks macOS whose programs are at the other ends, one after the other: a
// question that is never answered is the last, and costs one thread.
type judge struct {
	log  *slog.Logger
	turn chan struct{} // of one
	told sync.Map      // kinds, of which each is logged once
}

func newJudge(log *slog.Logger) *judge { return &judge{log: log, turn: make(chan struct{}, 1)} }

// hosts is where macOS' hosts of plug-ins are, in the volume that is sealed by Apple:
// below Versions/A/MachServices/SecurityAgent.bundle, with one for each processor, as
// Apple's engineers show in developer.apple.com/forums/thread/776111.
const hosts = "/System/Library/Frameworks/Security.framework/"

// let gives nil to the program for which ask speaks, or a [PeerError]. Apple's
// programs may be anywhere: where another macOS has its hosts is nobody's to guess,
// and the socket is only open to their account anyway.
func (j *judge) let(ask func() (codesign.Program, error)) error {
	p, err := j.inTime(ask)
	switch {
	case err == nil && strings.HasPrefix(p.Path, hosts):
		j.tell(slog.LevelInfo, "macOS' host of the login window's plug-in", peerApple, p, nil)
		return nil
	case err == nil:
		j.tell(slog.LevelWarn, "a program of Apple's that is no known host of plug-ins is a surface", peerElsewhere, p, nil)
		return nil
	case errors.Is(err, codesign.ErrUnavailable):
		j.tell(slog.LevelError, "the login window's account is believed without a look at its program", peerUnasked, p, err)
		return nil
	}
	refused := &PeerError{peerKind(err), err}
	j.tell(slog.LevelWarn, "a program of the login window's account wanted to be a surface, and was hung up on", refused.Kind, p, err)
	return refused
}

var errSlow = fmt.Errorf("macOS has not said within %v who has signed it", judgeTime)

func peerKind(err error) string {
	for _, k := range []struct {
		err  error
		kind string
	}{{codesign.ErrGone, peerGone}, {codesign.ErrForeign, peerForeign}, {errSlow, peerSlow}} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return peerInvalid
}

func (j *judge) inTime(ask func() (codesign.Program, error)) (codesign.Program, error) {
	late := time.NewTimer(judgeTime)
	defer late.Stop()
	select {
	case j.turn <- struct{}{}:
	case <-late.C:
		return codesign.Program{}, errSlow
	}
	type answer struct {
		program codesign.Program
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-j.turn }()
		p, err := ask()
		answered <- answer{p, err}
	}()
	select {
	case a := <-answered:
		return a.program, a.err
	case <-late.C:
		return codesign.Program{}, errSlow
	}
}

// tell logs each kind once, since whoever wants could have it logged again and again.
func (j *judge) tell(level slog.Level, words, kind string, p codesign.Program, err error) {
	if _, told := j.told.LoadOrStore(kind, true); told {
		return
	}
	j.log.Log(context.Background(), level, words, "kind", kind, "path", short(p.Path), "identifier", short(p.Identifier), "error", err)
}

func short(s string) string { return cmp.Or(fmt.Sprintf("%.300s", s), "unknown") }

// readToken tells a kernel that has no tokens from a process that has none any more.
func readToken(token codesign.Token, failed error) (codesign.Token, error) {
	switch {
	case errors.Is(failed, syscall.ENOPROTOOPT), errors.Is(failed, syscall.EOPNOTSUPP), errors.Is(failed, syscall.ENOTSUP):
		return token, fmt.Errorf("asking for its token: %w: %w", codesign.ErrUnavailable, failed)
	case failed != nil:
		return token, fmt.Errorf("asking for its token: %w: %w", codesign.ErrGone, failed)
	case token.Process() == 0:
		return token, fmt.Errorf("asking for its token: %w: it is empty", codesign.ErrGone)
	}
	return token, nil
}

// judged is a connection that is judged when it is first read from. The service says
// nothing before it has read.
type judged struct {
	net.Conn
	verdict func() error
}

func (c *judged) Read(b []byte) (int, error) {
	if err := c.verdict(); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}
