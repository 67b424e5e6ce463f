package signing

import (
	"context"
	"crypto"
	"fmt"
	"io"
)

// SignDetached signs whatever r yields and gives back the CMS signature (.p7s,
// DER) to put beside it. `openssl cms -verify -binary -inform DER` reads it.
func SignDetached(ctx context.Context, r io.Reader, id *Identity, opts Options) ([]byte, error) {
	digest, err := digestReader(ctx, crypto.SHA256, r)
	if err != nil {
		return nil, err
	}
	s := signature{contentType: oidData, digest: digest, timestampType: oidTimestampToken}
	return s.sign(ctx, id, opts)
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
	return s.report(func(hash crypto.Hash) ([]byte, error) { return digestReader(ctx, hash, r) }, opts)
}

func digestReader(ctx context.Context, hash crypto.Hash, r io.Reader) ([]byte, error) {
	h := hash.New()
	if err := copyContext(ctx, h, r); err != nil {
		return nil, fmt.Errorf("hashing the file: %w", err)
	}
	return h.Sum(nil), nil
}
