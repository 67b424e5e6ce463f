package signing

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // older authorities name their certificate by it, which protects nothing by itself
	"crypto/x509"
	encoding_asn1 "encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// verifyToken checks a timestamp token over the value of a signature: form,
// imprint, nonce (unless nil) and signature. Whether its signer may stamp time
// is for checkTimestamping, the chain for verifyChain.
func verifyToken(token, value []byte, nonce *big.Int) (*Timestamp, error) {
	s, err := parseSignedData(token)
	if err != nil {
		return nil, err
	}
	// RFC 5652 §5.1: version 3, as the content is not plain data.
	if s.version != 3 || s.contentTag != asn1.OCTET_STRING || s.content == nil {
		return nil, malformed("timestamp")
	}
	if err := s.verify(oidTSTInfo, digestOf(s.hash, s.content)); err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	if len(s.unsigned) > 0 {
		return nil, fmt.Errorf("%w: timestamp with attributes nobody signed", ErrBadSignature)
	}
	if err := s.checkSigningCertificate(); err != nil {
		return nil, err
	}
	info, err := parseTSTInfo(s.content)
	if err != nil {
		return nil, err
	}
	hash, err := hashOf(info.algorithm)
	if err != nil {
		return nil, err
	}
	if err := notWeak(hash); err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	if nonce != nil && hash != crypto.SHA256 || !bytes.Equal(info.imprint, digestOf(hash, value)) {
		return nil, fmt.Errorf("%w: the timestamp is for another signature", ErrBadSignature)
	}
	switch {
	case nonce == nil:
	case info.nonce == nil:
		return nil, fmt.Errorf("%w: timestamp without the nonce we sent", ErrBadSignature)
	case info.nonce.Cmp(nonce) != 0:
		return nil, fmt.Errorf("%w: timestamp with another nonce than we sent", ErrBadSignature)
	}
	if info.time.Before(s.signer.NotBefore) || info.time.After(s.signer.NotAfter) {
		return nil, fmt.Errorf("%w: the timestamp's certificate was not valid at %s", ErrBadSignature, info.time.Format(time.RFC3339))
	}
	t := &Timestamp{Time: info.time, Authority: s.signer, embedded: s.certificates}
	if s.attributeCertificates {
		t.warnings = []string{"the timestamp carries attribute certificates, which nobody checks"}
	}
	return t, nil
}

// tstInfo is a TSTInfo (RFC 3161 §2.4.2), as far as it matters.
type tstInfo struct {
	algorithm encoding_asn1.ObjectIdentifier
	imprint   []byte
	time      time.Time
	nonce     *big.Int // nil if absent
}

func parseTSTInfo(der []byte) (*tstInfo, error) {
	var body, imprint, digest cryptobyte.String
	var policy encoding_asn1.ObjectIdentifier
	var version int64
	serial, info := new(big.Int), new(tstInfo)
	in := cryptobyte.String(der)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Integer(&version) || version != 1 ||
		!body.ReadASN1ObjectIdentifier(&policy) || !body.ReadASN1(&imprint, asn1.SEQUENCE) ||
		!readAlgorithm(&imprint, &info.algorithm) || !imprint.ReadASN1(&digest, asn1.OCTET_STRING) || !imprint.Empty() ||
		!body.ReadASN1Integer(serial) || !readGeneralizedTime(&body, &info.time) {
		return nil, malformed("timestamp")
	}
	info.imprint = digest
	// accuracy and ordering, both optional; then the nonce.
	if !body.SkipOptionalASN1(asn1.SEQUENCE) || !body.SkipOptionalASN1(asn1.BOOLEAN) {
		return nil, malformed("timestamp")
	}
	if body.PeekASN1Tag(asn1.INTEGER) {
		info.nonce = new(big.Int)
		if !body.ReadASN1Integer(info.nonce) {
			return nil, malformed("timestamp")
		}
	}
	if !body.SkipOptionalASN1(explicit0) || !readExtensions(&body) || !body.Empty() { // tsa, extensions
		return nil, malformed("timestamp")
	}
	return info, nil
}

// readExtensions passes over extensions, of which none may be critical: we
// know none.
func readExtensions(body *cryptobyte.String) bool {
	var list cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&list, &present, explicit1) {
		return false
	}
	for !list.Empty() {
		var extension, value cryptobyte.String
		var oid encoding_asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&extension, asn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			extension.PeekASN1Tag(asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) || critical ||
			!extension.ReadASN1(&value, asn1.OCTET_STRING) || !extension.Empty() {
			return false
		}
	}
	return true
}

// readGeneralizedTime reads a time that, other than cryptobyte expects, may
// have fractions of a second (RFC 3161 §2.4.2).
func readGeneralizedTime(s *cryptobyte.String, t *time.Time) bool {
	var text cryptobyte.String
	if !s.ReadASN1(&text, asn1.GeneralizedTime) || len(text) > 32 {
		return false
	}
	parsed, err := time.Parse("20060102150405.999999999Z", string(text))
	*t = parsed.UTC()
	return err == nil
}

// checkSigningCertificate compares the certificate with the one that the
// signed attributes name (RFC 5816 §2.2.1), lest another one with the same key
// be put in its place.
func (s *signedData) checkSigningCertificate() error {
	attribute, hash := s.signed[oidSigningCertV2.String()], crypto.SHA256
	v2 := attribute != nil
	if !v2 {
		attribute, hash = s.signed[oidSigningCert.String()], crypto.SHA1
	}
	var outer, list, id, digest cryptobyte.String
	if !attribute.ReadASN1(&outer, asn1.SEQUENCE) || !outer.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1(&id, asn1.SEQUENCE) {
		return fmt.Errorf("%w: the timestamp does not name its certificate", ErrBadSignature)
	}
	if v2 && id.PeekASN1Tag(asn1.SEQUENCE) {
		var oid encoding_asn1.ObjectIdentifier
		if !readAlgorithm(&id, &oid) {
			return malformed("timestamp")
		}
		var err error
		if hash, err = hashOf(oid); err != nil {
			return err
		}
	}
	if !id.ReadASN1(&digest, asn1.OCTET_STRING) {
		return malformed("timestamp")
	}
	want := digestOf(hash, s.signer.Raw)
	if !bytes.Equal(digest, want) {
		return fmt.Errorf("%w: the timestamp names another certificate", ErrBadSignature)
	}
	return nil
}

// errNoAuthority is a fault that nothing excuses: anybody's certificate could
// make signatures look older than they are.
var errNoAuthority = fmt.Errorf("%w: no timestamp authority", ErrBadSignature)

// checkTimestamping demands the one critical usage of RFC 3161 §2.3, which
// Microsoft's authorities did not make critical for years.
func checkTimestamping(c *x509.Certificate) error {
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) {
		return fmt.Errorf("%w: the timestamp's certificate is not for timestamping", errNoAuthority)
	}
	for _, extension := range c.Extensions {
		if extension.Id.Equal(oidExtendedKeyUsage) && extension.Critical && len(c.ExtKeyUsage) == 1 &&
			c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping && len(c.UnknownExtKeyUsage) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: the timestamp's certificate is not for timestamping alone", ErrBadSignature)
}

// verifyChain checks that the authority's certificate led to a trusted root
// when it stamped, and notes it.
func (t *Timestamp) verifyChain(roots *x509.CertPool) ([]*x509.Certificate, error) {
	chain, err := verifyChain(t.Authority, t.embedded, roots, x509.ExtKeyUsageTimeStamping, t.Time)
	t.Trusted = err == nil
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	return chain, nil
}
