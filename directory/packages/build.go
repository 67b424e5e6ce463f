package packages

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/directory"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
)

// Errors of building.
var (
	errConfig  = errors.New("the configuration that packages are built from")
	errPayload = errors.New("a payload")
	errDamaged = errors.New("the kit does not pass its verification")
)

// theRequest stands in errors where a file's name would.
const theRequest = "the request"

// building is a job at work.
type building struct {
	*Packages
	work     *directory.PackageWork
	progress progress
}

// checkWorker finds out before the first job whether this process could build any.
func (p *Packages) checkWorker() error {
	if err := os.MkdirAll(p.Folder, 0o700); err != nil {
		return err
	}
	// What a worker left that was killed goes with the first folder that is made.
	dir, err := p.workFolder(uuid.Nil)
	if err != nil {
		return err
	}
	// A mistake in the file stops no directory: each job says what it is.
	if _, err := p.configuration(); err != nil {
		p.d.Log.Warn("no packages can be built from the configuration", "error", err)
	}
	return dir.Close()
}

func (p *Packages) workFolder(job uuid.UUID) (*atomicfile.Dir, error) {
	return atomicfile.CreateDir(filepath.Join(p.Folder, "job-"+job.String()), 0o700)
}

// configuration reads the file anew: who changes it need not stop the workers.
func (p *Packages) configuration() (*config.Config, error) {
	c, err := config.Load(p.Config)
	if err != nil {
		var mistakes config.Errors
		if !errors.As(err, &mistakes) {
			err = fmt.Errorf("%w: %w", errConfig, err)
		}
		return nil, err
	}
	if c.Directory.Pin != "" && c.Directory.Pin != p.d.Pin() {
		return nil, c.ErrorAt("directory.pin", "this directory's pin is "+p.d.Pin(), "devices would take their keys to another directory than the one that mints them")
	}
	return c, nil
}

// checkRequest refuses what would fail later: it is the rules of a configuration
// that a request has to follow.
func checkRequest(n *api.NewPackage, uploads []*api.PackageUpload) error {
	if err := new(config.Config).Extend(extension(n, uploads, "")); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return checkPasswords(n.WiFi)
}

// checkPasswords refuses those that no network can have.
func checkPasswords(networks []api.PackageWiFi) error {
	for _, w := range networks {
		if w.Password == "" {
			continue
		}
		n := &api.NewPackage{WiFi: []api.PackageWiFi{w}}
		c := new(config.Config)
		if err := c.Extend(extension(n, nil, "")); err != nil {
			return api.Refuse(api.CodeBadRequest, "%v", err)
		}
		if _, err := c.Windows.WiFi[0].Passphrase(prompt(c, n)); err != nil {
			return api.Refuse(api.CodeBadRequest, "%v", err)
		}
	}
	return nil
}

// extension is what a request adds to the configuration. Uploads lie in dir.
func extension(n *api.NewPackage, uploads []*api.PackageUpload, dir string) config.Extension {
	e := config.Extension{Name: theRequest, ComputerName: config.ComputerName(n.ComputerName)}
	for _, w := range n.WiFi {
		network := config.WiFi{SSID: w.SSID, Security: config.Security(w.Security), Hidden: w.Hidden}
		if w.Password != "" {
			network.Password = config.Asked()
		}
		e.WiFi = append(e.WiFi, network)
	}
	for i, u := range uploads {
		payload := config.Payload{File: config.Path(filepath.Join(dir, strconv.Itoa(i), u.Name)), SHA256: u.SHA256}
		if a := n.Payloads[i].Arguments; a != nil {
			arguments := a.Reveal()
			payload.Arguments = &arguments
		}
		e.Payloads = append(e.Payloads, payload)
	}
	return e
}

// prompt answers for the passwords of a request; nobody is there to answer for
// others.
func prompt(c *config.Config, n *api.NewPackage) func(string) ([]byte, error) {
	return func(label string) ([]byte, error) {
		for _, network := range c.Windows.WiFi {
			if network.Password == nil || network.Password.Label() != label {
				continue
			}
			for _, w := range n.WiFi {
				if w.SSID == network.SSID {
					return []byte(w.Password.Reveal()), nil
				}
			}
		}
		return nil, fmt.Errorf("nobody can be asked for the %s: %w", label, config.ErrNoSecret)
	}
}

// run builds the kit, verifies it, and puts it into the store.
func (b *building) run(ctx context.Context) error {
	w := b.work
	b.progress.set("preparing", 0, 0)
	if len(w.Uploads) < len(w.Request.Payloads) {
		return fmt.Errorf("%w that was uploaded is not there any more", errPayload)
	}
	c, err := b.configuration()
	if err != nil {
		return err
	}
	// What workers left that are lost must not be taken for a part of the kit.
	if err := b.removeBefore(ctx, directory.PackagePlace{Job: w.Job, Fence: w.Fence - 1}); err != nil {
		return fmt.Errorf("%w: %s: %w", errStore, b.store, err)
	}
	dir, err := b.workFolder(w.Job)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := b.fetch(ctx, dir.Path()); err != nil {
		return err
	}
	if err := c.Extend(extension(&w.Request, w.Uploads, dir.Path())); err != nil {
		return err
	}
	output := filepath.Join(dir.Path(), "kit")
	if err := b.build(ctx, c, output); err != nil {
		return err
	}
	if err := b.verify(ctx, output); err != nil {
		return err
	}
	files, err := b.keepKit(ctx, output)
	if err != nil {
		return err
	}
	return ofDirectory(b.d.ReadyPackage(ctx, w, files))
}

