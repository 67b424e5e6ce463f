package local

import (
	"os"

	"golang.org/x/sys/unix"
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

func peerOf(fd int) (uid uint32, err error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return c.Uid, nil
}
