package devicekey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// storageKey is where the TCG's provisioning guidance puts the storage root key.
const storageKey = tpm2.TPMHandle(0x81000001)

// nameSize is that of the name of an object with SHA-256, in bytes.
const nameSize = 2 + 32

// coordinateSize is that of a coordinate on P-256, in bytes.
const coordinateSize = 32

var (
	errNoStorageKey = errors.New("the TPM has not been prepared by the system: it has no storage root key")
	errNotOurs      = errors.New("it is no signing key on P-256 that stays in its TPM")
)

// loadable is what a TPM made, encrypted by the key above it, its parent.
type loadable struct {
	parent     tpm2.TPMHandle // storageKey, or TPMRHOwner: made by the template
	parentName []byte
	inPublic   tpm2.TPM2BPublic
	inPrivate  tpm2.TPM2BPrivate
}

// template is the device's key. It has no password, so that guesses at those of
// others must not lock it out (noDA): the TPM counts them all together.
var template = tpm2.TPMTPublic{
	Type:    tpm2.TPMAlgECC,
	NameAlg: tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true,
	},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256, Scheme: tpm2.TPMTECCScheme{
		Scheme:  tpm2.TPMAlgECDSA,
		Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
	}}),
	Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
}

// key checks that it is a key by the template, and gives it.
func (l *loadable) key() (*ecdsa.PublicKey, error) {
	public, err := l.inPublic.Contents()
	if err != nil {
		return nil, err
	}
	if public.Type != tpm2.TPMAlgECC {
		return nil, errNotOurs
	}
	point, err := public.Unique.ECC()
	if err != nil {
		return nil, err
	}
	plain := *public
	plain.Unique = template.Unique
	if !bytes.Equal(tpm2.Marshal(plain), tpm2.Marshal(template)) {
		return nil, errNotOurs
	}
	return publicKey(point)
}

// publicKey reads a point, whose coordinates a TPM may give without their
// leading zeros. One that is not on the curve is refused.
func publicKey(point *tpm2.TPMSECCPoint) (*ecdsa.PublicKey, error) {
	x, y := point.X.Buffer, point.Y.Buffer
	if len(x) > coordinateSize || len(y) > coordinateSize {
		return nil, errNotOurs
	}
	uncompressed := make([]byte, 1+2*coordinateSize)
	uncompressed[0] = 4
	copy(uncompressed[1+coordinateSize-len(x):], x)
	copy(uncompressed[1+2*coordinateSize-len(y):], y)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), uncompressed)
}

// parent is the key above ours, as long as the TPM is open.
type parent struct {
	tpm    transport.TPM
	handle tpm2.TPMHandle
	named  tpm2.TPMHandle // as the file has it
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

// session proves to the TPM that commands are ours, and to us that answers are
// the TPM's: its key is agreed with the parent, whose name is known. Nobody on
// the wires between sees or changes the first parameter.
func (p *parent) session(options ...tpm2.AuthOption) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, append(options, tpm2.Salted(p.handle, p.public))...)
}

func (p *parent) auth(options ...tpm2.AuthOption) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: p.handle, Name: p.name, Auth: p.session(options...)}
}

// release lets go of a parent that was made for this time.
func (p *parent) release() {
	if p.handle != storageKey {
		flush(p.tpm, p.handle)
	}
}

// flush frees what a handle stands for. Where that fails, closing the TPM does.
func flush(t transport.TPM, h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(t)
}

// persistent gives the storage root key that the system keeps in the TPM, nil if
// there is none of the right kind.
func persistent(t transport.TPM) (*parent, error) {
	read, err := tpm2.ReadPublic{ObjectHandle: storageKey}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCValue) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the storage root key: %w", err)
	}
	public, err := read.OutPublic.Contents()
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]tpm2.TPMAlgID{tpm2.TPMAlgECC, tpm2.TPMAlgRSA}, public.Type) || public.NameAlg != tpm2.TPMAlgSHA256 ||
		public.ObjectAttributes != tpm2.ECCSRKTemplate.ObjectAttributes {
		return nil, nil
	}
	name, err := tpm2.ObjectName(public)
	if err != nil {
		return nil, err
	}
	return &parent{tpm: t, handle: storageKey, named: storageKey, name: *name, public: *public}, nil
}

// primary makes a storage root key by a template of the TCG's: the same one each
// time, until the TPM is cleared.
func primary(t transport.TPM, by tpm2.TPMTPublic) (*parent, error) {
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(by)}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("making the storage root key: %w", err)
	}
	public, err := made.OutPublic.Contents()
	if err != nil {
		flush(t, made.ObjectHandle)
		return nil, err
	}
	return &parent{tpm: t, handle: made.ObjectHandle, named: tpm2.TPMRHOwner, name: made.Name, public: *public}, nil
}

