package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
	"firstday.dev/ppkg"
)

func newPpkg() *cobra.Command {
	c := &cobra.Command{
		Use:   "ppkg",
		Short: "Build and take apart provisioning packages of any kind",
		Example: `  firstday ppkg build --customizations customizations.xml -o Acme.ppkg
  firstday ppkg list Acme.ppkg
  firstday ppkg extract Acme.ppkg -o tree`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newPpkgBuild(), newPpkgList(), newPpkgExtract(), newPpkgCat(),
		newPpkgEncrypt(), newPpkgDecrypt())
	return c
}

func newPpkgBuild() *cobra.Command {
	var project, assets, output, level string
	c := &cobra.Command{
		Use:   "build",
		Short: "Compile a Windows Configuration Designer project",
		Long: `Build compiles the customizations.xml of a Windows Configuration Designer project
to a package and its unsigned catalog, as icd.exe /Build-ProvisioningPackage
does. Files that the project names by paths of its author's machine are found by
their names in the folder given with --assets.`,
		Example: `  firstday ppkg build --customizations customizations.xml --assets files -o Acme.ppkg
  firstday sign -c firstday.yaml Acme.ppkg`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o := ppkg.Options{}
			var err error
			if o.Level, err = parseLevel(level); err != nil {
				return err
			}
			if o.Time, _, err = buildTime(); err != nil {
				return err
			}
			if info, err := os.Stat(assets); assets != "" && (err != nil || !info.IsDir()) {
				return usageError{fmt.Errorf("--assets %s is no folder", assets)}
			}
			in, err := os.Open(project)
			if err != nil {
				return err
			}
			defer in.Close()
			p, err := ppkg.ReadCustomizations(in, assetFolder(assets))
			if err != nil {
				return fmt.Errorf("%s: %w", project, err)
			}
			bars := newProgress(c)
			defer bars.close()
			built, err := kit.WritePackage(c.Context(), output, p, o, bars.step)
			if err != nil {
				return err
			}
			bars.close()
			return show(c, built, func(w *text) {
				w.line("%s  %s, id %s, version %s", output, size(built.Size), p.ID, p.Version)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&project, "customizations", "customizations.xml", "the project")
	f.StringVar(&assets, "assets", "", "folder with the files the project names")
	f.StringVarP(&output, "output", "o", "", "package to write; its catalog goes beside it")
	f.StringVar(&level, "level", "default", "compression: fast, default or best")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagFilename("customizations", "xml")
	_ = c.MarkFlagDirname("assets")
	return c
}

// assetFolder is nil, no folder at all, if none is named.
func assetFolder(dir string) ppkg.Assets {
	if dir == "" {
		return nil
	}
	return ppkg.AssetsFrom(os.DirFS(dir))
}

func newPpkgList() *cobra.Command {
	return &cobra.Command{
		Use:     "list FILE",
		Short:   "List the files in a package",
		Example: `  firstday ppkg list Acme.ppkg`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, f, err := openPackage(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			type entry struct {
				Path     string    `json:"path"`
				Size     int64     `json:"size"`
				Modified time.Time `json:"modified"`
			}
			var list []entry
			err = fs.WalkDir(r.FS, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				list = append(list, entry{name, info.Size(), info.ModTime()})
				return nil
			})
			if err != nil {
				return err
			}
			return show(c, list, func(w *text) {
				for _, e := range list {
					w.line("%12d  %s  %s", e.Size, e.Modified.UTC().Format(time.DateTime), e.Path)
				}
			})
		},
	}
}

func newPpkgExtract() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:     "extract FILE",
		Short:   "Extract all files of a package",
		Example: `  firstday ppkg extract Acme.ppkg -o tree`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, f, err := openPackage(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			bars := newProgress(c)
			defer bars.close()
			err = fill(output, func(root *os.Root) error {
				return r.WIM.Images[0].Extract(c.Context(), root, 0, func(done, total int64) { bars.step("extracting", done, total) })
			})
			if err != nil {
				return err
			}
			bars.close()
			return show(c, struct {
				Folder string `json:"folder"`
			}{output}, func(w *text) { w.line("%s is extracted to %s", args[0], output) })
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "folder to make")
	_ = c.MarkFlagRequired("output")
	return c
}

// fill makes a folder, which must be empty if it is there, that appears once it
// holds all that work puts into it.
func fill(output string, work func(*os.Root) error) error {
	entries, err := os.ReadDir(output)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return withHint(fmt.Errorf("extracting to %s: %w: it is not empty", output, fs.ErrExist), "choose another folder with -o")
	}
	dir, err := atomicfile.CreateDir(output, 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	root, err := os.OpenRoot(dir.Path())
	if err != nil {
		return err
	}
	if err := errors.Join(work(root), root.Close()); err != nil {
		return err
	}
	return dir.Commit()
}

func newPpkgCat() *cobra.Command {
	return &cobra.Command{
		Use:   "cat FILE PATH",
		Short: "Write one file of a package to standard output",
		Example: `  firstday ppkg cat Acme.ppkg Multivariant/0/customizations.xml
  firstday ppkg cat Acme.ppkg enrollment.json`,
		Long: `Cat writes one file of a package to standard output: by its path as list shows
it, or by its name alone where only one file has it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			r, f, err := openPackage(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			path, err := findInside(r.FS, filepath.ToSlash(args[1]))
			if err != nil {
				return err
			}
			in, err := r.FS.Open(path)
			if err != nil {
				return err
			}
			defer in.Close()
			_, err = io.Copy(c.OutOrStdout(), in)
			return err
		},
	}
}

// findInside returns the path of the file called name, whole or by its last
// part.
func findInside(tree fs.FS, name string) (string, error) {
	if _, err := fs.Stat(tree, name); err == nil {
		return name, nil
	}
	var found []string
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.EqualFold(d.Name(), name) {
			found = append(found, path)
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", withHint(fmt.Errorf("%d files are called %s", len(found), name), "give the whole path: "+strings.Join(found, ", "))
	}
	return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func openPackage(path string) (*ppkg.Reader, *os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		var r *ppkg.Reader
		if r, err = ppkg.Open(f, info.Size()); err == nil {
			return r, f, nil
		}
		err = fmt.Errorf("%s: %w", path, err)
	}
	return nil, nil, errors.Join(err, f.Close())
}
