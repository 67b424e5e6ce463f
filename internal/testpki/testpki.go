// Package testpki makes the throw-away certificates and the timestamp
// authority that the tests of every room share. Nothing in it is fit for
// anything but tests.
package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// Entity is a certificate with its key and those above it.
type Entity struct {
	// Chain has the certificate first and the root last.
	Chain []*x509.Certificate
	Key   crypto.Signer
}

// Certificate is the entity's own.
func (e *Entity) Certificate() *x509.Certificate { return e.Chain[0] }

// PKI is a root, an intermediate and what they certify.
type PKI struct {
	Root, Intermediate *Entity
	// Code-signing certificates that are in order.
	CodeRSA, CodeEC *Entity
	// NoEKU says nothing of its use, Server is for TLS servers only.
	NoEKU, Server *Entity
	// Expired was for code signing until yesterday; Expiring is until next week.
	Expired, Expiring *Entity
	// TSA is for timestamping, directly below the root.
	TSA *Entity
}

// New gives the PKI of this test process, made on the first call.
func New(tb testing.TB) *PKI {
	tb.Helper()
	pki, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return pki
}

var shared = sync.OnceValues(func() (*PKI, error) {
	now := time.Now()
	year := 365 * 24 * time.Hour
	from, to := now.Add(-year), now.Add(year)
	var pki PKI
	for _, e := range []struct {
		entity   **Entity
		issuer   **Entity
		name     string
		rsa      bool
		usages   []x509.ExtKeyUsage
		from, to time.Time
	}{
		{&pki.Root, nil, "Test Root", true, nil, now.Add(-5 * year), now.Add(5 * year)},
		{&pki.Intermediate, &pki.Root, "Test Intermediate", true, nil, now.Add(-5 * year), now.Add(4 * year)},
		{&pki.CodeRSA, &pki.Intermediate, "Test Code Signing RSA", true, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, from, to},
		{&pki.CodeEC, &pki.Intermediate, "Test Code Signing EC", false, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, from, to},
		{&pki.NoEKU, &pki.Intermediate, "Test No Usage", false, nil, from, to},
		{&pki.Server, &pki.Intermediate, "Test Server", false, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, from, to},
		{&pki.Expired, &pki.Intermediate, "Test Expired", false, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, from, now.Add(-24 * time.Hour)},
		{&pki.Expiring, &pki.Intermediate, "Test Expiring", false, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, from, now.Add(7 * 24 * time.Hour)},
		{&pki.TSA, &pki.Root, "Test Timestamp Authority", true, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, from, to},
	} {
		var issuer *Entity
		if e.issuer != nil {
			issuer = *e.issuer
		}
		template := &x509.Certificate{
			Subject:   pkix.Name{CommonName: e.name, Organization: []string{"Firstday Tests"}},
			NotBefore: e.from, NotAfter: e.to,
		}
		if e.entity == &pki.Root || e.entity == &pki.Intermediate {
			template.IsCA, template.BasicConstraintsValid = true, true
			template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		} else {
			template.KeyUsage = x509.KeyUsageDigitalSignature
			if err := addUsages(template, e.usages); err != nil {
				return nil, err
			}
		}
		var err error
		if *e.entity, err = Issue(template, issuer, e.rsa); err != nil {
			return nil, err
		}
	}
	return &pki, nil
})

// addUsages adds extended key usages, critically for timestamping, as
// RFC 3161 demands.
func addUsages(template *x509.Certificate, usages []x509.ExtKeyUsage) error {
	if len(usages) == 1 && usages[0] == x509.ExtKeyUsageTimeStamping {
		value, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
		if err != nil {
			return err
		}
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: value}}
		return nil
	}
	template.ExtKeyUsage = usages
	return nil
}

// Issue certifies a fresh key, RSA 2048 or else P-256; without an issuer the
// certificate signs itself.
func Issue(template *x509.Certificate, issuer *Entity, useRSA bool) (*Entity, error) {
	e := new(Entity)
	var err error
	if useRSA {
		e.Key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		e.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	parent, signer := template, e.Key
	if issuer != nil {
		parent, signer = issuer.Certificate(), issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, e.Key.Public(), signer)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	e.Chain = []*x509.Certificate{certificate}
	if issuer != nil {
		e.Chain = append(e.Chain, issuer.Chain...)
	}
	return e, nil
}

// Roots is a pool with the root alone.
func (pki *PKI) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(pki.Root.Certificate())
	return pool
}

// RootFile is a PEM file with the root, for the outside judges.
func (pki *PKI) RootFile(tb testing.TB) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "root.pem")
	write(tb, name, certificatesPEM(pki.Root.Chain))
	return name
}

// WritePEM writes the chain and the key into PEM files. With a password the
// key is encrypted PKCS #8.
func (e *Entity) WritePEM(tb testing.TB, password string) (certFile, keyFile string) {
	tb.Helper()
	dir := tb.TempDir()
	certFile, keyFile = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	kind, secret := "PRIVATE KEY", []byte(nil)
	if password != "" {
		kind, secret = "ENCRYPTED PRIVATE KEY", []byte(password)
	}
	der, err := pkcs8.MarshalPrivateKey(e.Key, secret, nil)
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, certFile, certificatesPEM(e.Chain))
	write(tb, keyFile, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	return certFile, keyFile
}

// WritePKCS12 writes key and chain into one file.
func (e *Entity) WritePKCS12(tb testing.TB, password string) string {
	tb.Helper()
	der, err := pkcs12.Modern.Encode(e.Key, e.Chain[0], e.Chain[1:], password)
	if err != nil {
		tb.Fatal(err)
	}
	name := filepath.Join(tb.TempDir(), "identity.p12")
	write(tb, name, der)
	return name
}

func certificatesPEM(chain []*x509.Certificate) []byte {
	var out []byte
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func write(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}
