package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/pkgbuild/munkipkg"
)

func newPkgBuild() *cobra.Command {
	var output, root, scripts string
	var component pkgbuild.Component
	c := &cobra.Command{
		Use:   "build [PROJECT]",
		Short: "Make a package of a folder, or of a munkipkg project",
		Long: `Build makes a component package of a folder, as pkgbuild does: the files below
--root, installed below --install-location, and the scripts preinstall and
postinstall of --scripts. Everything belongs to root, whoever builds it; folders
and programs get the mode 0755, other files 0644, Apple's folders what Apple gives
them. 'firstday pkg product' makes what device management takes of it.

Of a project of munkipkg, a folder with build-info, payload and scripts, it makes
the package that the project describes, in the folder build of the project unless
-o says otherwise.`,
		Example: `  firstday pkg build --root root --identifier com.example.tool --version 1.2 -o Tool.pkg
  firstday pkg build --scripts scripts --identifier com.example.fix --version 1 -o Fix.pkg
  firstday pkg build munki-project`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return buildProject(c, args[0], output)
			}
			if component.Identifier == "" || component.Version == "" || output == "" || root == "" && scripts == "" {
				return usageError{errors.New("give a project, or --identifier, --version, -o and --root or --scripts")}
			}
			var err error
			if component.Payload, err = folderFS(root); err != nil {
				return err
			}
			if component.Scripts, err = folderFS(scripts); err != nil {
				return err
			}
			return makeInstaller(c, output, func(ctx context.Context, out *atomicfile.File, o pkgbuild.Options) error {
				return pkgbuild.WriteComponent(ctx, out, &component, o)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&root, "root", "", "folder with the files to install")
	f.StringVar(&scripts, "scripts", "", "folder with the scripts preinstall and postinstall")
	f.StringVar(&component.Identifier, "identifier", "", "identifier, such as com.example.tool")
	f.StringVar(&component.Version, "version", "", "version, numbers with dots between")
	f.StringVar(&component.InstallLocation, "install-location", "/", "where the files go on the volume")
	f.StringVar(&component.PostinstallAction, "postinstall-action", "none", "what follows: none, logout, restart or shutdown")
	f.StringVarP(&output, "output", "o", "", "package to write")
	_ = c.MarkFlagDirname("root")
	_ = c.MarkFlagDirname("scripts")
	return c
}

// buildProject makes the package that a project of munkipkg describes.
func buildProject(c *cobra.Command, dir, output string) error {
	for _, flag := range []string{"root", "scripts", "identifier", "version", "install-location", "postinstall-action"} {
		if c.Flags().Changed(flag) {
			return usageError{fmt.Errorf("the project says --%s itself", flag)}
		}
	}
	p, err := munkipkg.Open(dir)
	if err != nil {
		return err
	}
	defer p.Close()
	var warnings []problem
	for _, w := range p.Warnings {
		warnings = append(warnings, problem{Message: w, head: w})
	}
	warn(c, warnings)
	if output == "" {
		output = filepath.Join(dir, "build", p.Name)
		if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
			return err
		}
	}
	return makeInstaller(c, output, func(ctx context.Context, out *atomicfile.File, o pkgbuild.Options) error {
		if p.Product != nil {
			return pkgbuild.WriteProduct(ctx, out, p.Product, o)
		}
		return pkgbuild.WriteComponent(ctx, out, p.Component, o)
	})
}

