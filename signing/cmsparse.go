package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	encoding_asn1 "encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// maxSignature bounds a SignedData in bytes, whatever its content.
	maxSignature = 1 << 20
	// maxCertificates bounds those embedded in one.
	maxCertificates = 32
	// maxAttributes bounds the attributes of one signer.
	maxAttributes = 32
)

// signedData is a parsed SignedData with exactly one signer, which is all
// that Authenticode, timestamps and our manifests have.
type signedData struct {
	version     int64
	contentType encoding_asn1.ObjectIdentifier
	// content is the value of the element in encapContentInfo; nil if detached.
	content    []byte
	contentTag asn1.Tag
	// sorted tells whether both SETs are in the order of DER.
	sorted       bool
	certificates []*x509.Certificate
	signer       *x509.Certificate
	hash         crypto.Hash
	value        []byte
	signed       map[string]cryptobyte.String // values by dotted OID
	signedSet    []byte
	unsigned     map[string]cryptobyte.String
	// plainRSA tells that the signature algorithm says rsaEncryption or that
	// the key is not RSA.
	plainRSA bool
	// attributeCertificates tells that there are certificates of a kind nobody
	// uses, which we pass over.
	attributeCertificates bool
}

func malformed(what string) error {
	return fmt.Errorf("%w: malformed %s", ErrBadSignature, what)
}

// parseSignedData reads a ContentInfo in DER, strictly: every byte of it has
// a meaning that somebody checks, so that none can change unnoticed.
func parseSignedData(der []byte) (*signedData, error) {
	if len(der) > maxSignature {
		return nil, fmt.Errorf("%w: %d bytes long, at most %d are expected", ErrBadSignature, len(der), maxSignature)
	}
	var info, explicit, data cryptobyte.String
	var oid encoding_asn1.ObjectIdentifier
	in := cryptobyte.String(der)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) ||
		!info.ReadASN1(&explicit, explicit0) || !info.Empty() || !explicit.ReadASN1(&data, asn1.SEQUENCE) || !explicit.Empty() {
		return nil, malformed("PKCS #7 envelope")
	}
	s := new(signedData)
	var algorithms, encap, certificates, signers, signer cryptobyte.String
	var digest encoding_asn1.ObjectIdentifier
	var hasCertificates bool
	if !data.ReadASN1Integer(&s.version) || !data.ReadASN1(&algorithms, asn1.SET) ||
		!readAlgorithm(&algorithms, &digest) || !algorithms.Empty() || !data.ReadASN1(&encap, asn1.SEQUENCE) {
		return nil, malformed("SignedData")
	}
	if err := s.parseContent(encap); err != nil {
		return nil, err
	}
	if !data.ReadOptionalASN1(&certificates, &hasCertificates, explicit0) || !data.ReadASN1(&signers, asn1.SET) || !data.Empty() ||
		!signers.ReadASN1(&signer, asn1.SEQUENCE) || !signers.Empty() {
		return nil, malformed("SignedData")
	}
	if err := s.parseCertificates(certificates); err != nil {
		return nil, err
	}
	var err error
	if s.hash, err = hashOf(digest); err != nil {
		return nil, err
	}
	return s, s.parseSigner(signer)
}

func (s *signedData) parseContent(encap cryptobyte.String) error {
	if !encap.ReadASN1ObjectIdentifier(&s.contentType) {
		return malformed("content")
	}
	if encap.Empty() {
		return nil
	}
	var explicit, value cryptobyte.String
	if !encap.ReadASN1(&explicit, explicit0) || !encap.Empty() || !explicit.ReadAnyASN1(&value, &s.contentTag) || !explicit.Empty() {
		return malformed("content")
	}
	s.content = append([]byte{}, value...)
	return nil
}

func (s *signedData) parseCertificates(set cryptobyte.String) error {
	s.sorted = true
	var last []byte
	for !set.Empty() {
		var raw cryptobyte.String
		// RFC 5652 §10.2.2: [1] is an old attribute certificate, which
		// Microsoft's authorities put into their timestamps.
		if set.PeekASN1Tag(explicit1) {
			s.attributeCertificates = true
			if !set.SkipASN1(explicit1) {
				return malformed("certificates")
			}
			continue
		}
		if !set.ReadASN1Element(&raw, asn1.SEQUENCE) {
			return malformed("certificates")
		}
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return fmt.Errorf("%w: embedded certificate: %w", ErrBadSignature, err)
		}
		if s.certificates = append(s.certificates, c); len(s.certificates) > maxCertificates {
			return fmt.Errorf("%w: more than %d certificates", ErrBadSignature, maxCertificates)
		}
		s.sorted = s.sorted && bytes.Compare(last, raw) < 0
		last = raw
	}
	return nil
}

