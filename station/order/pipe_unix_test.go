//go:build unix

package order

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// makePipe makes what waits for ever if it is opened.
func makePipe(_ *testing.T, dir string) error { return unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600) }
