//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// Listen makes the socket at path, in a folder of its own, for surfaces that run
// as root, as whoever runs the service, or as the system's own account for
// sign-in screens in a program of the system's. Others are hung up on.
func Listen(path string, log *slog.Logger) (net.Listener, error) {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := openSocket(path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, log: log, judge: newJudge(log)}, nil
}

// makeFolder makes the socket's folder, which lies where only root can make one,
// and where what others can change must not be.
func makeFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder of ours; remove it and try again", dir)
	}
	return os.Chmod(dir, folderMode)
}

// removeStale removes the socket of a service that was killed.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is not a socket; remove it and try again", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s: another service listens there: %w", path, syscall.EADDRINUSE)
	}
	return os.Remove(path)
}

// Remove removes what a service left that was killed.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	_ = os.Remove(filepath.Dir(path)) // unless something else is in it
	return err
}

type listener struct {
	*net.UnixListener
	log    *slog.Logger
	judge  *judge
	closed atomic.Bool
}

// Accept gives connections of those who may be surfaces only.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peer(conn)
		if err == nil && trusted(uid) {
			return conn, nil
		}
		if err == nil {
			if window := l.judge.window(conn, uid); window != nil {
				return window, nil
			}
		}
		l.log.Warn("somebody else wanted to be a surface", "uid", uid, "error", err)
		_ = conn.Close()
	}
}

// Close removes the socket, and its folder; once, since another service may make
// them anew.
func (l *listener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	err := l.UnixListener.Close()
	_ = os.Remove(filepath.Dir(l.Addr().String()))
	return err
}

// Dial connects to the service, as the surface of that name; see [Connect].
func Dial(ctx context.Context, path, surface string) (*Client, error) {
	conn, err := Connect(ctx, path)
	if err != nil {
		return nil, err
	}
	return NewClient(ctx, conn, surface)
}

// Connect connects to the service, and makes sure that it is the agent's: a process
// of root, or of whoever runs this one.
func Connect(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uid, err := peer(conn.(*net.UnixConn))
	if err == nil && !trusted(uid) {
		err = fmt.Errorf("%s is a socket of user %d, not of the agent's service", path, uid)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// trusted knows root, and whoever runs this program, who are the same where the
// agent is installed.
func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// peer gives the user at the other end, as the kernel knows them.
func peer(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerOf(int(fd)) }); err != nil {
		return 0, err
	}
	return uid, failed
}
