package catalog

import (
	"crypto/sha256"
	encoding_asn1 "encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of the list (formats/ppkg.md §5.2).
var (
	oidSignedData    = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidCTL           = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 1}
	oidCatalogList   = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 12, 1, 1}
	oidListMemberV2  = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 12, 1, 3}
	oidMemberInfo2   = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 12, 2, 3}
	oidIndirectData  = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidCabinetData   = encoding_asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 25}
	oidSHA256        = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	flatMember       = []byte{0x82, 0x00}             // [2] IMPLICIT, empty: a flat file, no subject interface package
	obsoleteFileLink = []byte{0xa2, 0x02, 0x80, 0x00} // SpcLink: file "", as for every flat file
)

// Create makes an unsigned catalog, byte for byte as Windows Configuration
// Designer writes it: 306 bytes of DER. The list identifier should be random;
// t, kept to the second, must lie in the years 1950 to 2049, which is what a
// UTCTime can say.
func Create(d Digests, listIdentifier [16]byte, t time.Time) ([]byte, error) {
	ctl, err := marshalCTL(d, listIdentifier, t)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // ContentInfo
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // SignedData
				b.AddASN1Int64(1)
				b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {}) // digestAlgorithms
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidCTL)
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(ctl) })
					})
				})
				b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {}) // signerInfos
			})
		})
	})
	return b.Bytes()
}

// explicit0 is [0] EXPLICIT.
var explicit0 = asn1.Tag(0).ContextSpecific().Constructed()

// marshalCTL makes the value of the CertificateTrustList, without its tag and
// length.
func marshalCTL(d Digests, listIdentifier [16]byte, t time.Time) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // subjectUsage
		b.AddASN1ObjectIdentifier(oidCatalogList)
	})
	b.AddASN1OctetString(listIdentifier[:])
	b.AddASN1UTCTime(t.UTC())
	addAlgorithm(&b, oidListMemberV2)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // trustedSubjects
		for _, id := range d.members() {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(id)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					addAttribute(b, oidMemberInfo2, flatMember)
					if len(id) == sha256.Size {
						addAttribute(b, oidIndirectData, indirectData(id))
					}
				})
			})
		}
	})
	ctl, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("catalog: encoding the list: %w", err)
	}
	return ctl, nil
}

// indirectData is the SpcIndirectDataContent of a flat file.
func indirectData(digest []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidCabinetData)
			b.AddBytes(obsoleteFileLink)
		})
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // DigestInfo
			addAlgorithm(b, oidSHA256)
			b.AddASN1OctetString(digest)
		})
	})
	return b.BytesOrPanic()
}

func addAlgorithm(b *cryptobyte.Builder, oid encoding_asn1.ObjectIdentifier) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1NULL()
	})
}

// addAttribute adds an attribute with one value, given in DER.
func addAttribute(b *cryptobyte.Builder, oid encoding_asn1.ObjectIdentifier, value []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	})
}
