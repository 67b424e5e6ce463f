//go:build !linux

package atomicfile

import (
	"io/fs"
	"os"
)

func createTemp(path string, perm fs.FileMode) (*os.File, error) { return createNamed(path, perm) }

func publish(f *os.File, target string) error { return publishNamed(f, target) }

func discard(f *os.File, _ string) error { return discardNamed(f) }

func exchange(temp, target string) (old string, err error) { return swapByRename(temp, target) }

// syncDir does nothing: Windows has no such call, and macOS syncs the folder
// with the file's own F_FULLFSYNC.
func syncDir(string) error { return nil }
