package pkgbuild

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"firstday.dev/pkgbuild/bom"
)

// ListedFile is a file that a package installs, as its Bom tells.
type ListedFile struct {
	Component *PackagedComponent
	// VolumePath is where the file ends up: relative to the volume, "." for
	// its root.
	VolumePath string
	bom.Entry
}

// FileMode is the mode with the type, as Go has it.
func (f *ListedFile) FileMode() fs.FileMode { return fileMode(f.Mode) }

func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, bit := range []struct {
		posix uint32
		mode  fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if mode&bit.posix != 0 {
			m |= bit.mode
		}
	}
	switch mode & bom.ModeType {
	case bom.ModeDir:
		m |= fs.ModeDir
	case bom.ModeSymlink:
		m |= fs.ModeSymlink
	case bom.ModeRegular, 0: // without a type it is the root, of which nothing is known
	default:
		m |= fs.ModeIrregular
	}
	return m
}

// List lists what all components install, each in the order of its Bom. Sizes
// of folders mean nothing.
func (p *Package) List(ctx context.Context) ([]ListedFile, error) {
	var list []ListedFile
	for _, c := range p.Components {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := c.Bom()
		if err != nil {
			return nil, err
		}
		if len(list)+len(entries) > bom.MaxPaths {
			return nil, fmt.Errorf("%w: more than %d files", ErrUnsupported, bom.MaxPaths)
		}
		for _, e := range entries {
			list = append(list, ListedFile{c, c.Info.volumePath(strings.TrimPrefix(e.Path, "./")), e})
		}
	}
	return list, nil
}
