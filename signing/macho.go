package signing

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/micromdm/plist"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild/macho"
)

// Code says how a program for macOS is signed.
type Code struct {
	Identifier string // such as com.example.agent
	// Entitlements is a property list in XML; nil: none.
	Entitlements []byte
	// InfoPlist and CodeResources are the files of these names of a bundle,
	// which its program's signature seals; nil: it is in no bundle.
	InfoPlist, CodeResources []byte
}

// SignMachO writes a signed copy of a program for macOS, thin or universal,
// with the hardened runtime, and replaces its signature if there is one.
// Notarisation wants a timestamp, too. Without an identity, id nil, the
// signature is an ad-hoc one. Errors wrap ErrFormat if in is no program.
func SignMachO(ctx context.Context, in io.ReaderAt, size int64, out io.Writer, code Code, id *Identity, opts Options) error {
	o := macho.SignOptions{
		Identifier: code.Identifier, Runtime: true, Entitlements: code.Entitlements,
		InfoPlist: code.InfoPlist, CodeResources: code.CodeResources,
	}
	if id != nil {
		chain := completeChain(id.Chain)
		o.Signer = &macho.Signer{Chain: chain, Room: cmsRoom(chain, opts, appleCodeRoom), CMS: func(ctx context.Context, codeDirectory []byte) ([]byte, error) {
			return signCode(ctx, codeDirectory, &Identity{Chain: chain, Signer: id.Signer}, opts)
		}}
	}
	err := macho.Sign(ctx, out, macho.Program{ReaderAt: in, Size: size}, o)
	return machoError(err)
}

// What Apple's tools keep for CMS signatures, in bytes.
const (
	appleCodeRoom    = 18000
	applePackageRoom = 9216
)

// cmsRoom bounds the size of a CMS signature with this chain, in bytes.
func cmsRoom(chain []*x509.Certificate, opts Options, least int) int {
	const signer, timestamp = 4 << 10, 12 << 10
	room := signer
	for _, c := range chain {
		room += len(c.Raw)
	}
	if opts.Timestamps != nil {
		room += timestamp
	}
	return max(room, least)
}

// machoError says in our own words what package macho says in its own.
func machoError(err error) error {
	switch {
	case errors.Is(err, macho.ErrFormat), errors.Is(err, macho.ErrArch):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case errors.Is(err, macho.ErrUnsigned):
		return ErrNoSignature
	case errors.Is(err, macho.ErrSignature):
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return err
}

// signCode makes the CMS signature of a CodeDirectory, which it names once more
// by its hash, for those who know several.
func signCode(ctx context.Context, codeDirectory []byte, id *Identity, opts Options) ([]byte, error) {
	digest := digestOf(crypto.SHA256, codeDirectory)
	hashes, err := cdHashesPlist(digest)
	if err != nil {
		return nil, err
	}
	s := signature{
		contentType: oidData,
		digest:      digest,
		attributes: [][]byte{
			attribute(oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, opts.now().UTC()) }),
			attribute(oidAppleCDHashes, func(b *cryptobyte.Builder) { b.AddASN1OctetString(hashes) }),
			attribute(oidAppleCDHashesWithTypes, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidSHA256)
					b.AddASN1OctetString(digest)
				})
			}),
		},
		timestampType: oidTimestampToken,
	}
	return s.sign(ctx, id, opts)
}

// cdHashSize is that of a cdhash, in bytes, whatever the hash.
const cdHashSize = 20

func cdHashesPlist(digests ...[]byte) ([]byte, error) {
	var list struct {
		CDHashes [][]byte `plist:"cdhashes"`
	}
	for _, d := range digests {
		list.CDHashes = append(list.CDHashes, d[:cdHashSize])
	}
	return plist.MarshalIndent(list, "\t")
}

// CodeReport is what VerifyMachO found for one architecture.
type CodeReport struct {
	*macho.Signature
	// Report is about who signed; nil for an ad-hoc signature, which nobody made.
	Report *Report
}

// VerifyMachO verifies the code signatures of a program for macOS, one for each
// architecture, against the program and, where they are not ad hoc, their
// signers. Without Roots in opts they must lead to Apple's. Errors are those of
// VerifyCatalog with ErrFormat in place of catalog.ErrFormat; the first one
// that is about a certificate comes with all reports.
func VerifyMachO(ctx context.Context, in io.ReaderAt, size int64, opts VerifyOptions) ([]CodeReport, error) {
	signatures, err := macho.Verify(ctx, macho.Program{ReaderAt: in, Size: size})
	if err != nil {
		return nil, machoError(err)
	}
	opts = opts.orApple()
	var reports []CodeReport
	var doubt error
	for _, s := range signatures {
		r, err := verifyCode(s, opts)
		if err != nil {
			err = fmt.Errorf("%v slice: %w", s.CPU, err)
		}
		if err != nil && r == nil {
			return nil, err
		}
		if doubt == nil {
			doubt = err
		}
		reports = append(reports, CodeReport{s, r})
	}
	return reports, doubt
}

// orApple makes Apple's root the one to trust where the caller names none: the
// system's are for other things.
func (o VerifyOptions) orApple() VerifyOptions {
	if o.Roots == nil {
		o.Roots = AppleRoot()
		if o.TimestampRoots == nil {
			o.TimestampRoots = o.Roots
		}
	}
	return o
}

func verifyCode(s *macho.Signature, opts VerifyOptions) (*Report, error) {
	if s.CMS == nil {
		return nil, nil
	}
	cms, err := parseSignedData(s.CMS)
	if err != nil {
		return nil, err
	}
	if !cms.contentType.Equal(oidData) || cms.content != nil {
		return nil, fmt.Errorf("%w: it is not a detached signature", ErrBadSignature)
	}
	if err := cms.checkCDHashes(s.CDHashes); err != nil {
		return nil, err
	}
	return cms.report(new(Report), func(hash crypto.Hash) ([]byte, error) { return digestOf(hash, s.CodeDirectory), nil }, forCode, opts)
}

// checkCDHashes compares the hashes that are signed with those of the
// CodeDirectories, of which the signature itself covers only the first.
func (s *signedData) checkCDHashes(want [][]byte) error {
	attribute, ok := s.signed[oidAppleCDHashes.String()]
	if !ok {
		if len(want) > 1 {
			return fmt.Errorf("%w: nothing signs its further CodeDirectories", ErrBadSignature)
		}
		return nil
	}
	var text cryptobyte.String
	var list struct {
		CDHashes [][]byte `plist:"cdhashes"`
	}
	if !attribute.ReadASN1(&text, asn1.OCTET_STRING) || propertylist.Unmarshal(text, &list) != nil || len(list.CDHashes) != len(want) {
		return malformed("list of cdhashes")
	}
	for i, d := range want {
		if string(list.CDHashes[i]) != string(d[:min(cdHashSize, len(d))]) {
			return fmt.Errorf("%w: it is for other code", ErrBadSignature)
		}
	}
	return nil
}
