//go:build unix

package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// alive reports whether a process of that id runs, be it somebody else's.
func alive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
