package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"firstday.dev/pkgbuild/xar"
)

// PackageSigner gives what signs an installer package for macOS while it is
// written: an RSA signature and a CMS signature of its table of contents. The
// certificate must be a Developer ID Installer or, for devices that trust
// another authority, one for code signing; its key must be RSA. Errors wrap
// ErrCertificateType or ErrNotCodeSigning.
func PackageSigner(id *Identity, opts Options) (*xar.Signer, error) {
	leaf := id.Chain[0]
	if err := checkInstaller(leaf); err != nil {
		return nil, err
	}
	if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("%w: installer packages are signed by RSA keys only", ErrCertificateType)
	}
	chain := completeChain(id.Chain)
	whole := &Identity{Chain: chain, Signer: id.Signer}
	return &xar.Signer{
		Chain: chain, Key: id.Signer, CMSSize: cmsRoom(chain, opts, applePackageRoom),
		CMS: func(ctx context.Context, digest []byte) ([]byte, error) {
			s := signature{
				contentType:   oidData,
				digest:        digestOf(crypto.SHA256, digest),
				attributes:    [][]byte{attribute(oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, opts.now().UTC()) })},
				timestampType: oidTimestampToken,
				installer:     true,
			}
			return s.sign(ctx, whole, opts)
		},
	}, nil
}

// PackageReport is what VerifyPackage found.
type PackageReport struct {
	*Report
	// TeamID is that of the developer team in Apple's certificates.
	TeamID string
	// Stapled tells that the package carries a notarisation ticket, which
	// only Apple's own tools can judge.
	Stapled bool
	// Checked are sentences that say what was checked.
	Checked []string
}

func (r *PackageReport) checked(format string, args ...any) {
	r.Checked = append(r.Checked, fmt.Sprintf(format, args...))
}

// VerifyPackage verifies the signatures of an installer package for macOS and
// the contents they speak for. Without Roots in opts they must lead to Apple's.
//
// Errors wrap ErrFormat, ErrNoSignature or ErrBadSignature, without a report,
// or ErrUntrusted, ErrExpired, ErrCertificateType or ErrNotCodeSigning, with
// one.
func VerifyPackage(ctx context.Context, in io.ReaderAt, size int64, opts VerifyOptions) (*PackageReport, error) {
	a, err := xar.Open(in, size)
	if err != nil {
		return nil, packageError(err)
	}
	r := &PackageReport{Report: new(Report), Stapled: a.Ticket != nil}
	if a.RSA == nil && a.CMS == nil {
		return nil, ErrNoSignature
	}
	r.checked("table of contents: %v", a.Checksum)
	if err := opts.checkArchive(r.Report, a); err != nil {
		return nil, err
	}
	files, err := checkFiles(ctx, a)
	if err != nil {
		return nil, err
	}
	r.checked("archive: %d files match their checksums", files)
	if err := r.checkTicket(a); err != nil {
		return nil, err
	}
	return r.verifySignatures(a, opts.orApple())
}

