package signing

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	encoding_asn1 "encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signature is what goes into a SignedData. We assemble it ourselves because
// Windows takes catalogs in strict DER only, with every SET sorted, and other
// verifiers sort what they digest (design/libraries.md §1.5).
type signature struct {
	contentType encoding_asn1.ObjectIdentifier
	// content is the DER element inside encapContentInfo; nil if detached.
	content []byte
	// digest of the content: of the element's value, without tag and length.
	digest []byte
	// attributes to sign besides content type and digest.
	attributes [][]byte
	// timestampType is the attribute that carries the timestamp.
	timestampType encoding_asn1.ObjectIdentifier
	// installer says that this is the signature of an installer package.
	installer bool
}

// sign makes the ContentInfo.
func (s *signature) sign(ctx context.Context, id *Identity, opts Options) ([]byte, error) {
	if len(id.Chain) == 0 || id.Signer == nil {
		return nil, errors.New("identity without certificate or key")
	}
	leaf := id.Chain[0]
	if isInstaller(leaf) && !s.installer {
		return nil, fmt.Errorf("%w: %s signs installer packages only", ErrCertificateType, leaf.Subject.CommonName)
	}
	attributes := append([][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(s.contentType) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(s.digest) }),
	}, s.attributes...)
	signed := sortedSet(attributes)
	value, err := id.sign(ctx, signedSet(signed))
	if err != nil {
		return nil, err
	}
	var unsigned []byte
	if opts.Timestamps != nil {
		token, err := opts.Timestamps.stamp(ctx, value, opts.now)
		if err != nil {
			return nil, err
		}
		unsigned = attribute(s.timestampType, func(b *cryptobyte.Builder) { b.AddBytes(token) })
	}
	var certificates [][]byte
	for _, c := range id.Chain {
		certificates = append(certificates, c.Raw)
	}
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { addAlgorithm(b, oidSHA256) })
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(s.contentType)
					if s.content != nil {
						b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(s.content) })
					}
				})
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(sortedSet(certificates)) })
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					b.AddBytes(signerInfo(leaf, signed, value, unsigned))
				})
			})
		})
	}), nil
}

// signedSet is what a signature over attributes digests: their SET, with the
// tag of a SET rather than the [0] they are stored under.
func signedSet(attributes []byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	})
}

func signerInfo(leaf *x509.Certificate, signed, value, unsigned []byte) []byte {
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // IssuerAndSerialNumber
			b.AddBytes(leaf.RawIssuer)
			b.AddASN1BigInt(leaf.SerialNumber)
		})
		addAlgorithm(b, oidSHA256)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
		if _, ok := leaf.PublicKey.(*ecdsa.PublicKey); ok {
			// RFC 5754 §3.2: ecdsa-with-SHA256 has no parameters.
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidECDSASHA256) })
		} else {
			addAlgorithm(b, oidRSA) // as signtool writes it, not sha256WithRSAEncryption
		}
		b.AddASN1OctetString(value)
		if unsigned != nil {
			b.AddASN1(explicit1, func(b *cryptobyte.Builder) { b.AddBytes(unsigned) })
		}
	})
}

// sign signs a message with the identity's key and checks the result: keys
// that live elsewhere can be mistaken for one another.
func (id *Identity) sign(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, err := id.Signer.Sign(rand.Reader, digestOf(crypto.SHA256, message), crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing with the key of %s: %w", id.Chain[0].Subject, err)
	}
	algorithm, err := algorithmOf(id.Chain[0], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if err := id.Chain[0].CheckSignature(algorithm, message, value); err != nil {
		return nil, fmt.Errorf("%w: its signature does not verify", ErrKeyMismatch)
	}
	return value, nil
}

// algorithmOf pairs a certificate's kind of key with a digest algorithm.
func algorithmOf(c *x509.Certificate, hash crypto.Hash) (x509.SignatureAlgorithm, error) {
	rsa, ok := c.PublicKeyAlgorithm == x509.RSA, c.PublicKeyAlgorithm == x509.RSA || c.PublicKeyAlgorithm == x509.ECDSA
	switch {
	case !ok:
	case rsa && hash == crypto.SHA256:
		return x509.SHA256WithRSA, nil
	case rsa && hash == crypto.SHA384:
		return x509.SHA384WithRSA, nil
	case rsa && hash == crypto.SHA512:
		return x509.SHA512WithRSA, nil
	case hash == crypto.SHA256:
		return x509.ECDSAWithSHA256, nil
	case hash == crypto.SHA384:
		return x509.ECDSAWithSHA384, nil
	case hash == crypto.SHA512:
		return x509.ECDSAWithSHA512, nil
	}
	return 0, fmt.Errorf("%w: a %v key with %v is not supported", ErrBadSignature, c.PublicKeyAlgorithm, hash)
}
