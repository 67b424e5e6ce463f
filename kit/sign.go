package kit

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// Sign signs a file the way its kind is signed, and returns where the signature
// is: for a package in the catalog beside it, which is made; for a catalog,
// program or script in the file itself; for anything else in a file beside it
// with .p7s appended. output, if not empty, is the file to write instead.
func Sign(ctx context.Context, path, output string, id *signing.Identity, o signing.Options) (string, error) {
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
	switch kindOf(f, path) {
	case kindPackage:
		output = or(output, strings.TrimSuffix(path, filepath.Ext(path))+".cat")
		err = s.signPackage(ctx, output)
	case kindCatalog:
		output = or(output, path)
		err = s.signWhole(output, func(der []byte) ([]byte, error) { return signing.SignCatalog(ctx, der, id, o) })
	case kindProgram:
		output = or(output, path)
		err = s.signProgram(ctx, output)
	case kindScript:
		output = or(output, path)
		err = s.signWhole(output, func(script []byte) ([]byte, error) { return signing.SignPowerShell(ctx, script, id, o) })
	default:
		output = or(output, path+".p7s")
		err = s.signBeside(ctx, output)
	}
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", path, err)
	}
	return output, nil
}

// signer is a file about to be signed.
type signer struct {
	file *os.File
	size int64
	mode fs.FileMode
	id   *signing.Identity
	o    signing.Options
}

func (s *signer) signPackage(ctx context.Context, output string) error {
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

func (s *signer) signProgram(ctx context.Context, output string) error {
	out, err := atomicfile.Create(output, s.mode)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := signing.SignPE(ctx, s.file, s.size, out, s.id, s.o); err != nil {
		return err
	}
	return out.Commit()
}

func (s *signer) signBeside(ctx context.Context, output string) error {
	p7s, err := signing.SignDetached(ctx, s.file, s.id, s.o)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(output, p7s, 0o644)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