// fetch gets the payloads, each into a folder of its own: they may have one name.
func (b *building) fetch(ctx context.Context, dir string) error {
	var done, total int64
	for _, u := range b.work.Uploads {
		total += u.Size
	}
	for i, u := range b.work.Uploads {
		folder := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		err := b.fetchOne(ctx, u, filepath.Join(folder, u.Name), func(n int64) {
			done += n
			b.progress.set("fetching", done, total)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *building) fetchOne(ctx context.Context, u *api.PackageUpload, path string, read func(n int64)) error {
	in, err := b.store.open(ctx, uploadFile(u.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s (%s) is not in the store: %w", errPayload, u.Name, u.ID, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errStore, b.store, err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	source := &source{Reader: contextio.Reader(ctx, in), read: read}
	_, err = io.Copy(io.MultiWriter(out, h), source)
	if source.err != nil {
		err = fmt.Errorf("%w: %s: %w", errStore, b.store, err)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != u.SHA256 {
		return fmt.Errorf("%w: %s (%s) is not what was uploaded", errPayload, u.Name, u.ID)
	}
	return nil
}

// source counts what is read, and remembers whether reading went wrong.
type source struct {
	io.Reader
	read func(n int64)
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.read(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (b *building) build(ctx context.Context, c *config.Config, output string) error {
	w := b.work
	o := kit.Options{
		Config: c, Agents: b.Agents, Output: output, Builder: b.Version, Time: time.Now().UTC().Truncate(time.Second),
		Prompt: prompt(c, &w.Request), Progress: b.progress.set,
		Mint: func(ctx context.Context, platform kit.Platform, id uuid.UUID) (kit.ConnectKey, error) {
			k, err := b.d.MintPackageKey(ctx, w, api.Platform(platform), id)
			if err != nil {
				return kit.ConnectKey{}, ofDirectory(err)
			}
			return kit.ConnectKey{Secret: k.Secret, Expires: k.ExpiresAt}, nil
		},
	}
	for _, platform := range []kit.Platform{kit.Windows, kit.MacOS} {
		if slices.Contains(w.Request.Platforms, api.Platform(platform)) {
			o.Platforms = append(o.Platforms, platform)
		}
	}
	if b.Notarize && slices.Contains(o.Platforms, kit.MacOS) {
		if c.MacOS.Notary == nil {
			return c.ErrorAt("macos", "add the section macos.notary", "%w", kit.ErrNoNotary)
		}
		var err error
		if o.Notary, err = kit.NotaryClient(c.MacOS.Notary); err != nil {
			return err
		}
	}
	_, err := kit.Build(ctx, o)
	return err
}

// verify reads the kit back, as who gets it will. Who signed it, it says itself:
// that it is whole is what matters here.
func (b *building) verify(ctx context.Context, output string) error {
	o := kit.VerifyOptions{Progress: func(_ string, done, total int64) { b.progress.set("verifying", done, total) }}
	signers, err := os.ReadFile(filepath.Join(output, kit.SignerFile))
	if err == nil {
		o.RequireSignature = true
		o.Roots = x509.NewCertPool()
		o.Roots.AppendCertsFromPEM(signers)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v, err := kit.Verify(ctx, output, o)
	if err != nil {
		return err
	}
	if err := v.Err(); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return ctx.Err()
}

// keepKit puts the kit into the store.
func (b *building) keepKit(ctx context.Context, output string) ([]api.PackageFile, error) {
	entries, err := os.ReadDir(output)
	if err != nil {
		return nil, err
	}
	files := make([]api.PackageFile, len(entries))
	var done, total int64
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files[i] = api.PackageFile{Name: e.Name(), Size: info.Size()}
		total += info.Size()
	}
	if err := b.d.ReservePackage(ctx, b.work, total, b.Quota); err != nil {
		return nil, ofDirectory(err)
	}
	for i := range files {
		err := b.keepFile(ctx, filepath.Join(output, files[i].Name), i, &files[i], func(n int64) {
			done += n
			b.progress.set("storing", done, total)
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (b *building) keepFile(ctx context.Context, path string, n int, f *api.PackageFile, read func(n int64)) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	sum, crc := sha256.New(), crc32.NewIEEE()
	source := &source{Reader: io.TeeReader(contextio.Reader(ctx, in), io.MultiWriter(sum, crc)), read: read}
	if err := b.store.put(ctx, kitFile(b.work.Job, b.work.Fence, n), source, f.Size); err != nil {
		if source.err == nil {
			err = fmt.Errorf("%w: %s: %w", errStore, b.store, err)
		}
		return err
	}
	f.SHA256, f.CRC32 = hex.EncodeToString(sum.Sum(nil)), crc.Sum32()
	return nil
}
