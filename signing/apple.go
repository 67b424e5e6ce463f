package signing

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	encoding_asn1 "encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrCertificateType: the certificate is Apple's, for signing something else.
var ErrCertificateType = errors.New("certificate of the wrong type")

//go:embed apple.pem
var applePEM []byte

// appleCertificates are Apple's root, then the authorities of Developer IDs.
var appleCertificates = sync.OnceValue(func() []*x509.Certificate {
	var list []*x509.Certificate
	for block, rest := pem.Decode(applePEM); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			panic(err) // of a constant
		}
		list = append(list, c)
	}
	return list
})

// AppleRoot gives a pool of Apple's root, to which Developer IDs lead, and the
// timestamps of Apple's authority.
func AppleRoot() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(appleCertificates()[0])
	return pool
}

// Marks of Apple's certificates (formats/macos-pkg.md §4).
var (
	oidAppleExtensions        = encoding_asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6}
	oidAppleLeaf              = encoding_asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 1}
	oidInstallerPackage       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 4, 13} // extended key usage
	oidAppleCDHashes          = encoding_asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 9, 1}
	oidAppleCDHashesWithTypes = encoding_asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 9, 2}
)

// isBelow tells whether an object identifier begins with another.
func isBelow(oid, above encoding_asn1.ObjectIdentifier) bool {
	return len(oid) > len(above) && oid[:len(above)].Equal(above)
}

// isApples tells whether Apple certified the leaf for developers.
func isApples(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if isBelow(e.Id, oidAppleLeaf) {
			return true
		}
	}
	return false
}

// use is what a certificate must be for.
type use struct {
	extended x509.ExtKeyUsage
	check    func(*x509.Certificate) error
}

var (
	forCode      = use{x509.ExtKeyUsageCodeSigning, checkCodeSigning}
	forInstaller = use{x509.ExtKeyUsageAny, checkInstaller}
)

// checkInstaller demands a certificate for installer packages. One that is not
// Apple's must be for code signing.
func checkInstaller(c *x509.Certificate) error {
	if isInstaller(c) {
		return checkDigitalSignature(c)
	}
	if isApples(c) {
		return fmt.Errorf("%w: %s signs programs; packages need a Developer ID Installer", ErrCertificateType, c.Subject.CommonName)
	}
	return checkCodeSigning(c)
}

func isInstaller(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.UnknownExtKeyUsage, oidInstallerPackage.Equal)
}

// completeChain adds the issuers that are missing and known: macOS wants all
// of them in a signature, the root included (formats/macos-pkg.md §4).
func completeChain(chain []*x509.Certificate) []*x509.Certificate {
	known := appleCertificates()
	chain = slices.Clone(chain)
	for last := chain[len(chain)-1]; !isSelfSigned(last); last = chain[len(chain)-1] {
		i := slices.IndexFunc(known, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, known[i])
	}
	return chain
}

// withoutAppleMarks gives a copy of the certificate whose critical extensions
// of Apple's, which package x509 does not know, count as understood: we look at
// them ourselves.
func withoutAppleMarks(c *x509.Certificate) *x509.Certificate {
	if len(c.UnhandledCriticalExtensions) == 0 {
		return c
	}
	copied := *c
	copied.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions),
		func(oid encoding_asn1.ObjectIdentifier) bool { return isBelow(oid, oidAppleExtensions) })
	return &copied
}