// packageError says in our own words what package xar says in its own.
func packageError(err error) error {
	switch {
	case errors.Is(err, xar.ErrChecksum), errors.Is(err, xar.ErrSignature):
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	case errors.Is(err, xar.ErrFormat), errors.Is(err, xar.ErrUnsupported), errors.Is(err, xar.ErrName):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return err
}

// checkArchive refuses what no signature covers, and broken hashes.
func (o VerifyOptions) checkArchive(r *Report, a *xar.Archive) error {
	for _, oddity := range a.Oddities {
		if err := o.tolerate(r, fmt.Errorf("%w: %s", ErrBadSignature, oddity)); err != nil {
			return err
		}
	}
	// What Apple's own tools still write.
	if err := o.tolerate(r, notWeak(a.Checksum)); err != nil {
		return err
	}
	return nil
}

func checkFiles(ctx context.Context, a *xar.Archive) (files int, err error) {
	for _, f := range a.Files {
		if f.IsDir {
			continue
		}
		if err := checkFile(ctx, f); err != nil {
			return 0, packageError(fmt.Errorf("%s: %w", f.Name, err))
		}
		files++
	}
	return files, ctx.Err()
}

func checkFile(ctx context.Context, f *xar.File) error {
	contents, err := f.Open()
	if err != nil {
		return err
	}
	return copyContext(ctx, io.Discard, contents)
}

// checkTicket looks whether the ticket names this package, as tickets do by the
// digest that was signed: a ticket of an earlier signature is of no use, and
// Gatekeeper refuses it.
func (r *PackageReport) checkTicket(a *xar.Archive) error {
	if a.Ticket == nil {
		return nil
	}
	if !bytes.HasPrefix(a.Ticket, []byte("s8ch")) || !bytes.Contains(a.Ticket, a.Digest[:min(cdHashSize, len(a.Digest))]) {
		return fmt.Errorf("%w: the ticket stapled to it is for another package", ErrBadSignature)
	}
	r.checked("ticket: it names this package; whether Apple issued it only a Mac can tell")
	return nil
}

func (r *PackageReport) verifySignatures(a *xar.Archive, opts VerifyOptions) (*PackageReport, error) {
	if a.RSA == nil {
		return nil, fmt.Errorf("%w: the RSA signature is missing", ErrBadSignature)
	}
	signer, err := a.RSA.VerifyRSA()
	if err != nil {
		return nil, packageError(err)
	}
	r.checked("RSA signature: by %s", signer.Subject.CommonName)
	if a.CMS == nil {
		return nil, fmt.Errorf("%w: the CMS signature is missing; without it a package cannot be notarised", ErrBadSignature)
	}
	der, err := r.derOf(a.CMS, opts)
	if err != nil {
		return nil, err
	}
	s, err := parseSignedData(der)
	if err != nil {
		return nil, err
	}
	if !s.contentType.Equal(oidData) || s.content != nil {
		return nil, fmt.Errorf("%w: the CMS signature is not a detached one", ErrBadSignature)
	}
	if !bytes.Equal(s.signer.Raw, signer.Raw) {
		return nil, fmt.Errorf("%w: %s signed with RSA, %s with CMS", ErrBadSignature, signer.Subject.CommonName, s.signer.Subject.CommonName)
	}
	report, err := s.report(r.Report, func(hash crypto.Hash) ([]byte, error) { return digestOf(hash, a.Digest), nil }, forInstaller, opts)
	if report == nil {
		return nil, err
	}
	r.checked("CMS signature: by the same")
	r.TeamID = teamID(report)
	if t := report.Timestamp; t != nil {
		r.checked("timestamp: %s by %s", t.Time.UTC().Format(time.DateTime), t.Authority.Subject.CommonName)
	}
	if err == nil {
		r.checked("chain: it leads to %s", report.Chain[len(report.Chain)-1].Subject.CommonName)
		r.warnOfEnd()
	}
	return r, err
}

// derOf takes the zeros off that fill the room of a CMS signature, and makes
// DER of BER.
func (r *PackageReport) derOf(s *xar.Signature, opts VerifyOptions) ([]byte, error) {
	der, rest := s.DER(), s.Value[len(s.DER()):]
	if len(s.Value) > 1 && s.Value[1] == 0x80 {
		fault := fmt.Errorf("%w: the CMS signature is in BER, of which bytes could change unnoticed", ErrBadSignature)
		if err := opts.tolerate(r.Report, fault); err != nil {
			return nil, err
		}
		var err error
		if der, rest, err = fromBER(s.Value); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(rest, make([]byte, len(rest))) {
		return nil, fmt.Errorf("%w: bytes other than zero follow the CMS signature", ErrBadSignature)
	}
	return der, nil
}

func teamID(r *Report) string {
	if !isApples(r.Signer) || len(r.Signer.Subject.OrganizationalUnit) == 0 {
		return ""
	}
	return r.Signer.Subject.OrganizationalUnit[0]
}

// warnOfEnd warns of the authority that ends in February 2027, and of any other
// certificate that ends soon: without a timestamp the package ends with it.
func (r *PackageReport) warnOfEnd() {
	if r.Timestamp != nil {
		return
	}
	soon := time.Now().Add(90 * 24 * time.Hour)
	for _, c := range slices.Backward(r.Chain) {
		if c.NotAfter.Before(soon) {
			r.warn(fmt.Sprintf("the certificate of %s ends on %s, and with it the signature: it has no timestamp", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly)))
		}
	}
}
