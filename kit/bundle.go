package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/signing"
)

// openBundle reads a folder that may be a bundle for macOS, and nothing that
// links lead to outside of it.
func openBundle(dir string) (*bundle.Bundle, *os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	b, err := bundle.Open(root.FS())
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", dir, err), root.Close())
	}
	return b, root, nil
}

// isBundle tells a bundle from other folders by what only bundles have.
func isBundle(dir string) bool {
	for _, mark := range []string{"Contents/Info.plist", "Versions/Current"} {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(mark))); err == nil {
			return true
		}
	}
	return false
}

// signBundle signs a bundle where it is. The program comes last: without its
// signature the seal is nothing.
func signBundle(ctx context.Context, dir string, id *signing.Identity, o signing.Options) error {
	b, root, err := openBundle(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	program := filepath.Join(dir, filepath.FromSlash(b.Executable))
	info, err := root.Stat(filepath.FromSlash(b.Executable))
	if err != nil {
		return err
	}
	out, err := atomicfile.Create(program, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer out.Close()
	seal, err := signing.SignBundle(ctx, b, out, signing.Code{}, id, o)
	if err != nil {
		return err
	}
	resources := filepath.Join(dir, filepath.FromSlash(b.Resources))
	if err := os.MkdirAll(filepath.Dir(resources), 0o755); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(resources, seal, 0o644); err != nil {
		return err
	}
	return out.Commit()
}

// bundle checks a bundle, and each program in it.
func (v *verifier) bundle(ctx context.Context, dir string) error {
	b, root, err := openBundle(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(dir)
	programs, err := signing.VerifyBundle(ctx, b, v.VerifyOptions.VerifyOptions)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, signing.ErrNoSignature) && programs == nil {
		v.unsigned(name)
		return nil
	}
	if programs == nil {
		v.add(name, "seal", "", err)
		return nil
	}
	v.add(name, "seal", "", nil)
	for _, p := range programs {
		report, err := oneSigner(p.Reports, p.Err)
		v.add(path.Join(name, p.Path), "signature", signedBy(report), err)
	}
	return nil
}
