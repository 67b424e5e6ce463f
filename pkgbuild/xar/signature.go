package xar

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	"golang.org/x/crypto/cryptobyte"
)

// Signature is a signature of the digest of the table of contents.
type Signature struct {
	Style        string              // RSA or CMS
	Certificates []*x509.Certificate // as the TOC has them, usually the signer's first
	// Value is the signature: of CMS one with zeros behind it.
	Value []byte

	span    span
	archive *Archive
}

// Bounds on signatures.
const (
	maxCertificates = 16
	maxCertificate  = 64 << 10 // bytes
	maxSignature    = 1 << 20  // bytes
)

func (a *Archive) readSignature(toc *etree.Element, name string) (*Signature, error) {
	list := toc.SelectElements(name)
	if len(list) == 0 {
		return nil, nil
	}
	e := list[0]
	want := map[string]string{"signature": "RSA", "x-signature": "CMS"}[name]
	if style := e.SelectAttrValue("style", ""); len(list) > 1 || style != want || a.Checksum == 0 {
		return nil, fmt.Errorf("%w: %d %ss in the style %.40q", ErrUnsupported, len(list), name, style)
	}
	s := &Signature{Style: want, archive: a}
	var err error
	if s.span, err = a.readSpan(e, "size"); err != nil {
		return nil, err
	}
	if s.span.length > maxSignature {
		return nil, malformed("a signature of %d bytes", s.span.length)
	}
	s.Value = make([]byte, s.span.length)
	if _, err := a.r.ReadAt(s.Value, a.heap+s.span.offset); err != nil {
		return nil, short(err)
	}
	for _, c := range e.FindElements("KeyInfo/X509Data/X509Certificate") {
		cert, err := readCertificate(c.Text())
		if err != nil {
			return nil, err
		}
		if s.Certificates = append(s.Certificates, cert); len(s.Certificates) > maxCertificates {
			return nil, malformed("more than %d certificates", maxCertificates)
		}
	}
	return s, nil
}

func readCertificate(text string) (*x509.Certificate, error) {
	if len(text) > 2*maxCertificate {
		return nil, malformed("a certificate of %d characters", len(text))
	}
	der, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, malformed("certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, malformed("certificate: %w", err)
	}
	return cert, nil
}

// VerifyRSA checks the RSA signature by its first or, as old tools order them,
// its last certificate. It says nothing about whether that is to be trusted.
// Errors wrap [ErrSignature].
func (s *Signature) VerifyRSA() (*x509.Certificate, error) {
	if s.Style != "RSA" || len(s.Certificates) == 0 {
		return nil, fmt.Errorf("%w: it names no certificate", ErrSignature)
	}
	var failed error
	for _, cert := range []*x509.Certificate{s.Certificates[0], s.Certificates[len(s.Certificates)-1]} {
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		if !ok {
			failed = fmt.Errorf("%w: the certificate's key is not RSA", ErrSignature)
			continue
		}
		err := rsa.VerifyPKCS1v15(key, s.archive.Checksum, s.archive.Digest, s.Value)
		if err == nil {
			return cert, nil
		}
		failed = fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil, failed
}

// DER gives the SignedData of a CMS signature without the zeros behind it; all
// of it where it is in BER, which does not tell its length beforehand.
func (s *Signature) DER() []byte {
	in := cryptobyte.String(s.Value)
	var element cryptobyte.String
	if !in.ReadAnyASN1Element(&element, nil) {
		return s.Value
	}
	return element
}
