package pkgbuild

import (
	"context"
	"fmt"
	"io"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/xar"
)

// about is what a Distribution says of a component.
type about struct{ identifier, version, action string }

func (c *ProductComponent) about() about {
	if c.Packaged != nil {
		i := c.Packaged.Info
		return about{i.Identifier, i.Version, i.PostinstallAction}
	}
	return about{c.Identifier, c.Version, c.PostinstallAction}
}

func (c *ProductComponent) headers() []xar.Header {
	folder := c.Name + "/"
	if c.Packaged == nil {
		return c.Component.headers(folder)
	}
	var list []xar.Header
	for _, f := range c.Packaged.files() {
		list = append(list, xar.Header{Name: folder + c.Packaged.inside(f), Compress: f.Compressed})
	}
	return list
}

// write writes the component into its folder of the archive. One of another
// package is copied as it is, and says itself how large it is.
func (c *ProductComponent) write(ctx context.Context, w *writer) (kilobytes int64, err error) {
	folder := c.Name + "/"
	if c.Packaged == nil {
		s, err := c.Component.write(ctx, w, folder)
		if err != nil {
			return 0, err
		}
		return s.kilobytes(), nil
	}
	for _, f := range c.Packaged.files() {
		contents, err := f.Open()
		if err != nil {
			return 0, err
		}
		err = w.file(folder+c.Packaged.inside(f), func(to io.Writer) error {
			_, err := io.Copy(to, contextio.Reader(ctx, contents))
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("copying %s: %w", c.Packaged.Info.Identifier, err)
		}
	}
	return c.Packaged.Info.InstallKBytes, nil
}

// files are those of the archive that belong to the component.
func (c *PackagedComponent) files() []*xar.File {
	var list []*xar.File
	for _, f := range c.archive.Files {
		if !f.IsDir && (c.Folder == "" || strings.HasPrefix(f.Name, c.Folder+"/")) {
			list = append(list, f)
		}
	}
	return list
}

// inside is a file's name within the component.
func (c *PackagedComponent) inside(f *xar.File) string {
	if c.Folder == "" {
		return f.Name
	}
	return strings.TrimPrefix(f.Name, c.Folder+"/")
}
