package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// Identity signs: a certificate chain and the private key of its first.
type Identity struct {
	// Chain is the signer's certificate, then each one's issuer; with or
	// without the root.
	Chain []*x509.Certificate
	// Signer holds the private key, or knows who does.
	Signer crypto.Signer
	// Warnings are sentences for people, such as that the certificate is about
	// to expire.
	Warnings []string

	close func() error
}

// Close ends the external signer, if there is one.
func (id *Identity) Close() error {
	if id.close == nil {
		return nil
	}
	return id.close()
}

// maxIdentityFile bounds PEM and PKCS #12 files in bytes.
const maxIdentityFile = 1 << 20

// expiresSoon is when warnings of a certificate's end begin.
const expiresSoon = 30 * 24 * time.Hour

// LoadPEM reads a certificate chain, in any order, and the private key of one
// of its certificates: PKCS #8, encrypted or not, PKCS #1 or SEC 1. The
// password is ignored if the key is not encrypted. Errors wrap ErrPassword,
// ErrKeyMismatch, ErrNotCodeSigning or ErrExpired.
func LoadPEM(certFile, keyFile, password string) (*Identity, error) {
	chain, err := readCertificates(certFile)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile, password)
	if err != nil {
		return nil, err
	}
	id, err := NewIdentity(chain, key, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	return id, nil
}

// LoadPKCS12 reads a certificate with its chain and private key from one file
// (.p12 or .pfx). Errors are those of LoadPEM.
func LoadPKCS12(file, password string) (*Identity, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, fmt.Errorf("%s: %w", file, ErrPassword)
	case err != nil:
		return nil, fmt.Errorf("reading PKCS #12 file %s: %w", file, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: a key of type %T cannot sign", file, key)
	}
	id, err := NewIdentity(append([]*x509.Certificate{leaf}, others...), signer, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return id, nil
}

func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxIdentityFile {
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", name, maxIdentityFile)
	}
	return os.ReadFile(name)
}

func readCertificates(name string) ([]*x509.Certificate, error) {
	data, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %d of %s: %w", len(chain)+1, name, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%s: no PEM certificate in it", name)
	}
	return chain, nil
}

func readKey(name, password string) (crypto.Signer, error) {
	data, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, fmt.Errorf("%s: the key is encrypted in the old way of OpenSSL; convert it: openssl pkcs8 -topk8", name)
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, fmt.Errorf("%s: the key is encrypted in the old way of OpenSSL; convert it: openssl pkcs8 -topk8", name)
			}
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			key, err = decryptKey(block.Bytes, password)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the private key in %s: %w", name, err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%s: a key of type %T cannot sign", name, key)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("%s: no PEM private key in it", name)
}

// decryptKey opens encrypted PKCS #8. The format has no check of its own, so
// that whatever goes wrong means, to all appearances, a wrong password.
func decryptKey(der []byte, password string) (any, error) {
	if password == "" {
		return nil, ErrPassword
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(der, []byte(password))
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrPassword, err)
	}
	return key, nil
}

// NewIdentity finds the key's certificate among the given ones, puts its
// issuers after it and leaves others out. It checks that the certificate may
// sign code, or installer packages, at the time now. Errors wrap ErrKeyMismatch, ErrNotCodeSigning or
// ErrExpired.
func NewIdentity(certificates []*x509.Certificate, signer crypto.Signer, now time.Time) (*Identity, error) {
	if err := checkKey(signer.Public()); err != nil {
		return nil, err
	}
	leaf := leafOf(certificates, signer.Public(), now)
	if leaf < 0 {
		return nil, ErrKeyMismatch
	}
	id := &Identity{Chain: orderChain(certificates, leaf), Signer: signer}
	c := id.Chain[0]
	if err := checkCodeSigning(c); err != nil && !isInstaller(c) {
		return nil, err
	}
	if len(id.Chain) == 1 && !isSelfSigned(c) {
		id.Warnings = append(id.Warnings, "the issuer of the signing certificate is missing: a device may not find it without a network")
	}
	switch {
	case now.Before(c.NotBefore):
		return nil, fmt.Errorf("%w: it begins on %s", ErrExpired, c.NotBefore.Format(time.DateOnly))
	case now.After(c.NotAfter):
		return nil, fmt.Errorf("%w: it ended on %s", ErrExpired, c.NotAfter.Format(time.DateOnly))
	case c.NotAfter.Sub(now) < expiresSoon:
		id.Warnings = append(id.Warnings, "the signing certificate expires on "+c.NotAfter.Format(time.DateOnly))
	}
	return id, nil
}

// leafOf finds a certificate for the key, one that is valid now if it can.
func leafOf(certificates []*x509.Certificate, key crypto.PublicKey, now time.Time) int {
	leaf := -1
	for i, c := range certificates {
		if !samePublicKey(c.PublicKey, key) {
			continue
		}
		if !now.Before(c.NotBefore) && !now.After(c.NotAfter) {
			return i
		}
		if leaf < 0 {
			leaf = i
		}
	}
	return leaf
}

// minRSA is the smallest RSA key that is not weak, in bits (NIST SP 800-131A).
const minRSA = 2048

// checkKey refuses keys that Windows does not read or that are weak.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return fmt.Errorf("%w: RSA of %d bits; use %d or more", ErrWeakKey, bits, minRSA)
		}
	case *ecdsa.PublicKey:
		if bits := k.Curve.Params().BitSize; bits < 256 {
			return fmt.Errorf("%w: ECDSA of %d bits; use P-256, P-384 or P-521", ErrWeakKey, bits)
		}
	default:
		return fmt.Errorf("a key of type %T cannot make signatures that Windows reads; use RSA or ECDSA", key)
	}
	return nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// orderChain gives the leaf, its issuer and so on, without strangers.
func orderChain(certificates []*x509.Certificate, leaf int) []*x509.Certificate {
	chain := []*x509.Certificate{certificates[leaf]}
	for {
		last := chain[len(chain)-1]
		if isSelfSigned(last) {
			return chain
		}
		issuer := issuerOf(last, certificates)
		if issuer == nil || slices.Contains(chain, issuer) { // two may certify each other
			return chain
		}
		chain = append(chain, issuer)
	}
}

func isSelfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func issuerOf(c *x509.Certificate, among []*x509.Certificate) *x509.Certificate {
	for _, candidate := range among {
		if bytes.Equal(c.RawIssuer, candidate.RawSubject) && c.CheckSignatureFrom(candidate) == nil {
			return candidate
		}
	}
	return nil
}

// checkCodeSigning demands that the certificate says code signing itself;
// Windows, too, wants the usage spelled out.
func checkCodeSigning(c *x509.Certificate) error {
	if err := checkDigitalSignature(c); err != nil {
		return err
	}
	for _, usage := range c.ExtKeyUsage {
		if usage == x509.ExtKeyUsageCodeSigning {
			return nil
		}
	}
	return fmt.Errorf("%w: its extended key usage does not say so", ErrNotCodeSigning)
}

func checkDigitalSignature(c *x509.Certificate) error {
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return fmt.Errorf("%w: its key usage lacks digital signature", ErrNotCodeSigning)
	}
	return nil
}
