package signing

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// SignDetached signs whatever r yields and gives back the CMS signature (.p7s,
// DER) to put beside it. `openssl cms -verify -binary -inform DER` reads it.
func SignDetached(ctx context.Context, r io.Reader, id *Identity, opts Options) ([]byte, error) {
	digest, err := digestReader(ctx, crypto.SHA256, r)
	if err != nil {
		return nil, err
	}
	at := opts.now().UTC()
	if year := at.Year(); year < 1950 || year > 9999 {
		return nil, fmt.Errorf("signing time in the year %d", year)
	}
	s := signature{
		contentType:   oidData,
		digest:        digest,
		attributes:    [][]byte{attribute(oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, at) })},
		timestampType: oidTimestampToken,
	}
	return s.sign(ctx, id, opts)
}

// addTime adds a Time as RFC 5652 §11.3 demands.
func addTime(b *cryptobyte.Builder, t time.Time) {
	if year := t.Year(); year >= 1950 && year < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
}

// VerifyDetached verifies a signature that SignDetached or another CMS tool
// made. Errors are those of VerifyCatalog, without catalog.ErrFormat.
func VerifyDetached(ctx context.Context, r io.Reader, p7s []byte, opts VerifyOptions) (*Report, error) {
	s, err := parseSignedData(p7s)
	if err != nil {
		return nil, err
	}
	if !s.contentType.Equal(oidData) || s.content != nil {
		return nil, fmt.Errorf("%w: it is not a detached signature", ErrBadSignature)
	}
	return s.report(new(Report), func(hash crypto.Hash) ([]byte, error) { return digestReader(ctx, hash, r) }, forCode, opts)
}

func digestReader(ctx context.Context, hash crypto.Hash, r io.Reader) ([]byte, error) {
	h := hash.New()
	if err := copyContext(ctx, h, r); err != nil {
		return nil, fmt.Errorf("hashing the file: %w", err)
	}
	return h.Sum(nil), nil
}