// parseSigner reads the SignerInfo and finds the signer's certificate.
func (s *signedData) parseSigner(info cryptobyte.String) error {
	var version int64
	var sid, signed, value, unsigned cryptobyte.String
	var digest, algorithm encoding_asn1.ObjectIdentifier
	var hasUnsigned bool
	if !info.ReadASN1Integer(&version) || version != 1 || !info.ReadASN1(&sid, asn1.SEQUENCE) || !readAlgorithm(&info, &digest) ||
		!info.ReadASN1(&signed, explicit0) || !readAlgorithm(&info, &algorithm) || !info.ReadASN1(&value, asn1.OCTET_STRING) ||
		!info.ReadOptionalASN1(&unsigned, &hasUnsigned, explicit1) || !info.Empty() || hasUnsigned && unsigned.Empty() {
		return malformed("signer")
	}
	for _, c := range s.certificates {
		id := build(func(b *cryptobyte.Builder) {
			b.AddBytes(c.RawIssuer)
			b.AddASN1BigInt(c.SerialNumber)
		})
		if bytes.Equal(id, sid) {
			s.signer = c
		}
	}
	if s.signer == nil {
		return fmt.Errorf("%w: the signer's certificate is not embedded", ErrBadSignature)
	}
	hash, err := hashOf(digest)
	if err != nil {
		return err
	}
	if hash != s.hash || !s.algorithmFits(algorithm) {
		return fmt.Errorf("%w: its algorithms contradict each other", ErrBadSignature)
	}
	s.value, s.signedSet = value, signedSet(signed)
	if s.signed, err = s.parseAttributes(signed); err != nil {
		return err
	}
	s.unsigned, err = s.parseAttributes(unsigned)
	return err
}

// algorithmFits compares the signature algorithm with key and digest. CMS
// lets RSA be named with and without the digest.
func (s *signedData) algorithmFits(oid encoding_asn1.ObjectIdentifier) bool {
	s.plainRSA = s.signer.PublicKeyAlgorithm != x509.RSA || oid.Equal(oidRSA)
	withDigest := map[crypto.Hash][2]encoding_asn1.ObjectIdentifier{
		crypto.SHA1:   {oidSHA1RSA, oidECDSASHA1},
		crypto.SHA256: {oidSHA256RSA, oidECDSASHA256},
		crypto.SHA384: {oidSHA384RSA, oidECDSASHA384},
		crypto.SHA512: {oidSHA512RSA, oidECDSASHA512},
	}[s.hash]
	switch s.signer.PublicKeyAlgorithm {
	case x509.RSA:
		return oid.Equal(oidRSA) || oid.Equal(withDigest[0])
	case x509.ECDSA:
		return oid.Equal(withDigest[1])
	}
	return false
}

// parseAttributes reads attributes of one value each, none twice.
func (s *signedData) parseAttributes(set cryptobyte.String) (map[string]cryptobyte.String, error) {
	values := map[string]cryptobyte.String{}
	var last []byte
	for !set.Empty() {
		var element, attribute, value, single cryptobyte.String
		var oid encoding_asn1.ObjectIdentifier
		var tag asn1.Tag
		if !set.ReadASN1Element(&element, asn1.SEQUENCE) {
			return nil, malformed("attributes")
		}
		s.sorted = s.sorted && bytes.Compare(last, element) < 0
		last = element
		if !element.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) ||
			!attribute.ReadASN1(&value, asn1.SET) || !attribute.Empty() {
			return nil, malformed("attributes")
		}
		rest := value
		if !rest.ReadAnyASN1Element(&single, &tag) || !rest.Empty() {
			return nil, fmt.Errorf("%w: attribute %v has not one value", ErrBadSignature, oid)
		}
		if _, twice := values[oid.String()]; twice || len(values) == maxAttributes {
			return nil, malformed("attributes")
		}
		values[oid.String()] = value
	}
	return values, nil
}

// verify checks that the signer signed content with this digest. It does not
// look at the certificate.
func (s *signedData) verify(contentType encoding_asn1.ObjectIdentifier, digest []byte) error {
	var claimed encoding_asn1.ObjectIdentifier
	var claimedDigest cryptobyte.String
	attribute := s.signed[oidContentType.String()]
	if !attribute.ReadASN1ObjectIdentifier(&claimed) || !claimed.Equal(contentType) || !s.contentType.Equal(contentType) {
		return fmt.Errorf("%w: it is for another type of content", ErrBadSignature)
	}
	attribute = s.signed[oidMessageDigest.String()]
	if !attribute.ReadASN1(&claimedDigest, asn1.OCTET_STRING) {
		return malformed("attributes")
	}
	if !bytes.Equal(claimedDigest, digest) {
		return fmt.Errorf("%w: the content was changed after it was signed", ErrBadSignature)
	}
	if err := notWeak(s.hash); err != nil {
		return err
	}
	algorithm, err := algorithmOf(s.signer, s.hash)
	if err != nil {
		return err
	}
	if err := s.signer.CheckSignature(algorithm, s.signedSet, s.value); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return nil
}

// signingTime is what the signer claims; zero if nothing.
func (s *signedData) signingTime() (t time.Time, err error) {
	attribute, ok := s.signed[oidSigningTime.String()]
	if !ok {
		return time.Time{}, nil
	}
	if attribute.PeekASN1Tag(asn1.UTCTime) {
		ok = attribute.ReadASN1UTCTime(&t)
	} else {
		ok = attribute.ReadASN1GeneralizedTime(&t)
	}
	if !ok {
		return time.Time{}, malformed("signing time")
	}
	return t, nil
}