func newPkgProduct() *cobra.Command {
	var output, resources string
	var packages []string
	var p pkgbuild.Product
	c := &cobra.Command{
		Use:   "product",
		Short: "Make a product archive of packages",
		Long: `Product makes a product archive of the components of packages, which are taken as
they are, as productbuild does. It is what device management takes, once it is
signed. The architectures of hosts are those that every program in the packages
is for; where there is no program, both.`,
		Example: `  firstday pkg product --package Tool.pkg --identifier com.example.tool.product --version 1.2 -o Product.pkg
  firstday sign -c firstday.yaml Product.pkg`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if p.Resources, err = folderFS(resources); err != nil {
				return err
			}
			for _, name := range packages {
				in, f, err := openInstaller(name)
				if err != nil {
					return err
				}
				defer f.Close()
				addComponents(&p, in, filepath.Base(name))
			}
			if len(p.HostArchitectures) == 0 {
				if p.HostArchitectures, err = hostArchitectures(&p); err != nil {
					return err
				}
			}
			return makeInstaller(c, output, func(ctx context.Context, out *atomicfile.File, o pkgbuild.Options) error {
				return pkgbuild.WriteProduct(ctx, out, &p, o)
			})
		},
	}
	f := c.Flags()
	f.StringArrayVar(&packages, "package", nil, "package whose components it takes; repeat for more")
	f.StringVar(&p.Identifier, "identifier", "", "identifier, such as com.example.product")
	f.StringVar(&p.Version, "version", "", "version, numbers with dots between")
	f.StringVar(&p.Title, "title", "", "title that Installer shows")
	f.StringVar(&p.MinOSVersion, "min-os-version", "", "oldest macOS it installs on")
	f.StringSliceVar(&p.HostArchitectures, "host-architectures", nil, "architectures it is for: x86_64, arm64 or both")
	f.StringVar(&resources, "resources", "", "folder with files for Installer's pages")
	f.StringVar(&p.Welcome, "welcome", "", "file of the resources for the page Welcome")
	f.StringVar(&p.ReadMe, "readme", "", "the same for the page Read Me")
	f.StringVar(&p.License, "license", "", "the same for the page License")
	f.StringVar(&p.Conclusion, "conclusion", "", "the same for the last page")
	f.StringVarP(&output, "output", "o", "", "package to write")
	for _, name := range []string{"package", "identifier", "version", "output"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.MarkFlagDirname("resources")
	return c
}

// addComponents takes all components of a package. That of a component package
// is called as its file is.
func addComponents(p *pkgbuild.Product, in *pkgbuild.Package, file string) {
	for _, component := range in.Components {
		name := component.Folder
		if name == "" {
			name = strings.TrimSuffix(file, filepath.Ext(file)) + ".pkg"
		}
		p.Components = append(p.Components, pkgbuild.ProductComponent{Name: name, Packaged: component})
	}
}

// hostArchitectures are those that every program is for.
func hostArchitectures(p *pkgbuild.Product) ([]string, error) {
	every := []string{macho.AMD64.String(), macho.ARM64.String()}
	for _, component := range p.Components {
		entries, err := component.Packaged.Bom()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if len(e.Slices) == 0 {
				continue
			}
			var has []string
			for _, s := range e.Slices {
				has = append(has, macho.CPU{Type: s.CPUType, Subtype: s.CPUSubtype}.String())
			}
			every = slices.DeleteFunc(every, func(arch string) bool { return !slices.Contains(has, arch) })
			if len(every) == 0 {
				return nil, withHint(fmt.Errorf("%w: no architecture has all programs", pkgbuild.ErrDescription),
					"name those that it is for with --host-architectures")
			}
		}
	}
	return every, nil
}

// folderFS is nil if no folder is named.
func folderFS(dir string) (fs.FS, error) {
	if dir == "" {
		return nil, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, usageError{fmt.Errorf("%s is no folder", dir)}
	}
	return os.DirFS(dir), nil
}

// makeInstaller writes a package that appears once it is whole.
func makeInstaller(c *cobra.Command, output string, write func(context.Context, *atomicfile.File, pkgbuild.Options) error) error {
	var o pkgbuild.Options
	var err error
	if o.Time, _, err = buildTime(); err != nil {
		return err
	}
	out, err := kit.CreateInstaller(output)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := write(c.Context(), out, o); err != nil {
		return fmt.Errorf("building %s: %w", output, err)
	}
	info, err := out.Stat()
	if err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	return show(c, struct {
		File string `json:"file"`
		Size int64  `json:"size"`
	}{output, info.Size()}, func(w *text) { w.line("%s  %s", output, size(info.Size())) })
}
