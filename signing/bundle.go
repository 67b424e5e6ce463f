package signing

import (
	"context"
	"errors"
	"fmt"
	"io"

	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/pkgbuild/macho"
)

// SignBundle seals a bundle as it is and signs it as [SignMachO] does: it
// writes the signed program, and gives the seal, which belongs to b.Resources.
// Programs and bundles inside must be signed already. code's Identifier may be
// empty: then it is the bundle's.
func SignBundle(ctx context.Context, b *bundle.Bundle, program io.Writer, code Code, id *Identity, opts Options) (seal []byte, err error) {
	seal, err = b.Seal(ctx)
	if err != nil {
		return nil, bundleError(err)
	}
	p, closeProgram, err := b.Program()
	if err != nil {
		return nil, bundleError(err)
	}
	if code.Identifier == "" {
		code.Identifier = b.Identifier
	}
	code.InfoPlist, code.CodeResources = b.InfoPlist, seal
	err = SignMachO(ctx, p, p.Size, program, code, id, opts)
	if err = errors.Join(err, closeProgram()); err != nil {
		return nil, fmt.Errorf("%s: %w", b.Executable, err)
	}
	return seal, nil
}

// BundleReport is what VerifyBundle found of one program in a bundle.
type BundleReport struct {
	Path    string // in the bundle
	Reports []CodeReport
	Err     error // about who signed; nil: none
}

// VerifyBundle verifies a bundle: its seal, its program and all code inside,
// each as [VerifyMachO] does. The bundle's own program comes first. The first
// error about a certificate comes with all reports.
func VerifyBundle(ctx context.Context, b *bundle.Bundle, opts VerifyOptions) ([]BundleReport, error) {
	var all []BundleReport
	var doubt error
	judge := func(ctx context.Context, path string, p macho.Program) ([]*macho.Signature, error) {
		reports, err := VerifyMachO(ctx, p, p.Size, opts)
		if errors.Is(err, ErrNoSignature) && path != b.Executable {
			return nil, fmt.Errorf("%w: %w", bundle.ErrSeal, bundle.ErrUnsignedCode)
		}
		if err != nil && reports == nil {
			return nil, err
		}
		if err != nil && doubt == nil {
			doubt = fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, BundleReport{path, reports, err})
		var signatures []*macho.Signature
		for _, r := range reports {
			signatures = append(signatures, r.Signature)
		}
		return signatures, nil
	}
	if err := b.Verify(ctx, judge); err != nil {
		return nil, bundleError(err)
	}
	return all, doubt
}

// bundleError says in our own words what package bundle says in its own.
func bundleError(err error) error {
	switch {
	case errors.Is(err, bundle.ErrFormat):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case errors.Is(err, bundle.ErrUnsignedCode) && !errors.Is(err, bundle.ErrSeal):
		return err
	case errors.Is(err, bundle.ErrSeal):
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return machoError(err)
}
