package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild"
)

func newPkgExpand() *cobra.Command {
	var output string
	var o pkgbuild.ExpandOptions
	var keepLinks bool
	c := &cobra.Command{
		Use:   "expand FILE",
		Short: "Take a package apart into a folder",
		Long: `Expand takes a package apart into a folder, as pkgutil --expand does: the files of
the archive, and the scripts. With --full the payloads, too. 'firstday pkg
flatten' puts it together again.`,
		Example: `  firstday pkg expand Acme.pkg -o Acme
  firstday pkg expand --full Acme.pkg -o Acme`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if keepLinks {
				o.Links = pkgbuild.KeepLinks
			}
			p, f, err := openInstaller(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			err = fill(output, func(root *os.Root) error { return pkgbuild.Expand(c.Context(), p, root, o) })
			if err != nil {
				return fmt.Errorf("expanding %s: %w", args[0], err)
			}
			return show(c, struct {
				Folder string `json:"folder"`
			}{output}, func(w *text) { w.line("%s is expanded to %s", args[0], output) })
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "folder to make")
	f.BoolVar(&o.Full, "full", false, "take the payloads apart, too")
	f.BoolVar(&keepLinks, "keep-links", false, "keep symbolic links that lead out of the folder")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagDirname("output")
	return c
}

func newPkgFlatten() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "flatten DIR",
		Short: "Put a package together that was expanded",
		Long: `Flatten makes a package of a folder that 'firstday pkg expand' or pkgutil made. No
signature survives it: sign the package anew.`,
		Example: `  firstday pkg flatten Acme -o Acme.pkg
  firstday sign -c firstday.yaml Acme.pkg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			tree, err := folderFS(args[0])
			if err != nil {
				return err
			}
			return makeInstaller(c, output, func(ctx context.Context, out *atomicfile.File, o pkgbuild.Options) error {
				return pkgbuild.Flatten(ctx, out, tree, o)
			})
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "package to write")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagFilename("output", "pkg")
	return c
}
