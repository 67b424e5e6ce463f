//go:build !linux

package wim

import (
	"io"
	"os"
)

func copyRange(out io.WriterAt, in *os.File, from, to, size int64) error {
	return copyBytes(out, in, from, to, size)
}
