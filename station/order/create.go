package order

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
	"firstday.dev/signing"
	templates "firstday.dev/templates/order"
)

// Options say what is ordered, and where its bundle goes.
type Options struct {
	api.NewOrder
	// Kit is how the kit is built. Its output, keys and time are the order's.
	Kit kit.Options
	// Output is the folder of the bundle. Nothing may be there, or an empty folder:
	// the connect keys in an earlier bundle are nowhere else.
	Output string
	// Zip also writes the bundle as one file, Output with .zip after it. Recipients
	// do so, too, with .zip.age after it, and only they can read that one.
	Zip        bool
	Recipients []age.Recipient
}

// Created is a bundle that was made.
type Created struct {
	*Order
	Folder    string `json:"folder"`
	Zip       string `json:"zip,omitempty"`
	Encrypted string `json:"encrypted,omitempty"`
	// Signer is who sealed it. The partner must hear its fingerprint in another way
	// than the bundle comes.
	Signer    Signer   `json:"signer"`
	Throwaway bool     `json:"throwaway,omitempty"` // nobody trusts the signer
	Warnings  []string `json:"warnings,omitempty"`
}

// creation is a bundle that is being made.
type creation struct {
	Options
	client *api.Client
	made   *api.Order
	keys   map[uuid.UUID]uuid.UUID // connect keys, by package
	dir    *atomicfile.Dir
	out    Created
}

// closeLimit bounds how long an order that failed takes to clean up.
const closeLimit = 10 * time.Second

// Create makes an order at the directory, mints its connect keys, builds and signs
// a kit with them, and seals the bundle. Until it returns there is nothing at
// Output; if it fails, the order is closed again.
func Create(ctx context.Context, client *api.Client, o Options) (_ *Created, err error) {
	if o.Quantity == 0 {
		o.Quantity = len(o.Serials)
	}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOrder, err)
	}
	if !api.PlainText(o.Kit.Config.Organisation.Name) {
		return nil, fmt.Errorf("%w: the organisation's name is longer than an order's can be", ErrOrder)
	}
	if o.Kit.Reproducible {
		return nil, kit.ErrMint
	}
	c := &creation{Options: o, client: client, keys: make(map[uuid.UUID]uuid.UUID)}
	if err := c.free(); err != nil {
		return nil, err
	}
	if c.made, err = client.CreateOrder(ctx, &o.NewOrder); err != nil {
		return nil, err
	}
	if err := c.build(ctx); err != nil {
		return nil, errors.Join(err, c.abandon(ctx))
	}
	return &c.out, nil
}

// abandon ends an order whose bundle came to nothing.
func (c *creation) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if err := c.client.CloseOrder(ctx, c.made.ID); err != nil {
		return fmt.Errorf("order %s was made at the directory and is not closed: %w", c.PO, err)
	}
	return nil
}

// free makes sure that nothing is replaced.
func (c *creation) free() error {
	c.Output = filepath.Clean(c.Output)
	c.out.Folder = c.Output
	if c.Zip {
		c.out.Zip = c.Output + ".zip"
	}
	if len(c.Recipients) > 0 {
		c.out.Encrypted = c.Output + ".zip.age"
	}
	if name := filepath.Base(c.Output); api.CheckFileName(name) != nil {
		return &fs.PathError{Op: "write", Path: c.Output, Err: fmt.Errorf("%w: its name must be one for every system", fs.ErrInvalid)}
	}
	entries, err := os.ReadDir(c.Output)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	refuse := func(name, why string) error {
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%w: %s", kit.ErrOverwrite, why)}
	}
	if len(entries) > 0 {
		return refuse(c.Output, "it is not empty")
	}
	for _, name := range []string{c.out.Zip, c.out.Encrypted} {
		if name == "" {
			continue
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return cmp.Or(err, refuse(name, "it is there already"))
		}
	}
	return nil
}

