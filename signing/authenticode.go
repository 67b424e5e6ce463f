package signing

import (
	"crypto"
	encoding_asn1 "encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// authenticodeAttributes are what signtool signs besides the digest: that an
// individual or a company made it (the same since long) and what it is. Like
// signtool we claim no signing time: who wants to know asks a timestamp
// authority, and without one the same key always gives the same RSA signature.
func authenticodeAttributes(opts Options) [][]byte {
	return [][]byte{
		attribute(oidStatementType, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidIndividualCode) })
		}),
		attribute(oidOpusInfo, func(b *cryptobyte.Builder) { // SpcSpOpusInfo
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if opts.Description != "" {
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
						b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes(bmpString(opts.Description)) })
					})
				}
				if opts.URL != "" {
					b.AddASN1(explicit1, func(b *cryptobyte.Builder) {
						b.AddASN1(implicit0, func(b *cryptobyte.Builder) { b.AddBytes([]byte(opts.URL)) })
					})
				}
			})
		}),
	}
}

// opusInfo reads description and URL, both empty where there are none.
func (s *signedData) opusInfo() (description, url string, err error) {
	attribute, ok := s.signed[oidOpusInfo.String()]
	if !ok {
		return "", "", nil
	}
	var body, name, text, link, address cryptobyte.String
	var hasName, hasLink bool
	if !attribute.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadOptionalASN1(&name, &hasName, explicit0) ||
		!body.ReadOptionalASN1(&link, &hasLink, explicit1) || !body.Empty() {
		return "", "", malformed("description")
	}
	if name.PeekASN1Tag(implicit0) && name.ReadASN1(&text, implicit0) {
		description = textOfBMP(text)
	} else if name.ReadASN1(&text, implicit1) {
		description = string(text)
	}
	if link.ReadASN1(&address, implicit0) {
		url = string(address)
	}
	return description, url, nil
}

// indirectData is the value of an SpcIndirectDataContent: the digest of a file
// and the kind of its subject interface package, given in DER.
func indirectData(kind, digest []byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddBytes(kind)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // DigestInfo
			addAlgorithm(b, oidSHA256)
			b.AddASN1OctetString(digest)
		})
	})
}

// subject checks that a signature is one over a file of this kind and gives
// back the digest it is for.
func (s *signedData) subject(kind encoding_asn1.ObjectIdentifier) (crypto.Hash, []byte, error) {
	if !s.contentType.Equal(oidIndirectData) || s.contentTag != asn1.SEQUENCE {
		return 0, nil, fmt.Errorf("%w: it is not an Authenticode signature", ErrBadSignature)
	}
	got, algorithm, digest, err := readIndirectData(s.content)
	if err != nil {
		return 0, nil, err
	}
	if !got.Equal(kind) {
		return 0, nil, fmt.Errorf("%w: it is for another kind of file", ErrBadSignature)
	}
	hash, err := hashOf(algorithm)
	if err != nil {
		return 0, nil, err
	}
	return hash, digest, notWeak(hash)
}

// preferSecond gives back the signature that a foreign one over SHA-1 carries
// along for those who know better, if there is one.
func (s *signedData) preferSecond(r *Report, opts VerifyOptions) (*signedData, error) {
	second, ok := s.unsigned[oidNestedSignature.String()]
	if !opts.Foreign || s.hash != crypto.SHA1 || !ok {
		return s, nil
	}
	r.warn("its first signature rests on SHA-1; this is about the second one")
	return parseSignedData(second)
}

// readIndirectData takes the digest out of the value of an
// SpcIndirectDataContent, and the object identifier of its kind.
func readIndirectData(value []byte) (kind, algorithm encoding_asn1.ObjectIdentifier, digest []byte, err error) {
	var data, info, d cryptobyte.String
	in := cryptobyte.String(value)
	if !in.ReadASN1(&data, asn1.SEQUENCE) || !data.ReadASN1ObjectIdentifier(&kind) || !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() ||
		!readAlgorithm(&info, &algorithm) || !info.ReadASN1(&d, asn1.OCTET_STRING) || !info.Empty() {
		return nil, nil, nil, malformed("Authenticode content")
	}
	return kind, algorithm, d, nil
}
