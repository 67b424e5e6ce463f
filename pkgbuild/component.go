package pkgbuild

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/xar"
)

// Component installs one tree of files.
type Component struct {
	Identifier      string // such as com.example.agent; the receipt bears it
	Version         string // numbers with dots between
	InstallLocation string // absolute path on the volume; empty: /
	// Payload is what is installed there; nil for a package of scripts alone,
	// which leaves no receipt.
	Payload fs.FS
	// Attributes are asked for the path on the volume below InstallLocation;
	// nil: [DefaultAttributes].
	Attributes func(path string, info fs.FileInfo) Attributes
	// Scripts holds preinstall and postinstall, either or both, and whatever
	// they need; nil: none.
	Scripts fs.FS
	// PostinstallAction is none (also if empty), logout, restart or shutdown.
	PostinstallAction string
}

// WriteComponent writes a component package.
func WriteComponent(ctx context.Context, out xar.Output, c *Component, o Options) error {
	w, err := newWriter(out, c.headers(""), &o)
	if err != nil {
		return err
	}
	if _, err := c.write(ctx, w, ""); err != nil {
		return err
	}
	return w.Close(ctx)
}

// writer is an archive on its way, with what is common to its components.
type writer struct {
	*xar.Writer
	o *Options
}

func newWriter(out xar.Output, headers []xar.Header, o *Options) (*writer, error) {
	w, err := xar.NewWriter(out, headers, xar.Options{Checksum: o.Checksum, Created: o.Time, Signer: o.Signer})
	if err != nil {
		return nil, err
	}
	return &writer{w, o}, nil
}

// headers are the files of the component in the order that Apple's tools have.
func (c *Component) headers(folder string) []xar.Header {
	var list []xar.Header
	if c.Payload != nil {
		list = append(list, xar.Header{Name: folder + "Bom", Compress: true}, xar.Header{Name: folder + "Payload"})
	}
	if c.Scripts != nil {
		list = append(list, xar.Header{Name: folder + "Scripts"})
	}
	return append(list, xar.Header{Name: folder + "PackageInfo", Compress: true})
}

// check refuses what Installer would, or would not do as meant.
func (c *Component) check() error {
	switch {
	case !isIdentifier(c.Identifier):
		return fmt.Errorf("%w: identifier %q", ErrDescription, c.Identifier)
	case !isVersion(c.Version):
		return fmt.Errorf("%w: version %q; it must be numbers with dots between", ErrDescription, c.Version)
	case c.InstallLocation != "" && !strings.HasPrefix(c.InstallLocation, "/"):
		return fmt.Errorf("%w: install location %q is not absolute", ErrDescription, c.InstallLocation)
	case c.Payload == nil && c.Scripts == nil:
		return fmt.Errorf("%w: %s installs nothing and runs nothing", ErrDescription, c.Identifier)
	case c.PostinstallAction != "" && c.PostinstallAction != "none" && c.PostinstallAction != "logout" &&
		c.PostinstallAction != "restart" && c.PostinstallAction != "shutdown":
		return fmt.Errorf("%w: postinstall action %q", ErrDescription, c.PostinstallAction)
	}
	return c.checkScripts()
}

// scriptNames are the scripts that Installer runs.
var scriptNames = []string{"preinstall", "postinstall"}

func (c *Component) checkScripts() error {
	if c.Scripts == nil || slices.ContainsFunc(scriptNames, c.hasScript) {
		return nil
	}
	return fmt.Errorf("%w: the scripts are neither preinstall nor postinstall", ErrDescription)
}

func (c *Component) hasScript(name string) bool {
	info, err := fs.Stat(c.Scripts, name)
	return err == nil && info.Mode().IsRegular()
}

// write writes the component into a folder of the archive, "" or with a slash
// at its end, and tells its size.
func (c *Component) write(ctx context.Context, w *writer, folder string) (*size, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := new(size)
	if c.Payload != nil {
		entries, err := w.tree(ctx, folder+"Payload", c.Payload, c.attributes())
		if err != nil {
			return nil, err
		}
		s.add(entries)
		if err := w.file(folder+"Bom", func(f io.Writer) error { return bom.Write(f, entries) }); err != nil {
			return nil, err
		}
	}
	if c.Scripts != nil {
		if _, err := w.tree(ctx, folder+"Scripts", c.Scripts, scriptAttributes); err != nil {
			return nil, err
		}
	}
	return s, w.file(folder+"PackageInfo", func(f io.Writer) error {
		_, err := c.packageInfo(s).WriteTo(f)
		return err
	})
}

// attributes are asked for paths on the volume.
func (c *Component) attributes() func(string, fs.FileInfo) Attributes {
	ask := c.Attributes
	if ask == nil {
		ask = DefaultAttributes
	}
	base := strings.Trim(c.InstallLocation, "/")
	if base == "" {
		return ask
	}
	return func(path string, info fs.FileInfo) Attributes {
		if path == "." {
			return ask(base, info)
		}
		return ask(base+"/"+path, info)
	}
}

// scriptAttributes makes everything runnable for root.
func scriptAttributes(string, fs.FileInfo) Attributes { return Attributes{Mode: 0o755} }

func (w *writer) tree(ctx context.Context, name string, tree fs.FS, attributes func(string, fs.FileInfo) Attributes) ([]bom.Entry, error) {
	var entries []bom.Entry
	return entries, w.file(name, func(f io.Writer) (err error) {
		entries, err = writePayload(ctx, f, tree, attributes, w.o)
		return err
	})
}

func (w *writer) file(name string, write func(io.Writer) error) error {
	f, err := w.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.Close()
}

// size is what PackageInfo says of a payload.
type size struct {
	files int   // in the archive, with the root
	bytes int64 // on a disk with blocks of 512 bytes, without the root
}

func (s *size) add(entries []bom.Entry) {
	const block = 512
	for _, e := range entries {
		s.files++
		if e.Mode&bom.ModeType == bom.ModeRegular {
			s.bytes += (e.Size + block - 1) / block * block
		}
	}
}

func (s *size) kilobytes() int64 { return (s.bytes + 1023) / 1024 }

const maxIdentifier = 200

func isIdentifier(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
	return s != "" && len(s) <= maxIdentifier && strings.Trim(s, letters) == "" && strings.Trim(s, ".") == s && !strings.Contains(s, "..")
}

func isVersion(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || len(part) > 9 || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return len(s) <= 60
}
