package macho

import (
	"bytes"
	"crypto"
)

// Digest is the hash of a file that a signature seals.
type Digest struct {
	Hash crypto.Hash
	Sum  []byte // may be cut
}

// Matches tells whether the file is the sealed one.
func (d *Digest) Matches(contents []byte) bool {
	return bytes.HasPrefix(sum(d.Hash, contents), d.Sum)
}

func (d *codeDirectory) digest(kind uint32) *Digest {
	if d.special[kind] == nil {
		return nil
	}
	return &Digest{d.hash, d.special[kind]}
}
