package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/ppkg/wim"
)

// WritePackage writes a package and, beside it, its unsigned catalog.
func WritePackage(ctx context.Context, path string, p *ppkg.Package, o ppkg.Options, progress func(step string, done, total int64)) (*Package, error) {
	unsigned := func(_ context.Context, cat []byte) ([]byte, error) { return cat, nil }
	return writePackage(ctx, path, p, packageOptions{Options: o, sign: unsigned, progress: progress})
}

type packageOptions struct {
	ppkg.Options
	sign     func(ctx context.Context, cat []byte) ([]byte, error)
	begun    *beginnings // nil for a package alone
	progress func(step string, done, total int64)
}

// writePackage lets neither file appear before both are ready.
func writePackage(ctx context.Context, path string, p *ppkg.Package, o packageOptions) (*Package, error) {
	name, catalogPath := filepath.Base(path), catalogPath(path)
	if strings.EqualFold(path, catalogPath) {
		return nil, fmt.Errorf("%s is the name of the package's catalog: %w", path, ErrOverwrite)
	}
	if err := errors.Join(checkReplace(path, kindPackage), checkReplace(catalogPath, kindCatalog)); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path, privateFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o.Progress = func(done, total int64) { o.progress("packing", done, total) }
	var prefix wim.Prefix
	o.Prefix = &prefix
	if err := ppkg.Write(ctx, f, p, o.Options); err != nil {
		return nil, fmt.Errorf("building %s: %w", name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	digests, err := o.digests(ctx, f, info.Size(), prefix)
	if err != nil {
		return nil, fmt.Errorf("hashing %s: %w", name, err)
	}
	cat, err := newCatalog(digests, o.Time)
	if err != nil {
		return nil, err
	}
	if cat, err = o.sign(ctx, cat); err != nil {
		return nil, err
	}
	c, err := atomicfile.Create(catalogPath, 0o644)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Write(cat); err != nil {
		return nil, err
	}
	if err := f.Commit(); err != nil {
		return nil, err
	}
	return &Package{
		File: name, Size: info.Size(), SHA256: fmt.Sprintf("%x", digests.SHA256),
		ID: p.ID, Name: p.Name, Version: p.Version,
		Catalog: filepath.Base(catalogPath),
	}, c.Commit()
}

// digests hashes a package that is written.
func (o *packageOptions) digests(ctx context.Context, f io.ReaderAt, size int64, p wim.Prefix) (catalog.Digests, error) {
	var done int64
	from := func(start, end int64) io.Reader {
		return &watchedReader{ctx, io.NewSectionReader(f, start, end-start), func(n int64) {
			done += n
			o.progress("hashing", done, size)
		}}
	}
	state, err := o.begun.after(p, from(0, p.Size))
	if err != nil {
		return catalog.Digests{}, err
	}
	done = p.Size
	return state.Digest(from(p.Size, size))
}

// newCatalog makes the unsigned catalog of a package. What ICD fills with
// chance, the list's identifier, comes from the package: one package, one list.
func newCatalog(d catalog.Digests, at time.Time) ([]byte, error) {
	return catalog.Create(d, [16]byte(d.SHA256[:16]), at.UTC())
}
