package kit

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"firstday.dev/ppkg"
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
}

// Check is one thing that was checked.
type Check struct {
	File   string `json:"file"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"` // who signed, and when
	Error  string `json:"error,omitempty"`  // empty: good
	err    error
}

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

// Verify checks a kit, or a single package, catalog, program, script or file
// with a detached signature (.p7s) beside it. The error says that it could not
// be checked at all; what is wrong with it is in the Verification.
func Verify(ctx context.Context, path string, o VerifyOptions) (*Verification, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	v := &verifier{VerifyOptions: o}
	if info.IsDir() {
		err = v.kit(ctx, path)
	} else {
		err = v.file(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	return &v.Verification, nil
}

// kit checks the folder: first who vouches for the checksums, then that every
// file is the one they list and no other is there, then what the files say.
func (v *verifier) kit(ctx context.Context, dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is %w: it has no %s", dir, ErrNotAKit, SumsFile)
	}
	if err != nil {
		return err
	}
	if err := v.sumsSignature(ctx, dir, data); err != nil {
		return err
	}
	listed, err := parseSums(data)
	v.add(SumsFile, "format", "", integrity(err))
	if err != nil {
		return nil //nolint:nilerr // it stands among the checks
	}
	if err := v.files(ctx, dir, listed); err != nil {
		return err
	}
	m, err := v.manifest(dir)
	if err != nil || m == nil {
		return err
	}
	for _, p := range m.Packages {
		if listed[p.File] == "" || listed[p.Catalog] == "" {
			v.add(ManifestFile, "package "+p.File, "", fmt.Errorf("%w: the kit lacks it or its catalog", ErrIntegrity))
			continue
		}
		if err := v.ppkg(ctx, filepath.Join(dir, p.File), &p); err != nil {
			return err
		}
	}
	return nil
}

// integrity marks a malformed file of ours as changed: we write it only well.
func integrity(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrIntegrity, err)
}

func (v *verifier) sumsSignature(ctx context.Context, dir string, data []byte) error {
	const what = "signature"
	p7s, err := os.ReadFile(filepath.Join(dir, SignatureFile))
	if errors.Is(err, fs.ErrNotExist) {
		v.unsigned(SumsFile)
		return nil
	}
	if err != nil {
		return err
	}
	report, err := signing.VerifyDetached(ctx, bytes.NewReader(data), p7s, v.VerifyOptions.VerifyOptions)
	v.add(SumsFile, what, signedBy(report), err)
	return nil
}

func (v *verifier) unsigned(file string) {
	if v.RequireSignature {
		v.add(file, "signature", "", signing.ErrNoSignature)
		return
	}
	v.warn("%s is not signed: it may have been replaced as a whole", file)
}

// files compares every file with its checksum.
func (v *verifier) files(ctx context.Context, dir string, listed sums) error {
	found, err := sumFolder(ctx, dir, func(done, total int64) { v.progress("checksums", done, total) })
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for name := range listed {
		names[name] = true
	}
	for name := range found {
		names[name] = true
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	for _, name := range sorted {
		var err error
		switch {
		case found[name] == "":
			err = fmt.Errorf("%w: it is missing", ErrIntegrity)
		case listed[name] == "":
			err = fmt.Errorf("%w: it does not belong to the kit", ErrIntegrity)
		case found[name] != listed[name]:
			err = fmt.Errorf("%w: its SHA-256 is %s", ErrIntegrity, found[name])
		}
		v.add(name, "SHA-256", "", err)
	}
	return nil
}

func (v *verifier) manifest(dir string) (*Manifest, error) {
	f, err := os.Open(filepath.Join(dir, ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		v.add(ManifestFile, "format", "", fmt.Errorf("%w: it is missing", ErrIntegrity))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := ReadManifest(f)
	v.add(ManifestFile, "format", "", integrity(err))
	if err != nil {
		return nil, nil // it stands among the checks
	}
	now := v.Time
	if now.IsZero() {
		now = time.Now()
	}
	if m.ExpiresAt != nil && now.After(*m.ExpiresAt) {
		v.warn("the connect key ended on %s: this kit enrols no devices any more", m.ExpiresAt.Format(time.DateOnly))
	}
	return m, nil
}

// ppkg checks a package against its catalog and, in a kit, its manifest, then
// all that it holds.
func (v *verifier) ppkg(ctx context.Context, path string, listed *Package) error {
	name := filepath.Base(path)
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := v.catalogOf(ctx, path, f, size); err != nil {
		return err
	}
	r, err := ppkg.Open(f, size)
	if err != nil {
		v.add(name, "format", "", err)
		return nil
	}
	v.add(name, "contents", "", r.WIM.Verify(ctx, 0, func(done, total int64) { v.progress("contents", done, total) }))
	v.add(name, "rules of Windows", "", v.findings(name, r))
	if listed != nil {
		var err error
		if r.ID != listed.ID || r.Version != listed.Version || size != listed.Size {
			err = fmt.Errorf("%w: it is package %s, version %s, %d bytes", ErrIntegrity, r.ID, r.Version, size)
		}
		v.add(name, "manifest", "", err)
	}
	return nil
}

// findings holds the package against what Windows expects of packages.
func (v *verifier) findings(name string, r *ppkg.Reader) error {
	var errs []error
	for _, f := range r.Validate() {
		if f.Severity == ppkg.Problem {
			errs = append(errs, fmt.Errorf("%w: %v", ppkg.ErrFormat, f))
		} else {
			v.warn("%s: %v", name, f)
		}
	}
	return errors.Join(errs...)
}

// catalogOf checks the package f against the catalog beside it.
func (v *verifier) catalogOf(ctx context.Context, path string, f *os.File, size int64) error {
	name := strings.TrimSuffix(path, filepath.Ext(path)) + ".cat"
	base := filepath.Base(name)
	der, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		v.warn("%s has no catalog beside it: nothing says whether it has been changed", filepath.Base(path))
		return nil
	}
	if err != nil {
		return err
	}
	c, err := catalog.Parse(der)
	v.add(base, "format", "", err)
	if err != nil {
		return nil //nolint:nilerr // it stands among the checks
	}
	var done int64
	digests, err := catalog.Digest(&watchedReader{ctx, f, func(n int64) {
		done += n
		v.progress("hashing", done, size)
	}})
	if err != nil {
		return err
	}
	v.add(filepath.Base(path), "catalog", "", c.Check(digests))
	v.catalogSignature(base, der, c)
	return nil
}

func (v *verifier) catalogSignature(name string, der []byte, c *catalog.Catalog) {
	if !c.Signed {
		v.unsigned(name)
		return
	}
	report, err := signing.VerifyCatalog(der, v.VerifyOptions.VerifyOptions)
	v.add(name, "signature", signedBy(report), err)
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
			return fmt.Errorf("%s: %w: neither a kit, package, catalog, program or script, nor is %s.p7s beside it", path, ErrKind, name)
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
