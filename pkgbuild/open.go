package pkgbuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/xar"
)

var (
	// ErrFormat: a part of a package is not what it should be.
	ErrFormat = errors.New("pkgbuild: not a valid package")
	// ErrUnsupported: a payload in a format that is not read here, or larger
	// than any that is.
	ErrUnsupported = errors.New("pkgbuild: unsupported package")
	// ErrUnsafe: a package holds what must not be unpacked, such as a path that
	// leads out of its folder.
	ErrUnsafe = errors.New("pkgbuild: cannot be unpacked safely")
	// ErrContents: a payload is not what the Bom or PackageInfo say.
	ErrContents = errors.New("pkgbuild: contents differ")
)

// Package is a package that is read.
type Package struct {
	Archive *xar.Archive
	Product *Distribution // nil for a component package
	// Components are in the order of the archive; of a component package there
	// is one, itself.
	Components []*PackagedComponent
}

// PackagedComponent is a component in a package.
type PackagedComponent struct {
	Folder string // in the archive; empty for a component package
	Info   PackageInfo

	archive *xar.Archive
}

// Bounds on what descriptions claim, in bytes.
const (
	maxDescription  = 16 << 20
	maxDescriptions = 64 << 20 // all together
	maxBom          = 256 << 20
)

// Open reads what a package is: a component package has PackageInfo at its
// root, a product archive has Distribution there and a folder for each
// component. The payloads are not looked at yet. Errors wrap [ErrFormat] or
// those of [xar.Open].
func Open(r io.ReaderAt, size int64) (*Package, error) {
	archive, err := xar.Open(r, size)
	if err != nil {
		return nil, err
	}
	p := &Package{Archive: archive}
	distribution, info := find(archive, distributionFile), find(archive, infoFile)
	switch {
	case distribution != nil && info != nil:
		return nil, fmt.Errorf("%w: both Distribution and PackageInfo are at its root", ErrFormat)
	case info != nil:
		err = p.addComponent("", info)
	case distribution != nil:
		err = p.addProduct(distribution)
	default:
		err = fmt.Errorf("%w: neither Distribution nor PackageInfo is at its root", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Package) addProduct(distribution *xar.File) error {
	doc, err := readFile(distribution, maxDescription)
	if err != nil {
		return err
	}
	if p.Product, err = parseDistribution(doc); err != nil {
		return fmt.Errorf("%s: %w", distribution.Name, err)
	}
	p.Product.addResources(p.Archive)
	return p.addComponents()
}

// addComponents finds the folders that are components.
func (p *Package) addComponents() error {
	left := int64(maxDescriptions)
	for _, f := range p.Archive.Files {
		folder, name := path.Split(f.Name)
		if name != infoFile || strings.Count(folder, "/") != 1 {
			continue
		}
		if left -= f.Size; left < 0 {
			return fmt.Errorf("%w: more than %d bytes of PackageInfo", ErrFormat, maxDescriptions)
		}
		if err := p.addComponent(strings.TrimSuffix(folder, "/"), f); err != nil {
			return err
		}
	}
	return nil
}

func (p *Package) addComponent(folder string, info *xar.File) error {
	doc, err := readFile(info, maxDescription)
	if err != nil {
		return err
	}
	c := &PackagedComponent{Folder: folder, archive: p.Archive}
	parsed, err := parsePackageInfo(doc)
	if err != nil {
		return fmt.Errorf("%.300s: %w", info.Name, err)
	}
	c.Info = *parsed
	p.Components = append(p.Components, c)
	return nil
}

// find gives the file of that name, nil if there is none.
func find(a *xar.Archive, name string) *xar.File {
	i := slices.IndexFunc(a.Files, func(f *xar.File) bool { return f.Name == name && !f.IsDir })
	if i < 0 {
		return nil
	}
	return a.Files[i]
}

// readFile reads a file that is not larger than the limit.
func readFile(f *xar.File, limit int64) ([]byte, error) {
	if f.Size > limit {
		return nil, fmt.Errorf("%w: %.300s has %d bytes, more than %d", ErrFormat, f.Name, f.Size, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// file gives a file of the component, nil if it has none of that name.
func (c *PackagedComponent) file(name string) *xar.File {
	return find(c.archive, path.Join(c.Folder, name))
}

// HasPayload tells whether the component installs files.
func (c *PackagedComponent) HasPayload() bool { return c.file(payloadFile) != nil }

// HasScripts tells whether the component holds scripts.
func (c *PackagedComponent) HasScripts() bool { return c.file(scriptsFile) != nil }

// The files of a component, and that of a product.
const (
	bomFile     = "Bom"
	payloadFile = "Payload"
	scriptsFile = "Scripts"
	infoFile    = "PackageInfo"

	distributionFile = "Distribution"
)

// Bom lists what the component installs; nothing if there is no Bom.
func (c *PackagedComponent) Bom() ([]bom.Entry, error) {
	f := c.file(bomFile)
	if f == nil {
		return nil, nil
	}
	b, err := readFile(f, maxBom)
	if err != nil {
		return nil, err
	}
	entries, err := bom.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("%.300s: %w", f.Name, err)
	}
	return entries, nil
}

// Payload gives the cpio archive of what the component installs, decompressed;
// [PackagedComponent.Walk] reads it. Without a payload the error wraps
// [ErrFormat].
func (c *PackagedComponent) Payload() (io.ReadCloser, error) { return c.stream(payloadFile) }

// Scripts gives the cpio archive of the scripts, decompressed;
// [PackagedComponent.WalkScripts] reads it. Without scripts the error wraps
// [ErrFormat].
func (c *PackagedComponent) Scripts() (io.ReadCloser, error) { return c.stream(scriptsFile) }

func (c *PackagedComponent) stream(name string) (io.ReadCloser, error) {
	f := c.file(name)
	switch {
	case f == nil:
		return nil, fmt.Errorf("%w: %s has no %s", ErrFormat, c.name(), name)
	case c.Info.segmented && name == payloadFile:
		return nil, fmt.Errorf("%w: %.300s is in segments", ErrUnsupported, f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	plain, err := decompress(r)
	if err != nil {
		return nil, fmt.Errorf("%.300s: %w", f.Name, err)
	}
	return io.NopCloser(plain), nil
}

// name is what errors call the component.
func (c *PackagedComponent) name() string {
	if c.Folder != "" {
		return c.Folder
	}
	return "the package"
}
