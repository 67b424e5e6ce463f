// Package devicekey keeps the device's own private key, with which it proves
// towards its directory that it is itself: in the TPM 2.0 where there is one
// that works, else in a file.
//
// Nothing is written into the TPM. What it made lies encrypted in the key's
// file, of use to no other TPM, and is loaded for each signature. So the TPM
// holds nothing between two of them, a suspended device has nothing to lose, and
// removing the file removes the key.
//
// In the same way the TPM seals small secrets with passwords, see [TPM.Seal].
package devicekey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

// Errors of reading and using a key, which wrap more words. All others may pass.
var (
	// ErrNoTPM: the machine has no TPM 2.0, or it is switched off in its firmware.
	ErrNoTPM = errors.New("there is no TPM")
	// ErrOtherTPM: the key was made in another TPM, or in this one before it was
	// cleared. It is lost.
	ErrOtherTPM = errors.New("the TPM was cleared or is another one than the key was made in")
	// ErrDamaged: the file holds no key, or not the one that was written. It is
	// lost.
	ErrDamaged = errors.New("the key's file is damaged")
)

// Key is the device's own key, on the curve P-256. It is a [crypto.Signer];
// several may sign at once.
type Key struct {
	public  *ecdsa.PublicKey
	private *ecdsa.PrivateKey // nil: it is in the TPM
	loadable
	tpm    *TPM
	reason string

	mu   sync.Mutex
	last error
}

// MakeInTPM makes a key in the TPM, tries it, and writes its file.
func MakeInTPM(path string, t *TPM) (*Key, error) {
	made, err := t.create()
	if err != nil {
		return nil, err
	}
	k := &Key{loadable: *made, tpm: t}
	if k.public, err = made.key(); err != nil {
		return nil, err
	}
	probe := make([]byte, crypto.SHA256.Size())
	if _, err := k.Sign(rand.Reader, probe, crypto.SHA256); err != nil {
		return nil, fmt.Errorf("trying the new key: %w", err)
	}
	content, err := made.encode(loadableKey)
	if err != nil {
		return nil, err
	}
	return k, statefile.WriteBytes(path, content)
}

// MakeInFile makes a key in its file. It remembers why it is not in the TPM.
func MakeInFile(path string, why error) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &Key{public: &private.PublicKey, private: private, reason: oneLine(why.Error())}
	content, err := encodePrivate(private, k.reason)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	return k, statefile.WriteBytes(path, content)
}

// maxReason bounds what a key remembers of why it is in a file, in bytes.
const maxReason = 180

func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
}

// Public gives the *[ecdsa.PublicKey].
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest: ECDSA, ASN.1. It takes seconds at most, also of a
// TPM that does not answer.
func (k *Key) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("the device's key signs SHA-256 digests only")
	}
	if k.private != nil {
		return k.private.Sign(random, digest, opts)
	}
	signature, err := k.tpm.sign(&k.loadable, digest)
	if err == nil && !ecdsa.VerifyASN1(k.public, digest, signature) {
		err = errors.New("the TPM made a wrong signature")
	}
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.last = err
		return nil, err
	}
	return signature, nil
}

// Trouble gives what went wrong with signing last, once: whoever uses the key
// through TLS is told no more than its words.
func (k *Key) Trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.last
	k.last = nil
	return err
}

// Storage tells where the key is.
func (k *Key) Storage() api.KeyStorage {
	if k.private != nil {
		return api.KeyInFile
	}
	return api.KeyInTPM
}

// Reason tells why the key is not in the TPM; empty: it is, or an agent made it
// that knew of none.
func (k *Key) Reason() string { return k.reason }

// TPMFailed tells whether there was a TPM that could not be used.
func (k *Key) TPMFailed() bool {
	return k.reason != "" && !strings.HasPrefix(k.reason, ErrNoTPM.Error())
}
