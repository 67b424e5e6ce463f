package kit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// Sign signs a file the way its kind is signed, and returns where the signature
// is: for a provisioning package in the catalog beside it, which is made; for
// an installer package or bundle of macOS, a catalog, program or script in
// itself; for anything else in a file beside it with .p7s appended. output, if
// not empty, is the file to write instead; bundles are signed where they are.
func Sign(ctx context.Context, path, output string, id *signing.Identity, o signing.Options) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if output != "" {
			return "", fmt.Errorf("signing %s: %w: a folder is signed where it is", path, ErrKind)
		}
		if err := signBundle(ctx, path, id, o); err != nil {
			return "", fmt.Errorf("signing %s: %w", path, err)
		}
		return path, nil
	}
	f, size, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	s := signer{f, size, info.Mode().Perm(), id, o}
	kind := kindOf(f, path)
	target, targetKind := path, kind
	switch kind {
	case kindPackage:
		target, targetKind = catalogPath(path), kindCatalog
	case kindOther:
		if signedInside[strings.ToLower(filepath.Ext(path))] && output == "" {
			return "", fmt.Errorf("signing %s: %w: it is called a program and is none that can be signed here", path, ErrKind)
		}
		target = path + signatureExt
	}
	if output != "" && output != path {
		target = output
		if err := checkReplace(target, targetKind, f); err != nil {
			return "", err
		}
	}
	switch kind {
	case kindPackage:
		err = s.signPackage(ctx, target)
	case kindCatalog:
		err = s.signWhole(target, func(der []byte) ([]byte, error) { return signing.SignCatalog(ctx, der, id, o) })
	case kindProgram:
		err = s.write(target, func(out *atomicfile.File) error { return signing.SignPE(ctx, s.file, s.size, out, id, o) })
	case kindMachO:
		code := signing.Code{Identifier: codeIdentifierOf(path)}
		err = s.write(target, func(out *atomicfile.File) error { return signing.SignMachO(ctx, s.file, s.size, out, code, id, o) })
	case kindInstaller:
		err = s.write(target, func(out *atomicfile.File) error { return s.signInstaller(ctx, out) })
	case kindScript:
		err = s.signWhole(target, func(script []byte) ([]byte, error) { return signing.SignPowerShell(ctx, script, id, o) })
	default:
		err = s.signBeside(ctx, target)
	}
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", path, err)
	}
	return target, nil
}

// signedInside are names of files that carry their signature inside. One of
// which we do not know the format would not be trusted for a signature beside.
var signedInside = map[string]bool{
	".exe": true, ".dll": true, ".sys": true, ".ocx": true, ".scr": true, ".cpl": true, ".efi": true,
	".msi": true, ".msp": true, ".mst": true, ".msix": true, ".appx": true, ".cab": true,
	".vbs": true, ".js": true, ".ps1xml": true,
}

// signer is a file about to be signed.
type signer struct {
	file *os.File
	size int64
	mode fs.FileMode
	id   *signing.Identity
	o    signing.Options
}

// signPackage signs nothing that Windows could not read.
func (s *signer) signPackage(ctx context.Context, output string) error {
	switch r, err := ppkg.Open(s.file, s.size); {
	case errors.Is(err, ppkg.ErrEncrypted): // nobody can look into it
	case err != nil:
		return err
	default:
		if err := r.WIM.Verify(ctx, 0, func(_, _ int64) {}); err != nil {
			return err
		}
	}
	digests, err := catalog.Digest(&watchedReader{ctx, s.file, func(int64) {}})
	if err != nil {
		return err
	}
	at := s.o.Time
	if at.IsZero() {
		at = time.Now()
	}
	der, err := newCatalog(digests, at)
	if err != nil {
		return err
	}
	if der, err = signing.SignCatalog(ctx, der, s.id, s.o); err != nil {
		return err
	}
	return atomicfile.WriteFile(output, der, 0o644)
}

// signWhole signs a file that is small enough to be in memory.
func (s *signer) signWhole(output string, sign func([]byte) ([]byte, error)) error {
	content, err := readSmall(s.file.Name())
	if err != nil {
		return err
	}
	signed, err := sign(content)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(output, signed, s.mode)
}

// write lets a signed copy appear once it is whole.
func (s *signer) write(output string, sign func(out *atomicfile.File) error) error {
	out, err := atomicfile.Create(output, s.mode)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := sign(out); err != nil {
		return err
	}
	return out.Commit()
}

// signInstaller writes the package anew: signatures lie in front of what they
// sign, and an old ticket speaks for another signature.
func (s *signer) signInstaller(ctx context.Context, out *atomicfile.File) error {
	p, err := pkgbuild.Open(s.file, s.size)
	if err != nil {
		return err
	}
	if err := p.CheckContents(ctx); err != nil {
		return err
	}
	o := pkgbuild.Options{Time: p.Archive.Created}
	if o.Signer, err = signing.PackageSigner(s.id, s.o); err != nil {
		return err
	}
	return p.Copy(ctx, out, o)
}

// codeIdentifierOf makes the name by which macOS knows a program of that file,
// as codesign does where nobody gives one.
func codeIdentifierOf(path string) string {
	name := filepath.Base(path)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

func (s *signer) signBeside(ctx context.Context, output string) error {
	p7s, err := signing.SignDetached(ctx, s.file, s.id, s.o)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(output, p7s, 0o644)
}

// ErrNobodySigns: the configuration does not say who signs such files.
var ErrNobodySigns = errors.New("nobody is named who signs such files")

// SigningFor gives the part of a configuration that says who signs a file of
// this kind. The error wraps ErrNobodySigns if nothing does.
func SigningFor(path string, c *config.Config) (*config.Signing, error) {
	kind := kindMachO // what a folder is signed as
	if !isBundle(path) {
		f, _, err := openRegular(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		kind = kindOf(f, path)
	}
	s, section := c.Signing, "signing"
	switch kind {
	case kindInstaller:
		s, section = c.MacOS.Signing.Installer, "macos.signing.installer"
	case kindMachO:
		s, section = c.MacOS.Signing.Application, "macos.signing.application"
	}
	if s == nil {
		return nil, c.ErrorAt(section, "add the section "+section, "%w", ErrNobodySigns)
	}
	return s, nil
}
