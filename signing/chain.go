package signing

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	encoding_asn1 "encoding/asn1"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// verifyChain leads a certificate to a root, at a time and for a use. Errors
// wrap ErrUntrusted, ErrExpired or ErrNotCodeSigning.
func verifyChain(leaf *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, at time.Time) ([]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, c := range others {
		intermediates.AddCert(withoutAppleMarks(c))
	}
	leaf = withoutAppleMarks(leaf)
	opts := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}}
	chains, err := leaf.Verify(opts)
	if err == nil {
		return chains[0], nil
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch invalid.Reason {
		case x509.Expired:
			// Who is late may be a stranger, too.
			opts.CurrentTime = leaf.NotAfter
			if _, err := leaf.Verify(opts); errors.As(err, new(x509.UnknownAuthorityError)) {
				return nil, fmt.Errorf("%w, %s to %s; %w", ErrExpired, leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly), ErrUntrusted)
			}
			return nil, fmt.Errorf("%w: %w", ErrExpired, err)
		case x509.IncompatibleUsage:
			return nil, fmt.Errorf("%w: %w", ErrNotCodeSigning, err)
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
}

// report judges a parsed Authenticode or CMS signature over content with this
// digest, and completes the report. It gives back nil instead if the signature
// itself is bad.
func (s *signedData) report(r *Report, digest func(crypto.Hash) ([]byte, error), use use, opts VerifyOptions) (*Report, error) {
	if s.version != 1 || s.attributeCertificates {
		return nil, malformed("SignedData")
	}
	if !s.plainRSA {
		// Nothing signs how the algorithm is named, so it must not vary.
		if err := opts.tolerate(r, fmt.Errorf("%w: it names RSA together with the digest", ErrBadSignature)); err != nil {
			return nil, err
		}
	}
	d, err := digest(s.hash)
	if err != nil {
		return nil, err
	}
	if err := s.verify(s.contentType, d); err != nil {
		return nil, err
	}
	r.Signer, r.Embedded = s.signer, s.certificates
	if r.SigningTime, err = s.signingTime(); err != nil {
		return nil, err
	}
	if r.Description, r.URL, err = s.opusInfo(); err != nil {
		return nil, err
	}
	if !s.sorted {
		r.warn("the signature's sets are not in the order of DER; some verifiers refuse it")
	}
	if err := opts.tolerate(r, checkKey(s.signer.PublicKey)); err != nil {
		return nil, err
	}
	at := opts.now()
	if r.Timestamp, err = s.timestamp(r, opts); err != nil {
		return nil, err
	}
	var untrusted error
	if t := r.Timestamp; t != nil {
		r.Warnings = append(r.Warnings, t.warnings...)
		var chain []*x509.Certificate
		if chain, untrusted = t.verifyChain(opts.TimestampRoots); untrusted == nil {
			at = t.Time
		}
		if err := checkEmbedded(t.Authority, t.embedded, chain, opts.TimestampRoots, t.Time); err != nil && !opts.Foreign {
			return nil, err
		}
	}
	var doubt error
	r.Chain, doubt = verifyChain(s.signer, s.certificates, opts.Roots, use.extended, at)
	if err := checkEmbedded(s.signer, s.certificates, r.Chain, opts.Roots, at); err != nil && !opts.Foreign {
		return nil, err
	}
	switch {
	case doubt != nil && untrusted != nil:
		return r, fmt.Errorf("%w; %w", doubt, untrusted)
	case doubt != nil:
		return r, doubt
	}
	if err := use.check(s.signer); err != nil {
		return r, err
	}
	return r, untrusted
}

// timestamp finds and verifies the timestamp over the signature's value, the
// only thing that may be there unsigned. It is nil if there is none.
func (s *signedData) timestamp(r *Report, opts VerifyOptions) (*Timestamp, error) {
	kind := oidTimestampToken
	if s.contentType.Equal(oidCTL) || s.contentType.Equal(oidIndirectData) {
		kind = oidMicrosoftRFC3161
	}
	if err := opts.tolerate(r, s.checkUnsigned(kind)); err != nil {
		return nil, err
	}
	token, ok := s.unsigned[kind.String()]
	if !ok {
		return nil, nil
	}
	t, err := verifyToken(token, s.value, nil)
	if err != nil {
		return nil, opts.tolerate(r, err)
	}
	err = checkTimestamping(t.Authority)
	if errors.Is(err, errNoAuthority) {
		return nil, err
	}
	return t, opts.tolerate(r, err)
}

// checkUnsigned names what is there unsigned besides a timestamp.
func (s *signedData) checkUnsigned(timestamp encoding_asn1.ObjectIdentifier) error {
	var others []string
	for _, oid := range slices.Sorted(maps.Keys(s.unsigned)) {
		switch oid {
		case timestamp.String():
		case oidNestedSignature.String():
			others = append(others, "a second signature")
		case oidCounterSignature.String():
			others = append(others, "an old-style timestamp")
		default:
			others = append(others, "attribute "+oid)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return fmt.Errorf("%w: not looked at: %s", ErrBadSignature, strings.Join(others, ", "))
}

// checkEmbedded demands that each certificate is vouched for, by another one
// or by a root: what nobody signed could be anything. There are two exceptions.
// Without a verified chain, the end of the signer's own: trust fails there.
// With one, another certificate for a key in it, as authorities send to those
// who do not know their new root yet.
func checkEmbedded(signer *x509.Certificate, embedded, chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	path := orderChain(embedded, slices.Index(embedded, signer))
	for _, c := range embedded {
		if isSelfSigned(c) {
			if err := checkOwnSignature(c); err != nil {
				return fmt.Errorf("%w: embedded root certificate: %w", ErrBadSignature, err)
			}
			continue
		}
		if issuerOf(c, embedded) != nil || chain == nil && c == path[len(path)-1] && !hasIssuer(c, embedded) || isCross(c, chain) {
			continue
		}
		if _, err := verifyChain(c, embedded, roots, x509.ExtKeyUsageAny, at); err != nil {
			return fmt.Errorf("%w: embedded certificate of %s: %s", ErrBadSignature, c.Subject, err.Error()) // trust is not what is wrong
		}
	}
	return nil
}

// checkOwnSignature verifies a root's signature, SHA-1 included: old roots have
// it, and trust never rests on it.
func checkOwnSignature(c *x509.Certificate) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if ok && c.SignatureAlgorithm == x509.SHA1WithRSA {
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, digestOf(crypto.SHA1, c.RawTBSCertificate), c.Signature)
	}
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

// isCross tells whether c certifies anew what a certificate of the chain
// certifies. An altered copy of that one, with its serial number, does not.
func isCross(c *x509.Certificate, chain []*x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(other *x509.Certificate) bool {
		return bytes.Equal(c.RawSubject, other.RawSubject) && samePublicKey(c.PublicKey, other.PublicKey) &&
			!bytes.Equal(c.RawIssuer, other.RawIssuer) && c.SerialNumber.Cmp(other.SerialNumber) != 0
	})
}

// hasIssuer tells whether a certificate's issuer is there by name.
func hasIssuer(c *x509.Certificate, among []*x509.Certificate) bool {
	return slices.ContainsFunc(among, func(other *x509.Certificate) bool {
		return bytes.Equal(c.RawIssuer, other.RawSubject)
	})
}
