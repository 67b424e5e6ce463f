package signing

import (
	"context"
	"crypto"
	"fmt"

	"firstday.dev/ppkg/catalog"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SignCatalog signs the catalog of a provisioning package, whose signature it
// replaces if there is one, and gives back the new catalog (formats/ppkg.md
// §5.3).
func SignCatalog(ctx context.Context, cat []byte, id *Identity, opts Options) ([]byte, error) {
	c, err := catalog.Parse(cat)
	if err != nil {
		return nil, err
	}
	s := signature{
		contentType:   oidCTL,
		content:       sequence(func(b *cryptobyte.Builder) { b.AddBytes(c.CTL) }),
		digest:        digestOf(crypto.SHA256, c.CTL),
		attributes:    authenticodeAttributes(opts),
		timestampType: oidMicrosoftRFC3161,
	}
	return s.sign(ctx, id, opts)
}

// VerifyCatalog verifies the signature of a catalog. Whether the catalog
// speaks of a certain package is for (*catalog.Catalog).Check.
//
// Errors wrap catalog.ErrFormat, ErrNoSignature or ErrBadSignature, without a
// report, or ErrUntrusted, ErrExpired or ErrNotCodeSigning, with one.
func VerifyCatalog(cat []byte, opts VerifyOptions) (*Report, error) {
	c, err := catalog.Parse(cat)
	if err != nil {
		return nil, err
	}
	if !c.Signed {
		return nil, ErrNoSignature
	}
	s, err := parseSignedData(cat)
	if err != nil {
		return nil, err
	}
	if !s.sorted {
		return nil, fmt.Errorf("%w: its sets are not in the order of DER, which Windows demands of catalogs", ErrBadSignature)
	}
	if !s.contentType.Equal(oidCTL) || s.contentTag != asn1.SEQUENCE {
		return nil, malformed("catalog")
	}
	return s.report(new(Report), func(hash crypto.Hash) ([]byte, error) { return digestOf(hash, s.content), nil }, forCode, opts)
}
