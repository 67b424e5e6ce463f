package desktop

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// pipes are the service's ends of a process's standard input and output. Unlike
// what CreatePipe makes, they can be read with a deadline.
type pipes struct {
	in  *os.File // the process reads it
	out *os.File // the process writes it
}

func (p *pipes) Read(b []byte) (int, error)         { return p.out.Read(b) }
func (p *pipes) Write(b []byte) (int, error)        { return p.in.Write(b) }
func (p *pipes) Close() error                       { return errors.Join(p.in.Close(), p.out.Close()) }
func (p *pipes) SetReadDeadline(t time.Time) error  { return p.out.SetReadDeadline(t) }
func (p *pipes) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }
func (p *pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

// childEnds are the other ends, with an output for errors that goes nowhere. The
// process that is started inherits them.
type childEnds struct{ in, out, errors windows.Handle }

func (c *childEnds) close() {
	for _, h := range []windows.Handle{c.in, c.out, c.errors} {
		if h != 0 {
			_ = windows.CloseHandle(h)
		}
	}
}

func makePipes() (*pipes, *childEnds, error) {
	p, c := new(pipes), new(childEnds)
	var err error
	if p.in, c.in, err = makePipe(windows.PIPE_ACCESS_OUTBOUND, windows.GENERIC_READ); err == nil {
		p.out, c.out, err = makePipe(windows.PIPE_ACCESS_INBOUND, windows.GENERIC_WRITE)
	}
	if err == nil {
		c.errors, err = openInheritable("NUL", windows.GENERIC_WRITE)
	}
	if err != nil {
		c.close()
		_ = p.Close() // of files that are nil, too
		return nil, nil, err
	}
	return p, c, nil
}

// pipeAccess is for nobody but this process, which opens both ends at once.
const pipeAccess = "D:P(A;;GA;;;SY)(A;;GA;;;BA)"

const pipeSize = 64 << 10 // bytes: more than a screen

// makePipe makes a pipe for one direction: an end of ours, and one for a child.
// It has a name for a moment, which nobody can guess or have taken.
func makePipe(ours, theirs uint32) (*os.File, windows.Handle, error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	name := `\\.\pipe\firstday-window-` + hex.EncodeToString(random)
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, 0, err
	}
	sd, err := windows.SecurityDescriptorFromString(pipeAccess)
	if err != nil {
		return nil, 0, fmt.Errorf("security descriptor %s: %w", pipeAccess, err)
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	h, err := windows.CreateNamedPipe(text, ours|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_REJECT_REMOTE_CLIENTS, 1, pipeSize, pipeSize, 0, sa)
	if err != nil {
		return nil, 0, os.NewSyscallError("CreateNamedPipe", err)
	}
	child, err := openInheritable(name, theirs)
	if err != nil {
		return nil, 0, errors.Join(err, windows.CloseHandle(h))
	}
	return os.NewFile(uintptr(h), name), child, nil
}

// openInheritable opens what a child is to inherit. It can neither act for us
// nor be waited for with a deadline, which is what programs expect of their
// standard input.
func openInheritable(name string, access uint32) (windows.Handle, error) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	sa := &windows.SecurityAttributes{InheritHandle: 1}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	h, err := windows.CreateFile(text, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, sa, windows.OPEN_EXISTING, windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return h, nil
}