// parentOf finds the parent that a key was made under. One that the system kept
// may be gone from its place and still be the same when it is made again.
func (t *TPM) parentOf(device transport.TPM, l *loadable) (*parent, error) {
	p, err := persistent(device)
	switch {
	case err != nil:
		return nil, err
	case p != nil && bytes.Equal(p.name.Buffer, l.parentName):
		return p, nil
	case p == nil && !t.primaries:
		return nil, errNoStorageKey
	case !t.primaries:
		return nil, ErrOtherTPM
	}
	templates := []tpm2.TPMTPublic{tpm2.ECCSRKTemplate}
	if l.parent == storageKey {
		templates = append(templates, tpm2.RSASRKTemplate)
	}
	for _, by := range templates {
		if p, err = primary(device, by); err != nil {
			return nil, err
		}
		if bytes.Equal(p.name.Buffer, l.parentName) {
			return p, nil
		}
		p.release()
	}
	return nil, ErrOtherTPM
}

// create makes a key.
func (t *TPM) create() (*loadable, error) {
	return use(t, makeLimit, func(device transport.TPM) (*loadable, error) {
		made, err := t.make(device, template, new(tpm2.TPMSSensitiveCreate))
		if err != nil {
			return nil, fmt.Errorf("making the key: %w", err)
		}
		return made, nil
	})
}

// make makes a key, or seals what is given, under the storage root key.
func (t *TPM) make(device transport.TPM, by tpm2.TPMTPublic, of *tpm2.TPMSSensitiveCreate) (*loadable, error) {
	p, err := persistent(device)
	if err != nil {
		return nil, err
	}
	if p == nil && !t.primaries {
		return nil, errNoStorageKey
	}
	if p == nil {
		if p, err = primary(device, tpm2.ECCSRKTemplate); err != nil {
			return nil, err
		}
	}
	defer p.release()
	made, err := tpm2.Create{
		ParentHandle: p.auth(tpm2.AESEncryption(128, tpm2.EncryptInOut)),
		InSensitive:  tpm2.TPM2BSensitiveCreate{Sensitive: of},
		InPublic:     tpm2.New2B(by),
	}.Execute(device)
	if err != nil {
		return nil, err
	}
	return &loadable{parent: p.named, parentName: p.name.Buffer, inPublic: made.OutPublic, inPrivate: made.OutPrivate}, nil
}

// sign signs a SHA-256 digest.
func (t *TPM) sign(l *loadable, digest []byte) ([]byte, error) {
	return use(t, signLimit, func(device transport.TPM) ([]byte, error) {
		p, err := t.parentOf(device, l)
		if err != nil {
			return nil, err
		}
		defer p.release()
		loaded, err := l.load(device, p)
		if err != nil {
			return nil, err
		}
		defer flush(device, loaded.ObjectHandle)
		signed, err := tpm2.Sign{
			KeyHandle: tpm2.AuthHandle{
				Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: p.session(tpm2.AESEncryption(128, tpm2.EncryptIn)),
			},
			Digest: tpm2.TPM2BDigest{Buffer: digest},
			InScheme: tpm2.TPMTSigScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256}),
			},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
		}.Execute(device)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		s, err := signed.Signature.Signature.ECDSA()
		if err != nil {
			return nil, err
		}
		return asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer),
		})
	})
}

// load puts it into the TPM, for who flushes it.
func (l *loadable) load(device transport.TPM, p *parent) (*tpm2.LoadResponse, error) {
	loaded, err := tpm2.Load{
		ParentHandle: p.auth(tpm2.AESEncryption(128, tpm2.EncryptIn)), InPrivate: l.inPrivate, InPublic: l.inPublic,
	}.Execute(device)
	if err != nil {
		return nil, loadError(err)
	}
	return loaded, nil
}

// loadError knows the TPM's words for a key that it did not make so: its parent
// is the right one, so it is the file that is not what was written.
func loadError(err error) error {
	for _, code := range []tpm2.TPMRC{
		tpm2.TPMRCIntegrity, tpm2.TPMRCBinding, tpm2.TPMRCSensitive, tpm2.TPMRCSize, tpm2.TPMRCInsufficient, tpm2.TPMRCECCPoint, tpm2.TPMRCHash,
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return fmt.Errorf("loading the key: %w", err)
}
