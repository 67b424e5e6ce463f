package signing

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"firstday.dev/internal/visible"
)

// external is a running signer program.
type external struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	lines  *bufio.Reader
	stderr tail
	public crypto.PublicKey

	mu     sync.Mutex
	closed bool
}

// SignerProgram is an external signer to start.
type SignerProgram struct {
	Args []string // the program, a path or a name to be looked up, and its arguments
	Dir  string   // where it runs; empty: where we do
	// Hide are the environment variables it must not see. It gets all others:
	// tokens and clouds are configured there.
	Hide []string
}

// OpenSigner starts an external signer that speaks the protocol of the package
// comment. The program lives until Close, or until ctx ends. Errors about its
// certificate are those of LoadPEM.
func OpenSigner(ctx context.Context, p SignerProgram) (*Identity, error) {
	if len(p.Args) == 0 {
		return nil, errors.New("no signer program is named")
	}
	e := &external{name: filepath.Base(p.Args[0]), cmd: exec.CommandContext(ctx, p.Args[0], p.Args[1:]...)}
	e.cmd.Dir = p.Dir
	e.cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(p.Hide, func(hidden string) bool { return strings.EqualFold(name, hidden) })
	})
	e.cmd.Stderr = &e.stderr
	e.cmd.WaitDelay = exitTimeout
	e.cmd.Cancel = func() error { e.kill(); return nil }
	var err error
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if e.out, err = e.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the signer: %w", err)
	}
	e.lines = bufio.NewReader(e.out)
	id, err := e.open()
	if err != nil {
		_ = e.Close() // what went wrong is in err
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, e.explain(err)
	}
	return id, nil
}

func (e *external) open() (*Identity, error) {
	answer, err := e.ask(&signerRequest{Method: "open"}, openTimeout)
	if err != nil {
		return nil, err
	}
	chain, err := answer.readChain()
	if err != nil {
		return nil, err
	}
	e.public = chain[0].PublicKey
	id, err := NewIdentity(chain, e, time.Now())
	if err != nil {
		return nil, err
	}
	id.close = e.Close
	return id, nil
}

// Public is the key of the certificate the program sent.
func (e *external) Public() crypto.PublicKey { return e.public }

// Sign asks the program. It signs SHA-256 digests only and needs no randomness
// of ours.
func (e *external) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, fmt.Errorf("the signer %s signs SHA-256 digests only", e.name)
	}
	answer, err := e.ask(&signerRequest{Method: "sign", Hash: "SHA-256", Digest: digest}, signTimeout)
	if err == nil && len(answer.Signature) == 0 {
		err = fmt.Errorf("%w: it sent no signature", errProtocol)
	}
	if err != nil {
		return nil, e.explain(err)
	}
	return answer.Signature, nil
}

// ask sends one request and reads its answer. A program that takes too long
// is killed: nobody could tell its late answer from the next one.
func (e *external) ask(request *signerRequest, timeout time.Duration) (*signerAnswer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.New("it was closed")
	}
	late := make(chan struct{})
	timer := time.AfterFunc(timeout, func() {
		close(late)
		e.kill()
	})
	defer timer.Stop()
	request.Version = protocolVersion
	answer := new(signerAnswer)
	err := writeLine(e.in, request)
	if err == nil {
		err = readLine(e.lines, answer)
	}
	select {
	case <-late:
		return nil, fmt.Errorf("no answer within %s", timeout)
	default:
	}
	if err != nil {
		e.kill() // out of step, if it lives at all
		if errors.Is(err, errProtocol) {
			return nil, err
		}
		return nil, errors.New("it ended without an answer")
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%.500s", printable(answer.Error))
	}
	return answer, nil
}

// kill ends the program and unblocks whoever reads from it, even if a child
// of its own keeps the pipe open.
func (e *external) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.out.Close()
}

// Close asks the program to end by ending its input, and kills it if it does
// not.
func (e *external) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.in.Close()
	timer := time.AfterFunc(exitTimeout, e.kill)
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, e.out)
	if err := e.cmd.Wait(); err != nil {
		return e.explain(err)
	}
	return nil
}

// explain names the program and adds what it last wrote to standard error.
func (e *external) explain(err error) error {
	if text := e.stderr.String(); text != "" {
		return fmt.Errorf("signer %s: %w: %s", e.name, err, text)
	}
	return fmt.Errorf("signer %s: %w", e.name, err)
}

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const maxTail = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-maxTail):]...)
	t.last = bytes.Clone(t.last[max(0, len(t.last)-maxTail):])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return printable(string(t.last))
}

// printable makes one line of what another program says, safe to show.
func printable(text string) string { return visible.Line(strings.Join(strings.Fields(text), " ")) }
