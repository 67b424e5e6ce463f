package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// verifyChain leads a certificate to a root, at a time and for a use. Errors
// wrap ErrUntrusted, ErrExpired or ErrNotCodeSigning.
func verifyChain(leaf *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, at time.Time) ([]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, c := range others {
		intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err == nil {
		return chains[0], nil
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch invalid.Reason {
		case x509.Expired:
			return nil, fmt.Errorf("%w: %w", ErrExpired, err)
		case x509.IncompatibleUsage:
			return nil, fmt.Errorf("%w: %w", ErrNotCodeSigning, err)
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
}

// report judges a parsed Authenticode or CMS signature over content with this
// digest. The report is nil if the signature itself is bad.
func (s *signedData) report(digest func(crypto.Hash) ([]byte, error), opts VerifyOptions) (*Report, error) {
	if s.version != 1 || !s.plainRSA {
		// Both are how everybody writes it. Nothing signs these bytes, so they
		// must not vary.
		return nil, malformed("SignedData")
	}
	d, err := digest(s.hash)
	if err != nil {
		return nil, err
	}
	if err := s.verify(s.contentType, d); err != nil {
		return nil, err
	}
	r := &Report{Signer: s.signer, Embedded: s.certificates}
	if r.SigningTime, err = s.signingTime(); err != nil {
		return nil, err
	}
	if r.Description, r.URL, err = s.opusInfo(); err != nil {
		return nil, err
	}
	if !s.sorted {
		r.warn("the signature's sets are not in the order of DER; some verifiers refuse it")
	}
	at := opts.now()
	if r.Timestamp, err = s.timestamp(); err != nil {
		return nil, err
	}
	var untrusted error
	if t := r.Timestamp; t != nil {
		var chain []*x509.Certificate
		if chain, untrusted = t.verifyChain(opts.TimestampRoots); untrusted == nil {
			at = t.Time
		}
		if err := checkEmbedded(t.Authority, t.embedded, chain, opts.TimestampRoots, t.Time); err != nil {
			return nil, err
		}
	}
	var doubt error
	r.Chain, doubt = verifyChain(s.signer, s.certificates, opts.Roots, x509.ExtKeyUsageCodeSigning, at)
	if err := checkEmbedded(s.signer, s.certificates, r.Chain, opts.Roots, at); err != nil {
		return nil, err
	}
	if doubt != nil {
		return r, doubt
	}
	if err := checkCodeSigning(s.signer); err != nil {
		return r, err
	}
	return r, untrusted
}

// timestamp finds and verifies the timestamp over the signature's value, the
// only thing that may be there unsigned.
func (s *signedData) timestamp() (*Timestamp, error) {
	kind := oidTimestampToken
	if s.contentType.Equal(oidCTL) || s.contentType.Equal(oidIndirectData) {
		kind = oidMicrosoftRFC3161
	}
	token, ok := s.unsigned[kind.String()]
	if ok && len(s.unsigned) > 1 || !ok && len(s.unsigned) > 0 {
		return nil, fmt.Errorf("%w: it has unsigned attributes other than a timestamp", ErrBadSignature)
	}
	if !ok {
		return nil, nil
	}
	return verifyToken(token, digestOf(crypto.SHA256, s.value), nil)
}

// checkEmbedded demands that each certificate is vouched for, by another one
// or by a root: what nobody signed could be anything. Without a verified
// chain, the end of the signer's own is the exception: trust fails there.
func checkEmbedded(signer *x509.Certificate, embedded, chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	path := orderChain(embedded, slices.Index(embedded, signer))
	for _, c := range embedded {
		if isSelfSigned(c) {
			if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
				return fmt.Errorf("%w: embedded root certificate: %w", ErrBadSignature, err)
			}
			continue
		}
		if issuerOf(c, embedded) != nil || chain == nil && c == path[len(path)-1] && !hasIssuer(c, embedded) {
			continue
		}
		if _, err := verifyChain(c, embedded, roots, x509.ExtKeyUsageAny, at); err != nil {
			return fmt.Errorf("%w: embedded certificate of %s: %s", ErrBadSignature, c.Subject, err.Error()) // trust is not what is wrong
		}
	}
	return nil
}

// hasIssuer tells whether a certificate's issuer is there by name.
func hasIssuer(c *x509.Certificate, among []*x509.Certificate) bool {
	return slices.ContainsFunc(among, func(other *x509.Certificate) bool {
		return bytes.Equal(c.RawIssuer, other.RawSubject)
	})
}
