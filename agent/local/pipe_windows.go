package local

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// access is who may open the pipe, in SDDL. P: nothing is inherited. SYSTEM,
// which is what the sign-in screen runs as, may do all; administrators may read
// and write, but not make instances of their own (0x12019b is
// FILE_GENERIC_READ|FILE_GENERIC_WRITE without FILE_CREATE_PIPE_INSTANCE);
// whoever comes over the network may do nothing.
const access = "D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;0x12019b;;;BA)"

const pipeBuffer = 4096 // bytes, either way

// pipe is a listener on a named pipe. Each client gets an instance of its own;
// the next one's is always there, so that the name is never free.
type pipe struct {
	name string
	sa   *windows.SecurityAttributes
	stop windows.Handle // event, set by Close
	log  *slog.Logger
	once sync.Once

	mu     sync.Mutex // one Accept at a time; over what follows
	next   windows.Handle
	closed bool
}

// Listen makes the named pipe, for surfaces that run as SYSTEM or as an
// administrator. Others are hung up on. It fails where somebody has a pipe of
// that name already.
func Listen(name string, log *slog.Logger) (net.Listener, error) {
	sd, err := windows.SecurityDescriptorFromString(access)
	if err != nil {
		return nil, fmt.Errorf("security descriptor %s: %w", access, err)
	}
	l := &pipe{name: name, log: log, sa: &windows.SecurityAttributes{SecurityDescriptor: sd}}
	l.sa.Length = uint32(unsafe.Sizeof(*l.sa))
	if l.stop, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return nil, os.NewSyscallError("CreateEvent", err)
	}
	if l.next, err = l.instance(windows.FILE_FLAG_FIRST_PIPE_INSTANCE); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(l.stop))
	}
	return l, nil
}

// Remove has nothing to do: a pipe goes with its process.
func Remove(string) error { return nil }

func (l *pipe) instance(flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(l.name)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|flags,
		windows.PIPE_TYPE_BYTE|windows.PIPE_REJECT_REMOTE_CLIENTS, windows.PIPE_UNLIMITED_INSTANCES, pipeBuffer, pipeBuffer, 0, l.sa)
	if err != nil {
		return 0, fmt.Errorf("the pipe %s: %w", l.name, err)
	}
	return h, nil
}

// Accept gives connections of those who may be surfaces only.
func (l *pipe) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h, err := l.connect()
		if err != nil {
			return nil, err
		}
		var pid uint32
		err = windows.GetNamedPipeClientProcessId(h, &pid)
		if err == nil {
			err = checkClient(pid)
		}
		if err == nil {
			return newConn(h, l.name), nil
		}
		l.log.Warn("somebody else wanted to be a surface", "pid", pid, "error", err)
		_ = windows.CloseHandle(h)
	}
}

// connect waits for a client at the next instance, and makes another one.
func (l *pipe) connect() (windows.Handle, error) {
	if l.closed {
		return 0, net.ErrClosed
	}
	if l.next == 0 {
		var err error
		if l.next, err = l.instance(0); err != nil {
			return 0, err
		}
	}
	h := l.next
	if err := l.await(h); err != nil {
		l.next = 0
		return 0, errors.Join(err, windows.CloseHandle(h))
	}
	var err error
	if l.next, err = l.instance(0); err != nil {
		l.next = 0
		l.log.Warn("no further surface can connect yet", "error", err)
	}
	return h, nil
}

// await waits for a client of the instance, until Close.
func (l *pipe) await(h windows.Handle) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return os.NewSyscallError("CreateEvent", err)
	}
	defer windows.CloseHandle(event) //nolint:errcheck // it holds nothing
	o := &windows.Overlapped{HEvent: event}
	err = windows.ConnectNamedPipe(h, o)
	switch {
	case err == nil, errors.Is(err, windows.ERROR_PIPE_CONNECTED):
		return nil
	case errors.Is(err, windows.ERROR_NO_DATA): // who connected has gone
		return nil
	case !errors.Is(err, windows.ERROR_IO_PENDING):
		return os.NewSyscallError("ConnectNamedPipe", err)
	}
	signalled, err := windows.WaitForMultipleObjects([]windows.Handle{event, l.stop}, false, windows.INFINITE)
	if err == nil && signalled == windows.WAIT_OBJECT_0 {
		return nil
	}
	var n uint32
	_ = windows.CancelIoEx(h, o)
	_ = windows.GetOverlappedResult(h, o, &n, true) // the system is done with o
	if err != nil {
		return os.NewSyscallError("WaitForMultipleObjects", err)
	}
	return net.ErrClosed
}

// Close ends a waiting Accept. The connections go on.
func (l *pipe) Close() error {
	var err error
	l.once.Do(func() {
		err = windows.SetEvent(l.stop)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.next != 0 {
			err = errors.Join(err, windows.CloseHandle(l.next))
		}
		err = errors.Join(err, windows.CloseHandle(l.stop))
		l.next, l.closed = 0, true
	})
	return err
}

func (l *pipe) Addr() net.Addr { return address(l.name) }

type address string

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }

// conn is one end of a pipe. The runtime reads and writes it asynchronously, so
// that deadlines work.
type conn struct {
	*os.File
	handle windows.Handle
}

func newConn(h windows.Handle, name string) *conn { return &conn{os.NewFile(uintptr(h), name), h} }

func (c *conn) LocalAddr() net.Addr  { return address(c.Name()) }
func (c *conn) RemoteAddr() net.Addr { return address(c.Name()) }
