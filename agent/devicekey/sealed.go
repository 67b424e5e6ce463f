package devicekey

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Errors of unsealing, beside ErrNoTPM, ErrOtherTPM and ErrDamaged.
var (
	// ErrPassword: the TPM says that the password is wrong, and has counted it.
	ErrPassword = errors.New("the TPM refuses the password")
	// ErrLockedOut: the TPM counts too many wrong passwords of whatever is in it
	// to be asked for one more. It was not asked.
	ErrLockedOut = errors.New("the TPM has seen too many wrong passwords lately")
	// ErrUnanswered: nobody knows whether the TPM has counted the password.
	ErrUnanswered = errors.New("the TPM does not answer")
)

// Sealed is a secret that this TPM gives to nobody but who knows its password.
// Guesses count with the TPM, together with those at all else in it.
type Sealed struct{ loadable }

// sealTemplate has no noDA, so that guesses count.
var sealTemplate = tpm2.TPMTPublic{
	Type:             tpm2.TPMAlgKeyedHash,
	NameAlg:          tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
		Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull},
	}),
	Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
}

// maxSealed bounds secrets, in bytes: less than any TPM takes.
const maxSealed = 32

// Seal seals a secret of up to 32 bytes with a password. Neither crosses the
// wires to the TPM in clear.
func (t *TPM) Seal(secret, password []byte) (*Sealed, error) {
	if len(secret) > maxSealed {
		return nil, fmt.Errorf("a secret of more than %d bytes", maxSealed)
	}
	return use(t, makeLimit, func(device transport.TPM) (*Sealed, error) {
		made, err := t.make(device, sealTemplate, &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: authValue(password)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		})
		if err != nil {
			return nil, fmt.Errorf("sealing: %w", err)
		}
		return &Sealed{*made}, nil
	})
}

// CanSeal tells by a trial why nothing can be sealed and unsealed now. It asks for
// nothing that has a password: a TPM whose power is cut after that counts one
// wrong password more, and this is done whenever a device starts.
func (t *TPM) CanSeal() error {
	_, err := use(t, makeLimit, func(device transport.TPM) (*loadable, error) {
		if err := bears(device); err != nil {
			return nil, err
		}
		return t.make(device, sealTemplate, &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: authValue(nil)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: make([]byte, maxSealed)}),
		})
	})
	return err
}

// authValue is 128 bits of a password's hash, in as many letters as a TPM takes.
// It has no zeros: a TPM takes off those at the end, and go-tpm 0.9.8 all that
// follows the first one when it proves that it knows the password.
func authValue(password []byte) []byte {
	hash := sha256.Sum256(password)
	return hex.AppendEncode(nil, hash[:16])
}

// Unseal gives the secret. It asks the TPM at most once, and not at all when
// that has seen half as many wrong passwords as it bears: the rest is for what
// Windows itself keeps in it.
func (t *TPM) Unseal(s *Sealed, password []byte) ([]byte, error) {
	return use(t, signLimit, func(device transport.TPM) ([]byte, error) {
		if err := bears(device); err != nil {
			return nil, err
		}
		p, err := t.parentOf(device, &s.loadable)
		if err != nil {
			return nil, err
		}
		defer p.release()
		loaded, err := s.load(device, p)
		if err != nil {
			return nil, err
		}
		defer flush(device, loaded.ObjectHandle)
		answer, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
			Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: p.session(tpm2.Auth(authValue(password)), tpm2.AESEncryption(128, tpm2.EncryptOut)),
		}}.Execute(device)
		if err != nil {
			return nil, unsealError(err)
		}
		return answer.OutData.Buffer, nil
	})
}

// bears tells whether the TPM can be asked for a password without the danger
// that it locks out others.
func bears(device transport.TPM) error {
	values, err := properties(device, tpm2.TPMPTPermanent, tpm2.TPMPTLockoutCounter, tpm2.TPMPTMaxAuthFail)
	if err != nil {
		return err
	}
	if values[0]&inLockout != 0 || values[1] >= values[2]/2 {
		return fmt.Errorf("%w: %d of %d", ErrLockedOut, values[1], values[2])
	}
	return nil
}

func unsealError(err error) error {
	var code tpm2.TPMRC
	switch {
	case errors.Is(err, tpm2.TPMRCAuthFail), errors.Is(err, tpm2.TPMRCBadAuth):
		return fmt.Errorf("%w: %w", ErrPassword, err)
	case errors.Is(err, tpm2.TPMRCLockout):
		return fmt.Errorf("%w: %w", ErrLockedOut, err)
	case !errors.As(err, &code):
		return fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return fmt.Errorf("unsealing: %w", err)
}

// sealedKey is id-sealedkey of the file format of TPM 2.0 keys.
var sealedKey = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 5}

// Encode writes what only the TPM that sealed it can use.
func (s *Sealed) Encode() ([]byte, error) { return s.encode(sealedKey) }

// ParseSealed reads what Encode wrote, ErrDamaged if it is anything else.
func ParseSealed(data []byte) (*Sealed, error) {
	s, err := parseSealed(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

func parseSealed(data []byte) (*Sealed, error) {
	block, rest := pem.Decode(data)
	if len(data) > maxFile || block == nil || block.Type != tpmBlock || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not one block of PEM")
	}
	l, err := parseLoadable(block, sealedKey)
	if err != nil {
		return nil, err
	}
	public, err := l.inPublic.Contents()
	if err != nil {
		return nil, err
	}
	plain := *public
	plain.Unique = sealTemplate.Unique
	if plain.Type != tpm2.TPMAlgKeyedHash || !bytes.Equal(tpm2.Marshal(plain), tpm2.Marshal(sealTemplate)) {
		return nil, errors.New("it is no secret that stays in its TPM and is guarded by a password")
	}
	return &Sealed{*l}, nil
}
