package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/templates"
)

// schemaFile is what editors check firstday.yaml with, beside it.
const schemaFile = "firstday.schema.json"

func newInit() *cobra.Command {
	with := templates.Starter{Schema: "./" + schemaFile}
	var output string
	var force bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a firstday.yaml to begin with",
		Long: `Init writes a short firstday.yaml that builds as soon as its connect key is there,
with everything else that can be said as comments, and beside it the JSON Schema
by which editors complete and check it.`,
		Example: `  firstday init --organisation Acme --directory https://directory.acme.example`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			schema := filepath.Join(filepath.Dir(output), schemaFile)
			if err := checkFree(force, output, schema); err != nil {
				return err
			}
			var starter bytes.Buffer
			if err := with.Write(&starter); err != nil {
				return err
			}
			if _, err := config.Parse(output, starter.Bytes()); err != nil {
				return err
			}
			if err := atomicfile.WriteFile(output, starter.Bytes(), 0o644); err != nil {
				return err
			}
			if err := atomicfile.WriteFile(schema, config.Schema(), 0o644); err != nil {
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
	f.StringVar(&with.Organisation, "organisation", "Acme", "name of your organisation, as employees know it")
	f.StringVar(&with.DirectoryURL, "directory", "https://directory.acme.example", "address of your directory")
	f.StringVar(&with.Pin, "pin", "", "pin of the directory's CA, as the directory prints it")
	f.BoolVar(&force, "force", false, "replace an existing file")
	return c
}

// checkFree refuses to replace a file, other than a schema as it is written now.
func checkFree(force bool, output, schema string) error {
	names := []string{output}
	if old, err := os.ReadFile(schema); err == nil && !bytes.Equal(old, config.Schema()) {
		names = append(names, schema)
	}
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil && !force {
			return withHint(fmt.Errorf("writing %s: %w", name, fs.ErrExist), "give another name with -o, or --force to replace it")
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
