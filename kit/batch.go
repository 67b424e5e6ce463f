package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/ppkg/wim"
)

// Batch builds many kits of one payload: for organisations, sites or orders
// that differ in little else. The agents are signed once, and what packages for
// Windows carry is hashed and compressed once; every further package gets a copy.
// What one row alone carries is compressed for it, and kept for others until
// Close, too.
//
// Each kit says and carries what [Build] would give it, but packages for Windows
// are laid out otherwise: what is shared comes first, so that their digests can
// begin where those of the first ended. Which bytes they have depends on their row
// alone, as with Build, and not on the other rows or their order.
//
// Several goroutines may use a Batch at once. An external signer is asked one
// thing at a time.
type Batch struct {
	options Options
	shared  *shared
	dir     *atomicfile.Dir // of what is shared
}

// Row is what one kit of a batch has of its own.
type Row struct {
	Name   string // of the kit's folder, in the Output of the batch
	Line   int    // in the table that the row is from, for the report
	Config *config.Config
	// Platforms is what the kit is for; nil: what the batch is for.
	Platforms []Platform

	// Mint, if set, takes the place of that in [Options]. Minted says in some
	// words what for, by which a kit that is there is known to be still the
	// right one. Revoke, if set, ends the keys of a kit that came to nothing.
	Mint   func(ctx context.Context, platform Platform, id uuid.UUID) (ConnectKey, error)
	Minted string
	Revoke func(ctx context.Context) error
}

// NewBatch begins a batch. The options are those of all its kits: Output is the
// folder that gets a folder for each, and Config that of any row; who signs in it
// signs all. Platforms must be all that a row is for. Prompt is asked for the
// passwords of signers and for nothing that a row has: who answers could not see
// whose secret is meant.
func NewBatch(ctx context.Context, o Options) (*Batch, error) {
	if err := os.MkdirAll(o.Output, 0o777); err != nil {
		return nil, err
	}
	b := &Batch{options: o, shared: newShared()}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// batchFolder holds, under another name until it goes again, what is shared.
const batchFolder = "batch.work"

func (b *Batch) open(ctx context.Context) (err error) {
	// No customer's name stands in the others' kits.
	if err = b.shared.openIdentities(ctx, &b.options, "a batch"); err != nil {
		return err
	}
	// On the file system of the kits, which may share blocks.
	if b.dir, err = atomicfile.CreateDir(filepath.Join(b.options.Output, batchFolder), privateFolder); err != nil {
		return err
	}
	b.shared.work = b.dir.Path()
	b.shared.cache, err = wim.CreateCache(filepath.Join(b.dir.Path(), "cache"))
	return err
}

// Close ends the batch. Kits that are built stay.
func (b *Batch) Close() error {
	b.shared.closeIdentities()
	var errs []error
	if b.shared.cache != nil {
		errs = append(errs, b.shared.cache.Close())
	}
	if b.dir != nil {
		errs = append(errs, b.dir.Close())
	}
	return errors.Join(errs...)
}

// Build makes one kit, as the function [Build] does.
func (b *Batch) Build(ctx context.Context, row Row) (*Manifest, error) {
	w, err := b.builder(row)
	if err != nil {
		return nil, err
	}
	return w.build(ctx)
}

func (b *Batch) builder(row Row) (*builder, error) {
	o := b.options
	o.Config, o.Output, o.Progress, o.Prompt = row.Config, filepath.Join(b.options.Output, row.Name), nil, nil
	if !filepath.IsLocal(row.Name) || row.Name != filepath.Base(row.Name) || row.Name == "." {
		return nil, fmt.Errorf("%q is not the name of a folder", row.Name)
	}
	if row.Platforms != nil {
		o.Platforms = row.Platforms
	}
	if row.Mint != nil {
		o.Mint = row.Mint
	}
	return newBuilder(o, b.shared)
}

// still gives the manifest of a kit that was made for the row, if it is what would
// be built now: every file is what it was, and its time has not come.
func (b *Batch) still(ctx context.Context, row Row, made *entry) *Manifest {
	dir := filepath.Join(b.options.Output, row.Name)
	data, err := readSmall(filepath.Join(dir, SumsFile))
	if err != nil || made.Sums != hexSum(data) {
		return nil
	}
	files, err := listFolder(dir)
	if err != nil || len(files.odd) > 0 {
		return nil
	}
	found, err := sumFiles(ctx, dir, files, nil, func(_, _ int64) {})
	if err != nil || string(found.encode()) != string(data) {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	m, err := ReadManifest(f)
	if err != nil || m.ExpiresAt != nil && !m.ExpiresAt.After(time.Now()) {
		return nil
	}
	return m
}
