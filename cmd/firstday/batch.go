package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/kit"
)

// batch builds a kit for each row of a table.
type batch struct {
	*build
	sheet   *config.Sheet
	options kit.Options
	usual   []kit.Platform // of rows that name none
	keys    *mint          // who mints; nil: nobody does
}

// errOnlyMinted: the columns would have no effect.
var errOnlyMinted = errors.New("batch and tags are of minted keys")

func (b *build) runBatch(c *cobra.Command, o kit.Options) error {
	if b.mint && o.Reproducible {
		return kit.ErrMint
	}
	sheet, err := config.LoadSheet(b.config, b.batch)
	if _, missing := os.Stat(b.batch); errors.Is(err, fs.ErrNotExist) && errors.Is(missing, fs.ErrNotExist) {
		return withHint(err, "name a table; the delivery that minted keys are of goes with --mint-batch")
	}
	if err != nil {
		return err
	}
	if !c.Flags().Changed("output") {
		o.Output = "kits"
	}
	w := &batch{build: b, sheet: sheet, options: o, usual: o.Platforms}
	if b.mint {
		w.keys = new(mint)
		if err := w.keys.connect(b); err != nil {
			return err
		}
		defer w.keys.Close()
	}
	if err := w.check(c); err != nil {
		return err
	}
	bars := newProgress(c)
	if bars.pool != nil {
		bars.counter = countThings
	}
	defer bars.close()
	w.options.Progress = bars.step
	run, err := kit.NewBatch(c.Context(), w.options)
	if err != nil {
		return err
	}
	r, err := run.BuildAll(c.Context(), len(sheet.Rows), w.row)
	err = errors.Join(err, run.Close())
	bars.close()
	if r == nil {
		return err
	}
	return errors.Join(show(c, r, func(t *text) { describeBatch(t, r, w.options.Output) }), err)
}

// check looks at every row before the first kit is built, and fills in what the
// first row decides for all.
func (w *batch) check(c *cobra.Command) error {
	needed := map[kit.Platform]bool{}
	warnings, err := w.sheet.Check(func(i int, cfg *config.Config) error {
		row := w.sheet.Rows[i]
		if w.options.Config == nil {
			w.options.Config = cfg
		}
		for _, p := range w.platforms(row) {
			needed[p] = true
		}
		if err := asksNobody(cfg); err != nil {
			return err
		}
		if w.keys == nil && (row.Batch != "" || len(row.Tags) > 0) {
			return w.sheet.At(i, "add --mint, or remove the columns", errOnlyMinted)
		}
		if w.keys != nil {
			return w.keys.login.isOf(cfg)
		}
		if cfg.ConnectKey.IsZero() {
			return w.sheet.At(i, "add --mint, or a column connectKey.file", fmt.Errorf("nothing says where the connect key is: %w", config.ErrNoSecret))
		}
		return nil
	})
	if err != nil {
		return err
	}
	told := make([]problem, len(warnings))
	for i, warning := range warnings {
		told[i] = problemAt(warning)
	}
	warn(c, told)
	w.options.Platforms = slices.DeleteFunc([]kit.Platform{kit.Windows, kit.MacOS}, func(p kit.Platform) bool { return !needed[p] })
	if w.notarize {
		w.options.Notary, err = configuredNotary(w.options.Config)
	}
	return err
}

// errAsks: who is asked could not see whose secret is meant.
var errAsks = errors.New("a batch asks nobody for the secrets of its rows")

func asksNobody(c *config.Config) error {
	sources := map[string]*config.SecretSource{"connectKey": &c.ConnectKey.SecretSource, "windows.breakGlass.password": c.Windows.BreakGlass.Password}
	for i, network := range c.Windows.WiFi {
		sources[fmt.Sprintf("windows.wifi[%d].password", i)] = network.Password
	}
	for path, s := range sources {
		if s != nil && s.Prompt {
			return c.ErrorAt(path+".prompt", "name a file or a variable", "%w", errAsks)
		}
	}
	return nil
}

func (w *batch) platforms(r config.Row) []kit.Platform {
	if len(r.Platforms) == 0 {
		return w.usual
	}
	var list []kit.Platform
	for _, p := range []kit.Platform{kit.Windows, kit.MacOS} {
		if slices.Contains(r.Platforms, string(p)) {
			list = append(list, p)
		}
	}
	return list
}

// row makes the row of a kit when its turn comes.
func (w *batch) row(i int) (kit.Row, error) {
	r := w.sheet.Rows[i]
	row := kit.Row{Name: r.Folder, Line: r.Line, Platforms: w.platforms(r)}
	var err error
	if row.Config, err = w.sheet.Config(i); err != nil || w.keys == nil {
		return row, err
	}
	keys := w.keys.forRow(r)
	row.Mint, row.Revoke = keys.mint, keys.revoke
	row.Minted = fmt.Sprintf("%d %v %q %q", keys.key.Uses, keys.key.Life, keys.key.Batch, keys.key.Tags)
	return row, nil
}

func describeBatch(w *text, r *kit.Report, output string) {
	for _, k := range r.Kits {
		if k.Result == kit.Failed {
			w.line("failed     line %d, %s: %s", k.Line, k.Kit, k.Error)
		}
	}
	w.line("built      %d", r.Built)
	w.line("kept       %d, which were there", r.Kept)
	w.line("failed     %d", r.Failed)
	if r.Open > 0 {
		w.line("open       %d; the same command goes on with them", r.Open)
	}
	w.line("The kits are in %s; the report is %s.", output, filepath.Join(output, kit.ReportHTMLFile))
}
