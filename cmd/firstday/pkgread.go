package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
)

// openInstaller opens an installer package. Close the file after use.
func openInstaller(name string) (*pkgbuild.Package, *os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var p *pkgbuild.Package
		if p, err = pkgbuild.Open(f, info.Size()); err == nil {
			return p, f, nil
		}
		err = fmt.Errorf("%s: %w", name, err)
	}
	return nil, nil, errors.Join(err, f.Close())
}

// withInstaller runs a command with the package that its first argument names.
func withInstaller(f func(c *cobra.Command, p *pkgbuild.Package, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		p, file, err := openInstaller(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		return f(c, p, args)
	}
}

func newPkgList() *cobra.Command {
	return &cobra.Command{
		Use:     "list FILE",
		Short:   "List what a package installs, with modes and owners",
		Example: `  firstday pkg list Acme.pkg`,
		Args:    cobra.ExactArgs(1),
		RunE: withInstaller(func(c *cobra.Command, p *pkgbuild.Package, args []string) error {
			files, err := p.List(c.Context())
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			type entry struct {
				Component string    `json:"component"`
				Path      string    `json:"path"`
				Mode      string    `json:"mode"`
				UID       uint32    `json:"uid"`
				GID       uint32    `json:"gid"`
				Size      int64     `json:"size"`
				Modified  time.Time `json:"modified"`
				Target    string    `json:"target,omitempty"`
			}
			list := make([]entry, len(files))
			for i, file := range files {
				list[i] = entry{
					file.Component.Info.Identifier, file.VolumePath, file.FileMode().String(), file.UID, file.GID,
					file.Size, time.Unix(int64(file.ModTime), 0).UTC(), file.Target,
				}
			}
			return show(c, list, func(w *text) {
				for _, e := range list {
					name := e.Path
					if e.Target != "" {
						name += " -> " + e.Target
					}
					w.line("%s %4d:%-4d %12d  %s  %s", e.Mode, e.UID, e.GID, e.Size, e.Modified.Format(time.DateTime), name)
				}
			})
		}),
	}
}

func newPkgCat() *cobra.Command {
	return &cobra.Command{
		Use:   "cat FILE PATH",
		Short: "Write one file of a package to standard output",
		Long: `Cat writes one file of a package to standard output: one of the archive, such as
Distribution, or one that the package installs, by its path on the volume.`,
		Example: `  firstday pkg cat Acme.pkg Distribution
  firstday pkg cat Acme.pkg /Library/LaunchDaemons/dev.firstday.agent.plist`,
		Args: cobra.ExactArgs(2),
		RunE: withInstaller(func(c *cobra.Command, p *pkgbuild.Package, args []string) error {
			return catInstaller(c.Context(), p, args[1], c.OutOrStdout())
		}),
	}
}

// errFound ends a walk at what it was for.
var errFound = errors.New("found")

func catInstaller(ctx context.Context, p *pkgbuild.Package, name string, out io.Writer) error {
	for _, f := range p.Archive.Files {
		if f.Name == name && !f.IsDir {
			in, err := f.Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(out, in)
			return err
		}
	}
	want := path.Join("/", name)
	for _, component := range p.Components {
		if !component.HasPayload() {
			continue
		}
		base := path.Join("/", component.Info.InstallLocation)
		err := component.Walk(ctx, func(h *cpio.Header, r io.Reader) error {
			if path.Join(base, h.Name) != want {
				return nil
			}
			if _, err := io.Copy(out, r); err != nil {
				return err
			}
			return errFound
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return withHint(&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}, "firstday pkg list shows what there is")
}

// lintError says that a package has errors, which have been shown.
type lintError struct {
	file string
	n    int
}

func (e lintError) Error() string {
	return fmt.Sprintf("%s has %d errors: it, or what it installs, will not work as it should", e.file, e.n)
}

func (lintError) Unwrap() error { return pkgbuild.ErrFormat }

func newLint() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE",
		Short: "Find what will not work in an installer package for macOS",
		Long: `Lint looks for what is known to go wrong with installer packages, though they are
valid: a daemon whose program is not there, architectures that are promised and
missing, programs without a signature in a signed package, wrong owners and modes,
scripts that cannot run, and more.`,
		Example: `  firstday lint Acme.pkg
  firstday lint --json Acme.pkg`,
		Args: cobra.ExactArgs(1),
		RunE: withInstaller(func(c *cobra.Command, p *pkgbuild.Package, args []string) error {
			findings := pkgbuild.Lint(c.Context(), p)
			if err := c.Context().Err(); err != nil {
				return err
			}
			errs := 0
			for _, finding := range findings {
				if finding.Severity == pkgbuild.SeverityError {
					errs++
				}
			}
			if err := show(c, findings, func(w *text) {
				for _, finding := range findings {
					w.line("%s: %s: %s (%s)", finding.Severity, finding.Path, finding.Message, finding.Rule)
				}
				if len(findings) == 0 {
					w.line("nothing found in %s", strings.TrimSpace(args[0]))
				}
			}); err != nil {
				return err
			}
			if errs > 0 {
				return lintError{args[0], errs}
			}
			return nil
		}),
	}
}
