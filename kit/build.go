package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild/notary"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/xpress"
	"firstday.dev/signing"
)

// Errors a caller decides on. Others come from the packages that kit uses.
var (
	// ErrNotAKit: the folder holds something else; it is not replaced.
	ErrNotAKit = errors.New("not a kit")
	// ErrPayload: a payload is not the file the configuration means.
	ErrPayload = errors.New("unusable payload")
)

// Platform is what a package is for.
type Platform string

// The platforms there are packages for.
const (
	Windows Platform = "windows"
	MacOS   Platform = "macos"
)

// Options say what to build, and where.
type Options struct {
	Config    *config.Config
	Platforms []Platform // at least one
	Agents    string     // folder of agent binaries, see [FindAgents]
	// Output is the folder of the kit. A kit that is there is replaced as a
	// whole once the new one is ready; any other folder must be empty.
	Output  string
	Builder string // version of the program that builds

	Time time.Time // of everything in the kit
	// Reproducible makes ids and passwords follow from the inputs, so that
	// the same inputs at the same Time give the same package.
	Reproducible bool
	Level        xpress.Level

	// Mint, if set, makes a connect key for each package in place of the
	// configured one. No such build is reproducible.
	Mint func(ctx context.Context, platform Platform, id uuid.UUID) (ConnectKey, error)

	// Signed, if set, is told who signed the kit, once it is in its place, to sign
	// what is made of it; its error is the build's. A kit that nobody signs is not
	// built then.
	Signed func(ctx context.Context, m *Manifest, who *signing.Identity, o signing.Options) error

	// Notary, if set, has the package for macOS notarised, and its ticket
	// stapled to it, before the kit appears.
	Notary *notary.Client

	// Prompt asks a person for a secret; nil where nobody is there.
	Prompt func(label string) ([]byte, error)
	// Progress, if set, is told how far a step is, in bytes.
	Progress func(step string, done, total int64)
}

// ConnectKey is what lets the devices of one package enrol.
type ConnectKey struct {
	Secret  api.Secret
	Expires time.Time
}

// ErrMint: a build cannot be reproducible and have keys of its own.
var ErrMint = errors.New("a key that is minted for a build makes it unlike any other; unset SOURCE_DATE_EPOCH")

// builder is a build at work.
type builder struct {
	Options
	identities
	shared  *shared
	secrets *secrets
	keys    map[Platform]ConnectKey
	parts   []part               // of the Windows package, agents first
	sources map[string]string    // where the files inside are now, by package/file
	inside  map[string][]Content // what bundles hold, likewise
	sums    sums                 // of the packages, known since they were written
}

// Build makes the kit. Until it returns, Output is as it was.
func Build(ctx context.Context, o Options) (*Manifest, error) {
	s := newShared()
	defer s.closeIdentities()
	b, err := newBuilder(o, s)
	if err != nil {
		return nil, err
	}
	if err := s.openIdentities(ctx, &o, o.Config.Organisation.Name); err != nil {
		return nil, err
	}
	return b.build(ctx)
}

// newBuilder checks what it can before anybody signs, and resolves the secrets.
func newBuilder(o Options, s *shared) (*builder, error) {
	if err := checkOutput(o.Output); err != nil {
		return nil, err
	}
	if o.Mint != nil && o.Reproducible {
		return nil, ErrMint
	}
	b := &builder{
		Options: o, shared: s,
		sources: make(map[string]string), inside: make(map[string][]Content), keys: make(map[Platform]ConnectKey), sums: make(sums),
	}
	var err error
	b.secrets, err = resolveSecrets(&o)
	return b, err
}

// takeIdentities takes of those who sign the ones that this kit needs.
func (b *builder) takeIdentities() {
	b.identities = b.shared.identities
	if !slices.Contains(b.Platforms, MacOS) {
		b.application, b.installer = nil, nil
	}
}

