// Package catalog makes, reads and checks the catalog file (.cat) that lies
// beside a Windows provisioning package and vouches for it.
//
// A catalog is a PKCS #7 SignedData around a certificate trust list (CTL) with
// two members, the SHA-1 and the SHA-256 digest of the whole package
// (formats/ppkg.md §5.2). Windows Configuration Designer always writes one; as
// long as nobody signed it, it holds no signature. Package signing adds and
// verifies the signature; this package knows only the list.
package catalog

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

var (
	// ErrFormat says that a file is not the catalog of a provisioning package.
	ErrFormat = errors.New("catalog: not the catalog of a provisioning package")
	// ErrMismatch says that a catalog vouches for another package.
	ErrMismatch = errors.New("catalog: package does not match its catalog")
)

// MaxSize bounds a catalog in bytes: a chain of large certificates, a
// signature and a timestamp with its own chain stay far below it.
const MaxSize = 1 << 20

// Digests are what a catalog says of a package: flat digests of the whole
// file. Windows compares the SHA-1 one (formats/ppkg.md §5.4), so both are
// needed.
type Digests struct {
	SHA1   [sha1.Size]byte
	SHA256 [sha256.Size]byte
}

// Digest reads a package to its end.
func Digest(r io.Reader) (Digests, error) { return newState().Digest(r) }

// State is what the digests have come to after the beginning of a package, which
// others may have in common with it. It may be used by several goroutines.
type State struct{ sha1, sha256 hash.Hash }

func newState() *State { return &State{sha1.New(), sha256.New()} }

// Begin reads the beginning of a package.
func Begin(r io.Reader) (*State, error) {
	s := newState()
	return s, s.read(r)
}

// Digest reads the rest of a package that begins so.
func (s *State) Digest(rest io.Reader) (d Digests, err error) {
	var after State
	if after.sha1, err = clone(s.sha1); err != nil {
		return d, err
	}
	if after.sha256, err = clone(s.sha256); err != nil {
		return d, err
	}
	if err := after.read(rest); err != nil {
		return d, err
	}
	after.sha1.Sum(d.SHA1[:0])
	after.sha256.Sum(d.SHA256[:0])
	return d, nil
}

func (s *State) read(r io.Reader) error {
	if _, err := io.Copy(io.MultiWriter(s.sha1, s.sha256), r); err != nil {
		return fmt.Errorf("hashing the package: %w", err)
	}
	return nil
}

func clone(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("hashing the package: %T: %w", h, errors.ErrUnsupported)
	}
	return c.Clone()
}

// Catalog is the content of a catalog file. Parse does not look at the
// signature: Signed only tells that there is one to verify.
type Catalog struct {
	// ListIdentifier are 16 random bytes that name the list.
	ListIdentifier [16]byte
	// ThisUpdate is when the list was made, to the second.
	ThisUpdate time.Time
	// Digests of the package the catalog vouches for.
	Digests Digests
	// Signed tells whether the file holds a signature, good or bad.
	Signed bool
	// CTL is the value of the certificate trust list without its tag and
	// length: exactly the bytes that a signature digests.
	CTL []byte
}

// Check compares the catalog with the digests of a package. The error is nil
// or wraps ErrMismatch and names the digest that differs.
func (c *Catalog) Check(d Digests) error {
	if c.Digests.SHA1 != d.SHA1 {
		return fmt.Errorf("%w: its SHA-1 is %x, the catalog says %x", ErrMismatch, d.SHA1, c.Digests.SHA1)
	}
	if c.Digests.SHA256 != d.SHA256 {
		return fmt.Errorf("%w: its SHA-256 is %x, the catalog says %x", ErrMismatch, d.SHA256, c.Digests.SHA256)
	}
	return nil
}

// members are the identifiers of the list's two entries in their order:
// ascending by their bytes.
func (d *Digests) members() [2][]byte {
	if bytes.Compare(d.SHA1[:], d.SHA256[:]) < 0 {
		return [2][]byte{d.SHA1[:], d.SHA256[:]}
	}
	return [2][]byte{d.SHA256[:], d.SHA1[:]}
}
