package main

import "github.com/spf13/cobra"

func newPkg() *cobra.Command {
	c := &cobra.Command{
		Use:   "pkg",
		Short: "Work with installer packages for macOS of any kind",
		Example: `  firstday pkg build --root root --identifier com.example.tool --version 1.2 -o Tool.pkg
  firstday pkg list Acme.pkg
  firstday pkg expand Acme.pkg -o Acme
  firstday pkg notarize -c firstday.yaml Acme.pkg
  firstday pkg staple Acme.pkg`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newPkgBuild(), newPkgProduct(), newPkgList(), newPkgCat(), newLint(), newPkgExpand(), newPkgFlatten(),
		newSign(), newVerify(), newPkgNotarize(), newPkgStaple(), newPkgUnstaple())
	return c
}