func (b *builder) build(ctx context.Context) (*Manifest, error) {
	b.takeIdentities()
	who, section := b.ofKit(b.Config)
	if b.Signed != nil && who == nil {
		return nil, b.Config.ErrorAt("signing", "add the section signing", "%w", ErrNobodySigns)
	}
	dir, err := atomicfile.CreateDir(b.Output, privateFolder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	work, err := os.MkdirTemp(dir.Path(), "work-")
	if err != nil {
		return nil, err
	}
	packages, err := b.buildPackages(ctx, dir.Path(), work)
	if err != nil {
		return nil, err
	}
	m := b.manifest(packages)
	if err := b.writePapers(m, dir.Path()); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(work); err != nil {
		return nil, err
	}
	if err := b.seal(ctx, dir.Path()); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := dir.Commit(); err != nil || b.Signed == nil {
		return m, err
	}
	return m, b.Signed(ctx, m, who, SigningOptions(section, ""))
}

func (b *builder) buildPackages(ctx context.Context, dir, work string) ([]*Package, error) {
	var packages []*Package
	for _, platform := range b.Platforms {
		build := b.buildWindows
		if platform == MacOS {
			build = b.buildMacOS
		}
		p, err := build(ctx, dir, work)
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
		b.sums[p.File] = p.SHA256
	}
	return packages, nil
}

// checkOutput allows what Build may replace: nothing, an empty folder, or a
// kit, and a kit only if it holds nothing but what its SHA256SUMS lists.
func checkOutput(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := readSmall(filepath.Join(dir, SumsFile))
	if err != nil {
		return fmt.Errorf("%s is %w: it has no %s, and its files would be lost", dir, ErrNotAKit, SumsFile)
	}
	listed, err := ParseSums(data)
	if err != nil {
		return fmt.Errorf("%s is %w: %w", dir, ErrNotAKit, err)
	}
	for _, e := range entries {
		if name := e.Name(); listed[name] == "" && name != SumsFile && name != SignatureFile {
			return fmt.Errorf("%s is %w: %s is not a part of it and would be lost", dir, ErrNotAKit, name)
		}
	}
	return nil
}

// gather finds the files that go into the package, signs the agents, which
// needs copies in the folder work, and hashes them all.
func (b *builder) gather(ctx context.Context, work string) error {
	s := b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agents == nil {
		agents, err := b.signedAgents(ctx, work)
		if err != nil {
			return err
		}
		s.agents = agents
	}
	if err := b.findParts(ctx, s.agents); err != nil {
		return err
	}
	var err error
	for i := range b.parts {
		p := &b.parts[i]
		if p.file, err = s.packed(ctx, p, ppkg.Options{Level: b.Level}); err != nil {
			return err
		}
	}
	return b.checkPayloads()
}

// signedAgents gives the agents and their credential providers, those that are
// signed being copies.
func (b *builder) signedAgents(ctx context.Context, work string) ([]part, error) {
	agents, err := openAgents(b.Agents)
	if err != nil {
		return nil, err
	}
	if b.identity == nil {
		return agents, checkSigners(ctx, agents)
	}
	if work, err = b.shared.folder(work); err != nil {
		return nil, err
	}
	for i := range agents {
		if err := b.signProgram(ctx, &agents[i], work); err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// findParts lists the agents with what goes with them, and the payloads, and hashes them.
func (b *builder) findParts(ctx context.Context, agents []part) error {
	b.parts = slices.Clone(agents)
	for _, p := range b.Config.Windows.Payloads {
		info, err := os.Stat(string(p.File))
		if err != nil {
			return err
		}
		b.parts = append(b.parts, part{
			Content: Content{File: p.Name(), Kind: string(p.Kind), Size: info.Size()},
			path:    string(p.File),
		})
	}
	var done, total int64
	for _, p := range b.parts {
		total += p.Size
	}
	var err error
	for i := range b.parts {
		p := &b.parts[i]
		p.SHA256, err = b.shared.sum(ctx, p.path, func(n int64) {
			done += n
			b.progress("reading", done, total)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkPayloads compares the payloads with the hashes the configuration pins.
func (b *builder) checkPayloads() error {
	agents := len(b.parts) - len(b.Config.Windows.Payloads)
	for i, p := range b.Config.Windows.Payloads {
		if got := b.parts[agents+i].SHA256; p.SHA256 != "" && p.SHA256 != got {
			return b.Config.ErrorAt(fmt.Sprintf("windows.payloads[%d].sha256", i), "write what it is, if this is the file you mean",
				"%w: %s has SHA-256 %s", ErrPayload, p.File, got)
		}
	}
	return nil
}

func (b *builder) contents() []Content {
	contents := make([]Content, len(b.parts))
	for i, p := range b.parts {
		contents[i] = p.Content
	}
	return contents
}

func (b *builder) progress(step string, done, total int64) {
	if b.Progress != nil {
		b.Progress(step, done, total)
	}
}

// expires is the end of the connect keys' life, where it is known; of several
// minted in one build, the first one's.
func (b *builder) expires() *time.Time {
	end := b.Config.ConnectKey.Expires
	if b.Mint != nil {
		end = time.Time{}
	}
	for _, k := range b.keys {
		if end.IsZero() || k.Expires.Before(end) {
			end = k.Expires
		}
	}
	if end.IsZero() {
		return nil
	}
	end = end.UTC()
	return &end
}

// newID gives a package of a platform its id, and the key that is bound to it.
func (b *builder) newID(ctx context.Context, platform Platform) (uuid.UUID, error) {
	id := uuid.New()
	if b.Mint == nil {
		return id, nil
	}
	k, err := b.Mint(ctx, platform, id)
	if err != nil {
		return id, fmt.Errorf("minting a connect key: %w", err)
	}
	b.keys[platform] = k
	return id, nil
}

// connectKey is what devices of a platform enrol by.
func (b *builder) connectKey(platform Platform) api.Secret {
	if k, minted := b.keys[platform]; minted {
		return k.Secret
	}
	return b.secrets.connectKey
}

// watchedReader ends with its context, and tells how many bytes it gave.
type watchedReader struct {
	ctx  context.Context
	r    io.Reader
	read func(n int64)
}

func (w *watchedReader) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.Read(p)
	w.read(int64(n))
	return n, err
}
