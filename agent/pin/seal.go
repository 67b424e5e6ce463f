package pin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
)

// Sizes, in bytes.
const (
	keySize  = 32 // AES-256
	saltSize = 32
	// nonceSize is that of GCM.
	nonceSize = 12
	// boxSize is that of every password's box, so that it tells nothing of it:
	// two bytes of length, the password and zeros, and the tag.
	boxSize = 2 + api.MaxPassword + 16
)

// purpose keeps what is derived here apart from anything else of that PIN.
const purpose = "firstday pin 1"

// secrets are what is wiped in the end.
type secrets struct {
	data     []byte // the data key, which the TPM keeps
	password []byte // what the TPM wants for it
}

func (k *secrets) wipe() {
	clear(k.data)
	clear(k.password)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// tpmPassword is what the TPM wants to hear of a PIN: another each time it is
// set, even if the PIN is the same.
func tpmPassword(digits, salt []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, digits, salt, purpose+" tpm", keySize)
}

// box gives the cipher of a data key, which is used once.
func box(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// binding is what the password's box holds for: no other user or device.
func (s *Store) binding(id string) []byte {
	var b []byte
	for _, part := range []string{purpose, id, s.Device} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// seal makes what is kept of a password.
func (s *Store) seal(u User, password, digits []byte) (*record, error) {
	r := &record{User: u, Salt: random(saltSize)}
	k := &secrets{data: random(keySize)}
	defer k.wipe()
	var err error
	if k.password, err = tpmPassword(digits, r.Salt); err != nil {
		return nil, err
	}
	sealed, err := s.TPM.Seal(k.data, k.password)
	if err != nil {
		return nil, err
	}
	if r.Sealed, err = sealed.Encode(); err != nil {
		return nil, err
	}
	aead, err := box(k.data)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, boxSize-aead.Overhead())
	defer clear(plain)
	binary.BigEndian.PutUint16(plain, uint16(len(password)))
	copy(plain[2:], password)
	r.Nonce = random(nonceSize)
	r.Box = aead.Seal(nil, r.Nonce, plain, s.binding(u.ID))
	return r, nil
}

// open asks the TPM, once, and gives the password.
func (s *Store) open(r *record, u User, digits []byte) ([]byte, error) {
	sealed, err := devicekey.ParseSealed(r.Sealed)
	if err != nil {
		return nil, err
	}
	k := new(secrets)
	defer k.wipe()
	if k.password, err = tpmPassword(digits, r.Salt); err != nil {
		return nil, err
	}
	if k.data, err = s.TPM.Unseal(sealed, k.password); err != nil {
		return nil, err
	}
	if len(k.data) != keySize {
		return nil, fmt.Errorf("%w: a key of %d bytes", devicekey.ErrDamaged, len(k.data))
	}
	aead, err := box(k.data)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, r.Nonce, r.Box, s.binding(u.ID))
	if err != nil {
		return nil, fmt.Errorf("%w: it was kept for another user or device, or was changed", devicekey.ErrDamaged)
	}
	defer clear(plain)
	n := int(binary.BigEndian.Uint16(plain))
	if n == 0 || n > api.MaxPassword {
		return nil, fmt.Errorf("%w: a password of %d bytes", devicekey.ErrDamaged, n)
	}
	return append([]byte(nil), plain[2:2+n]...), nil
}
