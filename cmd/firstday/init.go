package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/templates"
)

// schemaURL is where editors find the JSON Schema of firstday.yaml.
const schemaURL = "https://firstday.dev/schema/firstday.schema.json"

func newInit() *cobra.Command {
	starter := templates.Starter{Schema: schemaURL}
	var output string
	var force bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a firstday.yaml to begin with",
		Long: `Init writes a short firstday.yaml that builds as soon as its connect key is there,
with everything else that can be said as comments.`,
		Example: `  firstday init --organisation Acme --directory https://directory.acme.example`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := os.Lstat(output); err == nil && !force {
				return withHint(fmt.Errorf("writing %s: %w", output, fs.ErrExist), "give another name with -o, or --force to replace it")
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			f, err := atomicfile.Create(output, 0o644)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := starter.Write(f); err != nil {
				return err
			}
			if err := f.Commit(); err != nil {
				return err
			}
			return show(c, struct {
				File string `json:"file"`
			}{output}, func(w *text) {
				w.line("%s is written. Next: fill it in, then `firstday build windows`.", output)
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "firstday.yaml", "file to write")
	f.StringVar(&starter.Organisation, "organisation", "Acme", "name of your organisation, as employees know it")
	f.StringVar(&starter.DirectoryURL, "directory", "https://directory.acme.example", "address of your directory")
	f.StringVar(&starter.Pin, "pin", "", "pin of the directory's CA, as `firstday serve` prints it")
	f.BoolVar(&force, "force", false, "replace an existing file")
	return c
}
