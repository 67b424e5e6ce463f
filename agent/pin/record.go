package pin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"firstday.dev/agent/devicekey"
	"firstday.dev/internal/statefile"
)

// schema is the version of the files.
const schema = 1

// suffix ends their names.
const suffix = ".pin"

// record is what is kept of a user's PIN. It is of use to nobody without this
// TPM and the PIN.
type record struct {
	Schema int    `json:"schema"`
	User   User   `json:"user"`
	Salt   []byte `json:"salt"`   // of the PIN
	Sealed []byte `json:"sealed"` // the data key, for this TPM
	Nonce  []byte `json:"nonce"`  // of the box
	Box    []byte `json:"box"`    // the password
	// Lost: there was a PIN, of which nothing is kept.
	Lost bool `json:"lost,omitempty"`
	// Sum is over all of the above: a salt that rots on the disk must not look
	// like a wrong PIN.
	Sum []byte `json:"sum"`
	// Tries is how many PINs were tried since the last right one.
	Tries int `json:"tries"`
}

// file is where a user's is, whatever letters their id has.
func (s *Store) file(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.Folder, hex.EncodeToString(sum[:16])+suffix)
}

func (s *Store) write(r *record) error {
	r.Schema = schema
	var err error
	if r.Sum, err = r.sum(); err != nil {
		return err
	}
	return statefile.Write(s.file(r.User.ID), r)
}

func (r *record) sum() ([]byte, error) {
	summed := *r
	summed.Sum, summed.Tries = nil, 0
	content, err := json.Marshal(&summed)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return sum[:], nil
}

// read gives fs.ErrNotExist if there is none, devicekey.ErrDamaged if it is not
// what was written for that user.
func (s *Store) read(id string) (*record, error) {
	r, err := readFile(s.file(id))
	if err == nil && r.User.ID != id {
		err = damaged("it is another user's")
	}
	return r, err
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", devicekey.ErrDamaged, fmt.Sprintf(format, args...))
}

// maxFile and maxText bound files and the names in them, in bytes.
const (
	maxFile = 32 << 10
	maxText = 1 << 10
)

func readFile(path string) (*record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return parse(data)
}

// parse refuses what is not as it was written. Fields of a later build are left
// alone.
func parse(data []byte) (*record, error) {
	if len(data) > maxFile {
		return nil, damaged("it is larger than %d bytes", maxFile)
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, damaged("it is not what an agent wrote") // the error quotes the content
	}
	if r.Schema != schema {
		return nil, fmt.Errorf("a PIN's file of schema %d; this build reads %d", r.Schema, schema)
	}
	return r, r.check()
}

func (r *record) check() error {
	sum, err := r.sum()
	switch {
	case err != nil:
		return err
	case !bytes.Equal(sum, r.Sum):
		return damaged("its sum is wrong")
	case r.User.ID == "" || len(r.User.ID) > maxText || len(r.User.Name) > maxText || !utf8.ValidString(r.User.ID+r.User.Name):
		return damaged("it names no user")
	case r.Lost && len(r.Salt)+len(r.Sealed)+len(r.Nonce)+len(r.Box)+r.Tries > 0:
		return damaged("it is lost, but not gone")
	case r.Lost:
		return nil
	case len(r.Salt) != saltSize || len(r.Nonce) != nonceSize || len(r.Box) != boxSize:
		return damaged("its parts have other sizes")
	case r.Tries < 0 || r.Tries > Tries:
		return damaged("%d tries", r.Tries)
	}
	_, err = devicekey.ParseSealed(r.Sealed)
	return err
}
