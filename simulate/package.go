package simulate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"firstday.dev/api"
	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild"
	"firstday.dev/ppkg"
	"firstday.dev/signing"
)

// Trust says which packages are good enough.
type Trust struct {
	kit.VerifyOptions
	// AllowUntrusted takes an installer package whose signer nobody trusts, as
	// `installer -allowUntrusted` does.
	AllowUntrusted bool
}

// Package is a built package that was checked and is held open.
type Package struct {
	Platform api.Platform
	// Trusted says that somebody who is trusted signed it.
	Trusted bool

	name    string // of the file
	sha256  string
	file    *os.File
	windows *ppkg.Reader
	macos   *pkgbuild.Package
}

// OpenPackage opens a package and checks all that can be checked before a device
// sees it: its catalog and signatures, every byte of its contents, and the
// rules of the system that it is for. What is wrong is an error that wraps what
// was found.
func OpenPackage(ctx context.Context, path string, t Trust, events func(Event)) (*Package, error) {
	return openPackage(ctx, path, t, newNarrator(events))
}

func openPackage(ctx context.Context, path string, t Trust, told *narrator) (*Package, error) {
	f, named, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	p := &Package{name: filepath.Base(path), file: f}
	if err := p.open(ctx, named.Size()); err != nil {
		told.failed(StepPackage, "package "+p.name, err)
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	told.good(StepPackage, "package "+p.name, fmt.Sprintf("for %s, %d bytes, SHA-256 %s", p.Platform, named.Size(), p.sha256))
	if err := p.check(ctx, path, t, told); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// What was checked by its name must be what was opened.
	after, err := os.Stat(path)
	if opened, e := f.Stat(); err != nil || e != nil || !os.SameFile(after, opened) || after.Size() != named.Size() || !after.ModTime().Equal(named.ModTime()) {
		return nil, errors.Join(fmt.Errorf("%s: %w while it was read", path, kit.ErrIntegrity), err, e, f.Close())
	}
	return p, nil
}

// openRegular opens a file that is looked at before: to open a pipe is to wait.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	named, err := os.Stat(path)
	if err == nil && !named.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w: it is not a file", path, kit.ErrKind)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	return f, named, err
}

// Close lets go of the package's file.
func (p *Package) Close() error { return p.file.Close() }

// open finds out what the file is, and reads its descriptions.
func (p *Package) open(ctx context.Context, size int64) error {
	h := sha256.New()
	if _, err := io.Copy(h, contextio.Reader(ctx, io.NewSectionReader(p.file, 0, size))); err != nil {
		return err
	}
	p.sha256 = hex.EncodeToString(h.Sum(nil))
	head := make([]byte, 4)
	_, err := p.file.ReadAt(head, 0)
	switch ext := filepath.Ext(p.name); {
	case err != nil:
		return fmt.Errorf("%w: it is too short for a package", kit.ErrKind)
	case string(head) == "xar!":
		p.Platform = api.MacOS
		p.macos, err = pkgbuild.Open(p.file, size)
	case strings.EqualFold(ext, ".ppkg"):
		p.Platform = api.Windows
		p.windows, err = ppkg.Open(p.file, size)
	default:
		err = fmt.Errorf("%w: neither an installer package for macOS, nor called .ppkg", kit.ErrKind)
	}
	return err
}

// check tells what package kit finds, and refuses what would be refused.
func (p *Package) check(ctx context.Context, path string, t Trust, told *narrator) error {
	v, err := kit.Verify(ctx, path, t.VerifyOptions)
	if err != nil {
		return err
	}
	var refused []error
	signed := false
	for _, c := range v.Checks {
		err := c.Err()
		signature := c.What == "signature"
		signed = signed || signature && err == nil
		switch {
		case err == nil:
			told.good(StepPackage, c.File+": "+c.What, c.Detail)
		case signature && p.tolerates(err, t):
			told.note(StepPackage, c.File+": "+c.What, "not trusted: "+err.Error())
		default:
			told.failed(StepPackage, c.File+": "+c.What, err)
			refused = append(refused, fmt.Errorf("%s: %s: %w", c.File, c.What, err))
		}
	}
	for _, w := range v.Warnings {
		told.note(StepPackage, w, "")
	}
	p.Trusted = signed
	return errors.Join(refused...)
}

// tolerates: at its first screen Windows takes a package from anybody, as long
// as it is whole (formats/ppkg.md §5.5). Installer takes an unsigned one from an
// administrator, but one that nobody trusted has signed only if told to.
func (p *Package) tolerates(err error, t Trust) bool {
	nobody := errors.Is(err, signing.ErrUntrusted) || errors.Is(err, signing.ErrExpired)
	if p.Platform == api.MacOS {
		return nobody && t.AllowUntrusted
	}
	return nobody && !t.RequireSignature
}

// identity is how a system remembers the package.
func (p *Package) identity() (id, version string) {
	switch {
	case p.windows != nil:
		return p.windows.ID.String(), p.windows.Version
	case p.macos.Product != nil:
		first := p.macos.Components
		id, version = p.macos.Product.Identifier, p.macos.Product.Version
		if len(first) > 0 {
			id, version = cmp.Or(id, first[0].Info.Identifier), cmp.Or(version, first[0].Info.Version)
		}
		return id, version
	default:
		info := p.macos.Components[0].Info
		return info.Identifier, info.Version
	}
}
