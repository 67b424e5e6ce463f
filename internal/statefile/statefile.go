// Package statefile keeps what a program remembers in small JSON files: each is
// replaced as a whole, and only its owner can read it.
package statefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"firstday.dev/internal/atomicfile"
)

// maxSize bounds a file, in bytes; ours stay far below.
const maxSize = 1 << 20

// Read ignores fields it does not know: a newer program may have written the
// file.
func Read(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return err
	}
	if len(data) > maxSize {
		return fmt.Errorf("%s is larger than %d bytes", path, maxSize)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Write replaces the file by v.
func Write(path string, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return WriteBytes(path, buf.Bytes())
}

// WriteBytes replaces a file that others may be reading: Windows does not let
// a file be replaced while it is open, so a reader is waited for.
func WriteBytes(path string, data []byte) error {
	const tries, pause = 40, 25 * time.Millisecond
	var err error
	for range tries {
		err = atomicfile.WriteFile(path, data, 0o600)
		if !InUse(err) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}
