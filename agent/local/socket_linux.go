package local

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	folderMode = 0o700
	// loginWindow is nobody: the sign-in screens of Linux run as root, or ask
	// somebody who does.
	loginWindow = 0
)

func openSocket(path string) error { return os.Chmod(path, 0o600) }

func peerOf(fd int) (uid uint32, err error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt", err)
	}
	return c.Uid, nil
}
