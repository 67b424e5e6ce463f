package local

import (
	"errors"
	"io"
	"net"
)

// piped is a connection over pipes that know no deadlines, such as the anonymous
// ones of Windows.
type piped struct {
	net.Conn
	pipes io.Closer
}

// OverPipes gives a connection over pipes. When one of its waits is over, the
// pipes still wait; they are closed with it.
func OverPipes(pipes io.ReadWriteCloser) net.Conn {
	near, far := net.Pipe()
	go func() {
		_, _ = io.Copy(far, pipes) // however it ends, the other end hears of it
		_ = far.Close()
	}()
	go func() {
		_, _ = io.Copy(pipes, far)
		_ = far.Close()
	}()
	return &piped{near, pipes}
}

// Close does not wait for the pipes: where another process holds up a Read or a
// Write, closing may wait for that.
func (p *piped) Close() error {
	go p.pipes.Close()
	return p.Conn.Close()
}

// TwoPipes is a pipe to read from and one to write to.
type TwoPipes struct {
	io.ReadCloser
	Out io.WriteCloser
}

func (p TwoPipes) Write(data []byte) (int, error) { return p.Out.Write(data) }

// Close closes both. A Read that waits may hold up the closing of its pipe.
func (p TwoPipes) Close() error { return errors.Join(p.Out.Close(), p.ReadCloser.Close()) }
