package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/signing"
)

// installer checks an installer package for macOS: who signed it, all that it
// holds and, in a kit, that it is what the manifest says.
func (v *verifier) installer(ctx context.Context, path string, listed *listing) (err error) {
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
	carried, err := readInstaller(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.add(name, "what is ours", "", err)
		return nil
	}
	defer func() { err = errors.Join(err, carried.close()) }()
	if err := v.loginPlugin(ctx, name, carried); err != nil {
		return err
	}
	if listed != nil {
		v.add(name, "manifest", "", listed.compareInstaller(carried, p, size))
	}
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
func (l *listing) compareInstaller(c *carried, p *pkgbuild.Package, size int64) error {
	if p.Product == nil || p.Product.Identifier != l.Identifier || p.Product.Version != l.Version || size != l.Size || l.sha256 != l.SHA256 {
		return fmt.Errorf("%w: it is another package", ErrIntegrity)
	}
	e := c.enrollment
	switch {
	case e == nil:
		return fmt.Errorf("%w: it carries no %s", ErrIntegrity, api.EnrollmentFile)
	case e.PackageID != l.ID || e.Organisation != l.manifest.Organisation || e.Directory.URL != l.manifest.Directory:
		return fmt.Errorf("%w: as package %s it enrols with %s at %s", ErrIntegrity, e.PackageID, e.Organisation, e.Directory.URL)
	case l.listedSecrets() != 1:
		return fmt.Errorf("%w: it carries 1 secret, %d are listed", ErrIntegrity, l.listedSecrets())
	}
	agent, err := c.oneAgent()
	if err != nil {
		return err
	}
	want := []Content{{File: agent.File, Version: agent.Version, SHA256: agent.SHA256}}
	if p := agent.LoginPlugin; p.File != "" { // older packages have none
		want = append(want, Content{File: p.File, Version: agent.Version, SHA256: p.SHA256})
	}
	same := func(a, b Content) bool { return a.File == b.File && a.Version == b.Version && a.SHA256 == b.SHA256 }
	if !slices.EqualFunc(want, l.Contents, same) {
		return fmt.Errorf("%w: the agent in it has SHA-256 %s, its login plug-in the digest %q; others are listed", ErrIntegrity, agent.SHA256, agent.LoginPlugin.SHA256)
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
