package kit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// installer checks an installer package for macOS: who signed it, all that it
// holds and, in a kit, that it is what the manifest says.
func (v *verifier) installer(ctx context.Context, path string, listed *listing) error {
	name := filepath.Base(path)
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := pkgbuild.Open(f, size)
	if err != nil {
		v.add(name, "format", "", err)
		return nil
	}
	report, err := signing.VerifyPackage(ctx, f, size, v.VerifyOptions.VerifyOptions)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.installerSignature(name, report, err, listed)
	err = integrity(p.CheckContents(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.add(name, "contents", "", err)
	v.add(name, "rules of macOS", "", v.lint(ctx, name, p))
	if listed == nil {
		return ctx.Err()
	}
	err = listed.compareInstaller(ctx, p, size)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.add(name, "manifest", "", err)
	return nil
}

func (v *verifier) installerSignature(name string, report *signing.PackageReport, err error, listed *listing) {
	signed := listed != nil && listed.Signer != nil
	switch {
	case errors.Is(err, signing.ErrNoSignature) && !signed:
		v.unsigned(name)
		return
	case err == nil || report != nil:
		for _, sentence := range report.Checked {
			what, detail, _ := strings.Cut(sentence, ": ")
			v.add(name, what, detail, nil)
		}
	}
	if report == nil {
		v.add(name, "signature", "", err)
		return
	}
	v.add(name, "signature", signedBy(report.Report), err)
	for _, warning := range report.Warnings {
		v.warn("%s: %s", name, warning)
	}
	if signed && fingerprint(report.Signer) != listed.Signer.SHA256 {
		v.add(name, "signer", "", fmt.Errorf("%w: the manifest names another signer, %s", ErrIntegrity, listed.Signer.Subject))
	}
}

// lint holds the package against what is known to go wrong on Macs.
func (v *verifier) lint(ctx context.Context, name string, p *pkgbuild.Package) error {
	var errs []error
	for _, f := range pkgbuild.Lint(ctx, p) {
		if f.Severity == pkgbuild.SeverityError {
			errs = append(errs, fmt.Errorf("%w: %s: %s", pkgbuild.ErrFormat, f.Path, f.Message))
		} else {
			v.warn("%s: %s: %s", name, f.Path, f.Message)
		}
	}
	return errors.Join(errs...)
}

// compareInstaller holds what the manifest says against what the package
// installs.
func (l *listing) compareInstaller(ctx context.Context, p *pkgbuild.Package, size int64) error {
	if p.Product == nil || p.Product.Identifier != l.Identifier || p.Product.Version != l.Version || size != l.Size || l.sha256 != l.SHA256 {
		return fmt.Errorf("%w: it is another package", ErrIntegrity)
	}
	carried, err := readInstaller(ctx, p)
	if err != nil {
		return err
	}
	e := carried.enrollment
	switch {
	case e == nil:
		return fmt.Errorf("%w: it carries no %s", ErrIntegrity, api.EnrollmentFile)
	case e.PackageID != l.ID || e.Organisation != l.manifest.Organisation || e.Directory.URL != l.manifest.Directory:
		return fmt.Errorf("%w: as package %s it enrols with %s at %s", ErrIntegrity, e.PackageID, e.Organisation, e.Directory.URL)
	case l.listedSecrets() != 1:
		return fmt.Errorf("%w: it carries 1 secret, %d are listed", ErrIntegrity, l.listedSecrets())
	case len(l.Contents) != 1:
		return fmt.Errorf("%w: it carries 1 program, %d are listed", ErrIntegrity, len(l.Contents))
	}
	for _, a := range e.Agents {
		got := carried.programs[path.Join(macos.ProgramFolder, a.Version, macos.Executable)]
		if got != a.SHA256 || got != l.Contents[0].SHA256 || a.Version != l.Contents[0].Version {
			return fmt.Errorf("%w: the agent in it has SHA-256 %q", ErrIntegrity, got)
		}
	}
	return nil
}

func (l *listing) listedSecrets() int {
	n := 0
	for _, s := range l.manifest.Secrets {
		if s.Package == l.File {
			n++
		}
	}
	return n
}

// carried is what an installer package of ours brings.
type carried struct {
	enrollment *api.Enrollment   // nil: none
	programs   map[string]string // SHA-256 by path on the volume
}

// readInstaller finds what is ours among the files a package installs.
func readInstaller(ctx context.Context, p *pkgbuild.Package) (*carried, error) {
	c := &carried{programs: make(map[string]string)}
	for _, component := range p.Components {
		if !component.HasPayload() {
			continue
		}
		base := path.Join("/", component.Info.InstallLocation)
		err := component.Walk(ctx, func(h *cpio.Header, r io.Reader) error {
			switch name := path.Join(base, h.Name); {
			case name == path.Join(macos.DataFolder, api.EnrollmentFile):
				e, err := api.ReadEnrollment(r)
				c.enrollment = e
				return integrity(err)
			case strings.HasPrefix(name, macos.ProgramFolder+"/") && path.Base(name) == macos.Executable:
				sum := sha256.New()
				_, err := io.Copy(sum, r)
				c.programs[name] = hex.EncodeToString(sum.Sum(nil))
				return err
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// machO checks the signatures of a program for macOS, all by the same.
func (v *verifier) machO(ctx context.Context, f io.ReaderAt, size int64) (*signing.Report, error) {
	reports, err := signing.VerifyMachO(ctx, f, size, v.VerifyOptions.VerifyOptions)
	return oneSigner(reports, err)
}

// oneSigner gives the report of the one who signed for every architecture.
func oneSigner(reports []signing.CodeReport, err error) (*signing.Report, error) {
	signers := make(map[string]*signing.Report)
	for _, r := range reports {
		if r.Report == nil {
			err = errors.Join(err, fmt.Errorf("%w: that of %v is ad hoc, which nobody vouches for", signing.ErrNoSignature, r.CPU))
			continue
		}
		signers[fingerprint(r.Report.Signer)] = r.Report
	}
	if len(signers) > 1 {
		return nil, errors.Join(err, fmt.Errorf("%w: its architectures are signed by different people", signing.ErrBadSignature))
	}
	for _, who := range slices.Sorted(maps.Keys(signers)) {
		return signers[who], err
	}
	return nil, err
}
