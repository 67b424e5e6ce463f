// Package filelock keeps two processes from one file. The lock goes when the file
// is closed, or its process ends, however that happens.
package filelock

import (
	"errors"
	"os"
)

// ErrBusy: another process has it.
var ErrBusy = errors.New("another process is at work with it")

func open(path string, more int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|more, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
