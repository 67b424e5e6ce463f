package kit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"firstday.dev/internal/filelock"
	"firstday.dev/internal/strictjson"
)

// JournalFile is in the folder of a batch, and says of each kit what it was made
// of: a run that was ended goes on where it was. It says nothing of a kit before
// that has its name, so that one without an entry is built again.
const JournalFile = "batch.journal"

const (
	journalVersion = 1
	maxJournal     = 64 << 20 // bytes
	maxEntry       = 1 << 12  // likewise, of one line
)

// journal is that file, open for the next entry.
type journal struct {
	file *os.File
	key  []byte

	mu   sync.Mutex
	made map[string]*entry
}

// beginning is the first line. The key makes fingerprints, which stand for
// guessable secrets too, of no use to anybody without the file.
type beginning struct {
	Version int    `json:"version"`
	Key     string `json:"key"`
}

// entry is one line: the last one of a kit counts.
type entry struct {
	Kit    string `json:"kit"`
	Inputs string `json:"inputs"`
	Sums   string `json:"sums"` // SHA-256 of the kit's SHA256SUMS
}

// openJournal reads a journal, or begins one. A last line that was cut off when
// a run was killed is dropped.
func openJournal(dir string) (*journal, error) {
	path := filepath.Join(dir, JournalFile)
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, privateFile)
	if err != nil {
		return nil, err
	}
	if err := filelock.Lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("another batch is built here: %w", err), f.Close())
	}
	j := &journal{file: f, made: make(map[string]*entry)}
	if err := j.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; remove it to build all kits anew", path, err), f.Close())
	}
	return j, nil
}

func (j *journal) read() error {
	data, err := io.ReadAll(io.LimitReader(j.file, maxJournal+1))
	switch {
	case err != nil:
		return err
	case len(data) > maxJournal:
		return fmt.Errorf("it has more than %d bytes", maxJournal)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if err := j.file.Truncate(int64(len(whole))); err != nil {
		return err
	}
	if len(whole) == 0 {
		j.key = make([]byte, sha256.Size)
		_, _ = rand.Read(j.key) // never fails
		return j.write(beginning{journalVersion, hex.EncodeToString(j.key)})
	}
	return j.parse(whole)
}

func (j *journal) parse(data []byte) error {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if n == 1 {
			var first beginning
			err := strictjson.Read(bytes.NewReader(line), maxEntry, &first)
			if err == nil && first.Version != journalVersion {
				err = fmt.Errorf("version %d", first.Version)
			}
			if err == nil {
				j.key, err = hex.DecodeString(first.Key)
			}
			if err != nil || len(j.key) != sha256.Size {
				return fmt.Errorf("line 1 is none of this version's: %w", err)
			}
			continue
		}
		e := new(entry)
		if err := strictjson.Read(bytes.NewReader(line), maxEntry, e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		j.made[e.Kit] = e
	}
	return nil
}

// add notes that a kit is there.
func (j *journal) add(e *entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(e)
}

func (j *journal) write(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", JournalFile, err)
	}
	return j.file.Sync()
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
