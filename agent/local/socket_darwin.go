package local

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"firstday.dev/agent/codesign"
)

const (
	folderMode = 0o711
	// loginWindow is _securityagent, as which plug-ins of the login window run;
	// the group has the same number.
	loginWindow = 92
)

// openSocket lets _securityagent in. Only root can: where somebody else runs the
// service, it is theirs alone.
func openSocket(path string) error {
	if os.Geteuid() != 0 {
		return os.Chmod(path, 0o600)
	}
	if err := os.Chown(path, 0, loginWindow); err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// window gives the connection of a login window's plug-in, or nil. The program at its
// other end is the one that is there now: what it becomes later has another token.
func (j *judge) window(conn *net.UnixConn, uid uint32) net.Conn {
	if uid != loginWindow {
		return nil
	}
	token, err := tokenOf(conn)
	return &judged{conn, sync.OnceValue(func() error {
		return j.let(func() (codesign.Program, error) {
			if err != nil {
				return codesign.Program{}, err
			}
			return codesign.AppleProcess(token)
		})
	})}
}

// tokenOf asks for LOCAL_PEERTOKEN, which has the shape of a filter, eight numbers of
// 32 bits; there is no call of its own for it.
func tokenOf(conn *net.UnixConn) (codesign.Token, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return codesign.Token{}, err
	}
	var filter *unix.ICMPv6Filter
	var failed error
	if err := raw.Control(func(fd uintptr) {
		filter, failed = unix.GetsockoptICMPv6Filter(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERTOKEN)
	}); err != nil {
		return codesign.Token{}, err
	}
	return readToken(filter.Filt, failed)
}

func peerOf(fd int) (uid uint32, err error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return c.Uid, nil
}
