package kit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"firstday.dev/api"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// listing is what a kit says of a package.
type listing struct {
	manifest *Manifest
	Package
	sha256 string // of the package as it is
}

// ppkg checks a package against its catalog and, in a kit, its manifest, then
// all that it holds.
func (v *verifier) ppkg(ctx context.Context, path string, listed *listing) error {
	name := filepath.Base(path)
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	signer, err := v.catalogOf(ctx, path, f, size)
	if err != nil {
		return err
	}
	r, err := ppkg.Open(f, size)
	switch {
	case errors.Is(err, ppkg.ErrEncrypted) && signer != "" && listed == nil:
		v.warn("%s seems to be encrypted: only its catalog was checked", name)
		return nil
	case err != nil:
		v.add(name, "format", "", err)
		return nil
	}
	v.add(name, "contents", "", r.WIM.Verify(ctx, 0, func(done, total int64) { v.progress("contents", done, total) }))
	v.add(name, "rules of Windows", "", v.findings(name, r))
	if err := v.credentialProviders(ctx, name, r); err != nil {
		return err
	}
	if listed == nil {
		return nil
	}
	if listed.Signer != nil && signer != listed.Signer.SHA256 {
		v.add(listed.Catalog, "signer", "", fmt.Errorf("%w: the manifest names another signer, %s", ErrIntegrity, listed.Signer.Subject))
	}
	err = listed.compare(ctx, r, size)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.add(name, "manifest", "", err)
	return nil
}

// compare holds what the manifest says against what the package carries.
func (l *listing) compare(ctx context.Context, r *ppkg.Reader, size int64) error {
	if r.ID != l.ID || r.Version != l.Version || r.Name != l.Name || size != l.Size || l.sha256 != l.SHA256 {
		return fmt.Errorf("%w: it is package %s, %s, version %s, %d bytes, SHA-256 %s", ErrIntegrity, r.ID, r.Name, r.Version, size, l.sha256)
	}
	e, err := enrollmentIn(r)
	if err != nil {
		return integrity(err)
	}
	if e.Organisation != l.manifest.Organisation || e.Directory.URL != l.manifest.Directory {
		return fmt.Errorf("%w: it enrols with %s at %s", ErrIntegrity, e.Organisation, e.Directory.URL)
	}
	secrets := len(r.Secrets()) + 1 // and the connect key
	for _, s := range l.manifest.Secrets {
		if s.Package == l.File {
			secrets--
		}
	}
	if secrets != 0 {
		return fmt.Errorf("%w: it carries %d secrets more than are listed", ErrIntegrity, secrets)
	}
	return l.compareContents(ctx, r, e)
}

// compareContents hashes every file that the agent will look for, as it will.
func (l *listing) compareContents(ctx context.Context, r *ppkg.Reader, e *api.Enrollment) error {
	want := map[string]string{}
	for _, a := range e.Agents {
		want[a.File] = a.SHA256
		if c := a.CredentialProvider; c.File != "" {
			want[c.File] = c.SHA256
		}
	}
	for _, p := range e.Payloads {
		want[p.File] = p.SHA256
	}
	for _, c := range l.Contents {
		if want[c.File] != c.SHA256 {
			return fmt.Errorf("%w: %s in it has SHA-256 %q", ErrIntegrity, c.File, want[c.File])
		}
	}
	if len(want) != len(l.Contents) {
		return fmt.Errorf("%w: it carries %d files, %d are listed", ErrIntegrity, len(want), len(l.Contents))
	}
	for _, a := range r.Assets {
		sum, ok := want[a.Name]
		if !ok {
			continue
		}
		delete(want, a.Name)
		if err := checkAsset(ctx, r.FS, a, sum); err != nil {
			return err
		}
	}
	for name := range want {
		return fmt.Errorf("%w: it lacks %s", ErrIntegrity, name)
	}
	return nil
}

func checkAsset(ctx context.Context, tree fs.FS, a ppkg.Asset, sum string) error {
	f, err := tree.Open(a.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &watchedReader{ctx, f, func(int64) {}}); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%w: %s in it has SHA-256 %s", ErrIntegrity, a.Name, got)
	}
	return nil
}

// enrollmentIn reads what the agent will find beside itself.
func enrollmentIn(r *ppkg.Reader) (*api.Enrollment, error) {
	if a := assetOf(commandFilesOf(r), api.EnrollmentFile); a != nil {
		return readEnrollment(r.FS, *a)
	}
	return nil, fmt.Errorf("it carries no %s", api.EnrollmentFile)
}

func readEnrollment(tree fs.FS, a ppkg.Asset) (*api.Enrollment, error) {
	f, err := tree.Open(a.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return api.ReadEnrollment(f)
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

// catalogOf checks the package f against the catalog beside it, and gives back
// the SHA-256 of the certificate that signed that; "" if none did.
func (v *verifier) catalogOf(ctx context.Context, path string, f *os.File, size int64) (signer string, err error) {
	name, err := findCatalog(path)
	if err != nil {
		return "", err
	}
	base := filepath.Base(name)
	der, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		v.noCatalog(filepath.Base(path))
		return "", nil
	}
	if err != nil {
		return "", err
	}
	c, err := catalog.Parse(der)
	v.add(base, "format", "", err)
	if err != nil {
		return "", nil //nolint:nilerr // it stands among the checks
	}
	var done int64
	digests, err := catalog.Digest(&watchedReader{ctx, f, func(n int64) {
		done += n
		v.progress("hashing", done, size)
	}})
	if err != nil {
		return "", err
	}
	v.add(filepath.Base(path), "catalog", "", c.Check(digests))
	return v.catalogSignature(base, der, c), nil
}

// noCatalog is worse than an unsigned one: nothing speaks for the package.
func (v *verifier) noCatalog(name string) {
	if v.RequireSignature {
		v.add(name, "signature", "", fmt.Errorf("%w: it has no catalog beside it", signing.ErrNoSignature))
		return
	}
	v.warn("%s has no catalog beside it: nothing says whether it has been changed", name)
}

// findCatalog looks for the catalog's name as Windows would, in whatever case.
func findCatalog(path string) (string, error) {
	name := catalogPath(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	found := name
	for _, e := range entries {
		if e.Name() == filepath.Base(name) {
			return name, nil
		}
		if strings.EqualFold(e.Name(), filepath.Base(name)) {
			found = filepath.Join(filepath.Dir(path), e.Name())
		}
	}
	return found, nil
}

func (v *verifier) catalogSignature(name string, der []byte, c *catalog.Catalog) (signer string) {
	if !c.Signed {
		v.unsigned(name)
		return ""
	}
	report, err := signing.VerifyCatalog(der, v.VerifyOptions.VerifyOptions)
	v.add(name, "signature", signedBy(report), err)
	if report == nil || report.Signer == nil {
		return ""
	}
	return fingerprint(report.Signer)
}
