package devicekey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"github.com/google/go-tpm/tpm2"
)

// The file is one PEM block: PKCS #8, or that of TPM 2.0 keys as OpenSSL's
// providers for TPMs write it, with the name of the key above it in a header.
const (
	privateBlock = "PRIVATE KEY"
	tpmBlock     = "TSS2 PRIVATE KEY"
	reasonHeader = "TPM"    // why it was not used
	parentHeader = "Parent" // TPM2B_NAME without its size, in hex
)

// maxFile bounds the file, in bytes.
const maxFile = 16 << 10

// Read reads the key, fs.ErrNotExist if there is none. It does not ask the TPM.
func Read(path string, t *TPM) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	defer clear(data)
	k, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	k.tpm = t
	return k, nil
}

func parse(data []byte) (*Key, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("it is not one block of PEM")
	}
	defer clear(block.Bytes)
	switch block.Type {
	case privateBlock:
		return parsePrivate(block)
	case tpmBlock:
		l, err := parseLoadable(block, loadableKey)
		if err != nil {
			return nil, err
		}
		k := &Key{loadable: *l}
		k.public, err = k.key()
		return k, err
	}
	return nil, fmt.Errorf("it is a %.40q", block.Type)
}

func parsePrivate(block *pem.Block) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("it is no key on P-256")
	}
	return &Key{public: &private.PublicKey, private: private, reason: oneLine(block.Headers[reasonHeader])}, nil
}

func encodePrivate(private *ecdsa.PrivateKey, reason string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Headers: map[string]string{reasonHeader: reason}, Bytes: der}), nil
}

// tpmKey is TPMKey of the file format of TPM 2.0 keys, as far as these need it:
// they have no policy.
type tpmKey struct {
	Type      asn1.ObjectIdentifier
	EmptyAuth bool `asn1:"optional,explicit,tag:0"`
	Parent    int64
	Public    []byte // TPM2B_PUBLIC
	Private   []byte // TPM2B_PRIVATE
}

// loadableKey is id-loadablekey.
var loadableKey = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}

// encode writes a key without a password, or a secret with one.
func (l *loadable) encode(kind asn1.ObjectIdentifier) ([]byte, error) {
	der, err := asn1.Marshal(tpmKey{
		Type: kind, EmptyAuth: kind.Equal(loadableKey), Parent: int64(l.parent), Public: tpm2.Marshal(l.inPublic), Private: tpm2.Marshal(l.inPrivate),
	})
	if err != nil {
		return nil, err
	}
	headers := map[string]string{parentHeader: hex.EncodeToString(l.parentName)}
	return pem.EncodeToMemory(&pem.Block{Type: tpmBlock, Headers: headers, Bytes: der}), nil
}

func parseLoadable(block *pem.Block, kind asn1.ObjectIdentifier) (*loadable, error) {
	var v tpmKey
	rest, err := asn1.Unmarshal(block.Bytes, &v)
	if err != nil {
		return nil, err
	}
	parent := tpm2.TPMHandle(v.Parent)
	if len(rest) > 0 || !v.Type.Equal(kind) || v.EmptyAuth != kind.Equal(loadableKey) || int64(parent) != v.Parent || parent != storageKey && parent != tpm2.TPMRHOwner {
		return nil, fmt.Errorf("it is a TPM's key of another kind")
	}
	name, err := hex.DecodeString(block.Headers[parentHeader])
	if err != nil || len(name) != nameSize {
		return nil, fmt.Errorf("it does not name the key above it")
	}
	public, err := unmarshal[tpm2.TPM2BPublic](v.Public)
	if err != nil {
		return nil, err
	}
	private, err := unmarshal[tpm2.TPM2BPrivate](v.Private)
	if err != nil {
		return nil, err
	}
	return &loadable{parent: parent, parentName: name, inPublic: *public, inPrivate: *private}, nil
}

// unmarshal reads a structure that is all of the data.
func unmarshal[T tpm2.Marshallable, P interface {
	*T
	tpm2.Unmarshallable
}](data []byte) (*T, error) {
	v, err := tpm2.Unmarshal[T, P](data)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(tpm2.Marshal(*v), data) {
		return nil, fmt.Errorf("there is more than a %T", *v)
	}
	return v, nil
}
