package signing

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // SHA-256 for all our signatures
	_ "crypto/sha512" // SHA-384 and SHA-512 for those of others
	encoding_asn1 "encoding/asn1"
	"fmt"
	"slices"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of CMS (RFC 5652), timestamps (RFC 3161, RFC 5816) and
// Authenticode.
var (
	oidData              = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData        = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest     = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidCounterSignature  = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	oidTSTInfo           = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSigningCert       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidTimestampToken    = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	oidSigningCertV2     = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidCTL               = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 1}
	oidIndirectData      = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidStatementType     = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 11}
	oidOpusInfo          = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 12}
	oidPEImage           = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
	oidIndividualCode    = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 21}
	oidNestedSignature   = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 4, 1}
	oidSIPInfo           = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 30}
	oidMicrosoftRFC3161  = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 3, 3, 1}
	oidSHA1              = encoding_asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256            = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384            = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512            = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidRSA               = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA1RSA           = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	oidSHA256RSA         = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidSHA384RSA         = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidSHA512RSA         = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECDSASHA1         = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
	oidECDSASHA256       = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384       = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512       = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidExtendedKeyUsage  = encoding_asn1.ObjectIdentifier{2, 5, 29, 37}
	explicit0            = asn1.Tag(0).ContextSpecific().Constructed()
	explicit1            = asn1.Tag(1).ContextSpecific().Constructed()
	implicit0, implicit1 = asn1.Tag(0).ContextSpecific(), asn1.Tag(1).ContextSpecific()
)

// build makes DER. Nothing that is added may be of a kind that cannot be
// encoded: object identifiers and times are ours.
func build(add func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	add(&b)
	return b.BytesOrPanic()
}

// sequence makes a SEQUENCE, set a SET of what is added.
func sequence(add func(*cryptobyte.Builder)) []byte {
	return build(func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, add) })
}

// sortedSet gives the elements of a SET OF in the order that DER demands,
// without tag and length.
func sortedSet(elements [][]byte) []byte {
	elements = slices.Clone(elements)
	slices.SortFunc(elements, bytes.Compare)
	return slices.Concat(elements...)
}

// attribute makes an Attribute with one value.
func attribute(oid encoding_asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(asn1.SET, value)
	})
}

// addAlgorithm adds an AlgorithmIdentifier with NULL parameters.
func addAlgorithm(b *cryptobyte.Builder, oid encoding_asn1.ObjectIdentifier) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1NULL()
	})
}

// readAlgorithm reads an AlgorithmIdentifier without parameters or with NULL.
func readAlgorithm(s *cryptobyte.String, oid *encoding_asn1.ObjectIdentifier) bool {
	var algorithm, null cryptobyte.String
	if !s.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(oid) {
		return false
	}
	return algorithm.Empty() || algorithm.ReadASN1(&null, asn1.NULL) && null.Empty() && algorithm.Empty()
}

// hashOf names the digest algorithms we know. SHA-1 is for notWeak to refuse.
func hashOf(oid encoding_asn1.ObjectIdentifier) (crypto.Hash, error) {
	switch {
	case oid.Equal(oidSHA256):
		return crypto.SHA256, nil
	case oid.Equal(oidSHA384):
		return crypto.SHA384, nil
	case oid.Equal(oidSHA512):
		return crypto.SHA512, nil
	case oid.Equal(oidSHA1):
		return crypto.SHA1, nil
	}
	return 0, fmt.Errorf("%w: unknown digest algorithm %v", ErrBadSignature, oid)
}

// notWeak refuses SHA-1.
func notWeak(hash crypto.Hash) error {
	if hash == crypto.SHA1 {
		return fmt.Errorf("%w: it rests on SHA-1, which is broken", ErrBadSignature)
	}
	return nil
}

func digestOf(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// bmpString is text as UTF-16 in big-endian order.
func bmpString(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit>>8), byte(unit))
	}
	return out
}

func textOfBMP(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i])<<8 | uint16(data[2*i+1])
	}
	return string(utf16.Decode(units))
}
