package main

import "github.com/spf13/cobra"

func newPkg() *cobra.Command {
	c := &cobra.Command{
		Use:   "pkg",
		Short: "Work with installer packages for macOS of any kind",
		Example: `  firstday pkg list Acme.pkg
  firstday pkg expand Acme.pkg -o Acme
  firstday pkg notarize -c firstday.yaml Acme.pkg
  firstday pkg staple Acme.pkg`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newPkgList(), newPkgCat(), newLint(), newPkgExpand(), newPkgFlatten(),
		newPkgNotarize(), newPkgStaple(), newPkgUnstaple())
	return c
}
