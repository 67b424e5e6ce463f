package testpki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"sync"
	"testing"
	"time"
)

// Developers are certificates with the marks that Apple gives those of
// developers, below a root of our own (formats/macos-pkg.md §4).
type Developers struct {
	Authority *Entity
	// Application signs programs, Installer packages.
	Application, Installer *Entity
}

// TeamID is that of the developers.
const TeamID = "9TEAM12345"

// NewDevelopers gives the developers of this test process, below the PKI's
// root, made on the first call.
func (pki *PKI) NewDevelopers(tb testing.TB) *Developers {
	tb.Helper()
	d, err := developers()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// apple is an object identifier below Apple's.
func apple(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113635, 100}, arcs...)
}

var developers = sync.OnceValues(func() (*Developers, error) {
	pki, err := shared()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	d := new(Developers)
	authority := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Developer ID Certification Authority", OrganizationalUnit: []string{"Test"}, Organization: []string{"Firstday Tests"}},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(4, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtraExtensions: []pkix.Extension{mark(apple(6, 2, 6), false)},
	}
	if d.Authority, err = Issue(authority, pki.Root, true); err != nil {
		return nil, err
	}
	developer := func(name string, m asn1.ObjectIdentifier, usage asn1.ObjectIdentifier) (*Entity, error) {
		usages, err := asn1.Marshal([]asn1.ObjectIdentifier{usage})
		if err != nil {
			return nil, err
		}
		return Issue(&x509.Certificate{
			Subject:   pkix.Name{CommonName: name + ": Firstday Tests (" + TeamID + ")", OrganizationalUnit: []string{TeamID}, Organization: []string{"Firstday Tests"}},
			NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtraExtensions: []pkix.Extension{mark(m, true), {Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usages}},
		}, d.Authority, true)
	}
	if d.Application, err = developer("Developer ID Application", apple(6, 1, 13), asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}); err != nil {
		return nil, err
	}
	d.Installer, err = developer("Developer ID Installer", apple(6, 1, 14), apple(4, 13))
	return d, err
})

// mark is an extension that says something by being there.
func mark(oid asn1.ObjectIdentifier, critical bool) pkix.Extension {
	return pkix.Extension{Id: oid, Critical: critical, Value: asn1.NullBytes}
}
