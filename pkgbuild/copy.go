package pkgbuild

import (
	"context"
	"io"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/xar"
)

// Copy writes a package with the same files, signed as the options say, or not
// at all. Payloads are copied as they are.
func (p *Package) Copy(ctx context.Context, out xar.Output, o Options) error {
	var headers []xar.Header
	for _, f := range p.Archive.Files {
		if !f.IsDir {
			headers = append(headers, xar.Header{Name: f.Name, Compress: f.Compressed})
		}
	}
	w, err := newWriter(out, headers, &o)
	if err != nil {
		return err
	}
	for _, f := range p.Archive.Files {
		if f.IsDir {
			continue
		}
		contents, err := f.Open()
		if err != nil {
			return err
		}
		if err := w.file(f.Name, func(to io.Writer) error {
			_, err := io.Copy(to, contextio.Reader(ctx, contents))
			return err
		}); err != nil {
			return err
		}
	}
	return w.Close(ctx)
}
