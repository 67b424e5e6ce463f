package kit

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// ErrIntegrity: something is not what its checksum, catalog or manifest says.
var ErrIntegrity = errors.New("has been changed")

// VerifyOptions say whom to trust, and what to do about nobody.
type VerifyOptions struct {
	signing.VerifyOptions
	// RequireSignature makes a missing signature an error.
	RequireSignature bool
	Progress         func(step string, done, total int64)
}

// Verification is what was checked, in the order of checking.
type Verification struct {
	Checks   []Check  `json:"checks"`
	Warnings []string `json:"warnings,omitempty"`
	// Sums is the SHA256SUMS that the files of a kit were checked against; nil if
	// it was no kit.
	Sums []byte `json:"-"`
}

// Check is one thing that was checked.
type Check struct {
	File   string `json:"file"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"` // who signed, and when
	Error  string `json:"error,omitempty"`  // empty: good
	err    error
}

// Err is what was wrong; nil if the check was good.
func (c *Check) Err() error { return c.err }

// OK says whether every check was good.
func (v *Verification) OK() bool { return v.Err() == nil }

// Err joins what was wrong; nil if nothing was.
func (v *Verification) Err() error {
	var errs []error
	for _, c := range v.Checks {
		if c.err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", c.File, c.What, c.err))
		}
	}
	return errors.Join(errs...)
}

func (v *Verification) add(file, what, detail string, err error) {
	c := Check{File: file, What: what, Detail: detail, err: err}
	if err != nil {
		c.Error = err.Error()
	}
	v.Checks = append(v.Checks, c)
}

func (v *Verification) warn(format string, args ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
}

// verifier is a verification at work.
type verifier struct {
	VerifyOptions
	Verification
}

// Verify checks a kit, a bundle for macOS, or a single package, catalog,
// program, script or file with a detached signature (.p7s) beside it. The error says that it could not
// be checked at all; what is wrong with it is in the Verification.
func Verify(ctx context.Context, path string, o VerifyOptions) (*Verification, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	v := &verifier{VerifyOptions: o}
	switch {
	case info.IsDir() && isBundle(path):
		err = v.bundle(ctx, path)
	case info.IsDir():
		err = v.kit(ctx, path)
	default:
		err = v.file(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	return &v.Verification, nil
}

// file checks a single file by its kind.
func (v *verifier) file(ctx context.Context, path string) error {
	name := filepath.Base(path)
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var report *signing.Report
	switch kind := kindOf(f, name); kind {
	case kindPackage:
		return v.ppkg(ctx, path, nil)
	case kindCatalog:
		return v.catalogFile(path)
	case kindInstaller:
		return v.installer(ctx, path, nil)
	case kindMachO:
		report, err = v.machO(ctx, f, size)
	case kindProgram:
		report, err = signing.VerifyPE(ctx, f, size, v.VerifyOptions.VerifyOptions)
	case kindScript:
		var script []byte
		if script, err = readSmall(path); err != nil {
			return err
		}
		report, err = signing.VerifyPowerShell(script, v.VerifyOptions.VerifyOptions)
	default:
		var p7s []byte
		p7s, err = readSmall(path + ".p7s")
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w: neither a kit, package, catalog, program nor script, nor is %s.p7s beside it", path, ErrKind, name)
		}
		if err != nil {
			return err
		}
		report, err = signing.VerifyDetached(ctx, f, p7s, v.VerifyOptions.VerifyOptions)
	}
	if errors.Is(err, signing.ErrNoSignature) && !v.RequireSignature {
		v.warn("%s is not signed", name)
		return nil
	}
	v.add(name, "signature", signedBy(report), err)
	return nil
}

func (v *verifier) catalogFile(path string) error {
	der, err := readSmall(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	c, err := catalog.Parse(der)
	v.add(name, "format", "", err)
	if err != nil {
		return nil //nolint:nilerr // it stands among the checks
	}
	v.catalogSignature(name, der, c)
	return nil
}

func (v *verifier) progress(step string, done, total int64) {
	if v.Progress != nil {
		v.Progress(step, done, total)
	}
}

// signedBy says in a few words who signed, and when.
func signedBy(r *signing.Report) string {
	if r == nil || r.Signer == nil {
		return ""
	}
	s := "by " + commonName(r.Signer)
	if r.Timestamp != nil {
		s += ", timestamped " + r.Timestamp.Time.UTC().Format(time.RFC3339)
		if !r.Timestamp.Trusted {
			s += " by an authority that is not trusted"
		}
	}
	return s
}

func commonName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return c.Subject.String()
}