func (c *creation) build(ctx context.Context) (err error) {
	if c.dir, err = atomicfile.CreateDir(c.Output, 0o700); err != nil {
		return err
	}
	defer c.dir.Close()
	o := c.Kit
	o.Output, o.Mint, o.Signed = filepath.Join(c.dir.Path(), KitFolder), c.mint, c.seal
	if _, err := kit.Build(ctx, o); err != nil {
		return err
	}
	archives, err := c.archive(ctx)
	defer func() {
		for _, f := range archives {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.dir.Commit(); err != nil {
		return err
	}
	// From here on the bundle is there.
	for _, f := range archives {
		if err := f.Commit(); err != nil {
			return errors.Join(err, os.RemoveAll(c.Output))
		}
	}
	return nil
}

// mint makes a key of the order, bound to one package and its platform.
func (c *creation) mint(ctx context.Context, platform kit.Platform, id uuid.UUID) (kit.ConnectKey, error) {
	k, err := c.client.MintKey(ctx, &api.NewConnectKey{
		Label: "order " + c.PO + ", package " + id.String(), OrderID: c.made.ID, Platforms: []api.Platform{api.Platform(platform)}, PackageID: id,
	})
	if err != nil {
		return kit.ConnectKey{}, err
	}
	c.keys[id] = k.ID
	return kit.ConnectKey{Secret: k.Secret, Expires: k.ExpiresAt}, nil
}

// seal writes what lies beside the kit, and signs all of it.
func (c *creation) seal(ctx context.Context, m *kit.Manifest, who *signing.Identity, o signing.Options) error {
	c.out.Order = &Order{
		Version: Version, ID: c.made.ID, PO: c.PO, Partner: c.Partner, Organisation: m.Organisation, Directory: m.Directory,
		Created: m.Created, ExpiresAt: c.made.ExpiresAt, Quantity: c.Quantity, Serials: c.Serials, Tags: c.Tags,
	}
	for _, p := range m.Packages {
		c.out.Packages = append(c.out.Packages, Package{Platform: p.Platform, File: p.File, Size: p.Size, SHA256: p.SHA256, ID: p.ID, KeyID: c.keys[p.ID]})
	}
	c.out.Signer, c.out.Throwaway = *signerOf(who.Chain[0]), signing.IsThrowaway(who.Chain[0])
	files, err := c.papers(who.Chain)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.dir.Path())
	if err != nil {
		return err
	}
	defer root.Close()
	for name, data := range files {
		mode := fs.FileMode(0o644)
		if name == ShellFile {
			mode = 0o755
		}
		if err := atomicfile.WriteFile(filepath.Join(c.dir.Path(), name), data, mode); err != nil {
			return err
		}
	}
	all, err := listBundle(root)
	if err != nil {
		return err
	}
	sums, err := all.sum(ctx, root, func(done, total int64) { c.progress("sealing", done, total) })
	if err != nil {
		return err
	}
	list := encodeSums(sums)
	signature, err := signing.SignDetached(ctx, bytes.NewReader(list), who, o)
	if err != nil {
		return fmt.Errorf("signing %s: %w", kit.SumsFile, err)
	}
	return errors.Join(atomicfile.WriteFile(filepath.Join(c.dir.Path(), kit.SumsFile), list, 0o644),
		atomicfile.WriteFile(filepath.Join(c.dir.Path(), kit.SignatureFile), signature, 0o644))
}

func (c *creation) progress(step string, done, total int64) {
	if c.Kit.Progress != nil {
		c.Kit.Progress(step, done, total)
	}
}

// papers are the files beside the kit, by name.
func (c *creation) papers(chain []*x509.Certificate) (map[string][]byte, error) {
	order, err := c.out.encode()
	if err != nil {
		return nil, err
	}
	page := c.out.instructions().Page()
	var html, pdf, certificates bytes.Buffer
	missing, err := writePDF(&pdf, page, c.out.Created)
	if err := errors.Join(err, page.WriteHTML(&html)); err != nil {
		return nil, err
	}
	if missing {
		c.out.Warnings = append(c.out.Warnings, PrintFile+" shows boxes for letters that its font lacks; "+InstructionsFile+" shows them")
	}
	for _, cert := range chain {
		if err := pem.Encode(&certificates, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}); err != nil {
			return nil, err
		}
	}
	return map[string][]byte{
		File: order, InstructionsFile: html.Bytes(), PrintFile: pdf.Bytes(), kit.SignerFile: certificates.Bytes(),
		ShellFile: []byte(templates.Shell), PowerShellFile: []byte(templates.PowerShell),
	}, nil
}

// instructions are what the partner is told.
func (o *Order) instructions() *templates.Bundle {
	b := &templates.Bundle{
		PO: o.PO, Partner: o.Partner, Organisation: o.Organisation, Quantity: o.Quantity, Listed: len(o.Serials) > 0, Tags: o.Tags, ExpiresAt: o.ExpiresAt,
	}
	for _, p := range o.Packages {
		system := "Windows"
		if p.Platform == kit.MacOS {
			system = "macOS"
		}
		b.Packages = append(b.Packages, templates.Package{System: system, File: p.File, SHA256: p.SHA256})
	}
	return b
}

// archive writes the bundle as one file, or two.
func (c *creation) archive(ctx context.Context) (files []*atomicfile.File, err error) {
	if c.out.Zip == "" && c.out.Encrypted == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(c.dir.Path())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range []string{c.out.Zip, c.out.Encrypted} {
		if name == "" {
			continue
		}
		f, err := atomicfile.Create(name, 0o600)
		if err != nil {
			return files, err
		}
		files = append(files, f)
		var w io.WriteCloser = nothingToClose{f}
		if strings.HasSuffix(name, ".age") {
			if w, err = age.Encrypt(f, c.Recipients...); err != nil {
				return files, err
			}
		}
		if err := errors.Join(writeZip(ctx, w, root, filepath.Base(c.Output), c.out.Created), w.Close()); err != nil {
			return files, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return files, nil
}

// nothingToClose is a writer that somebody else closes.
type nothingToClose struct{ io.Writer }

func (nothingToClose) Close() error { return nil }
