package kit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"firstday.dev/api"
	"firstday.dev/ppkg"
	"firstday.dev/signing"
)

// What can be wrong with the programs of a package, whoever has signed it.
var (
	// ErrOutdated: packages are not made so any more.
	ErrOutdated = errors.New("made by an older firstday")
	// ErrOtherProgram: a program is not what the package's enrollment says, or a
	// credential provider does not go with its agent.
	ErrOtherProgram = errors.New("not the program that belongs there")
)

// credentialProviders checks that with each agent goes the tile of the sign-in
// screen that was built and signed with it. A package without an enrollment is not
// one of ours, and has none.
func (v *verifier) credentialProviders(ctx context.Context, name string, r *ppkg.Reader) error {
	files := commandFilesOf(r)
	enrollment := assetOf(files, api.EnrollmentFile)
	if enrollment == nil {
		return nil
	}
	e, err := readEnrollment(r.FS, *enrollment)
	if err != nil {
		v.add(name, api.EnrollmentFile, "", integrity(err))
		return nil
	}
	for _, a := range e.Agents {
		detail, err := v.pair(ctx, name, r.FS, files, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.add(name, "credential provider for "+a.Arch, detail, err)
	}
	return nil
}

// pair checks an agent and its credential provider.
func (v *verifier) pair(ctx context.Context, name string, tree fs.FS, files []ppkg.Asset, a api.AgentFile) (detail string, err error) {
	c := a.CredentialProvider
	if c.File == "" {
		return "", fmt.Errorf("%w: no credential provider goes with %s; build the package again", ErrOutdated, a.File)
	}
	agent, err := v.packedProgram(ctx, tree, assetOf(files, a.File), a.File, a.SHA256)
	if err != nil {
		return "", err
	}
	if agent.Arch != a.Arch || agent.Version != a.Version {
		return "", fmt.Errorf("%w: %s is for %s and has version %q, the enrollment says %s and %s", ErrOtherProgram, a.File, agent.Arch, agent.Version, a.Arch, a.Version)
	}
	provider, err := v.packedProgram(ctx, tree, assetOf(files, c.File), c.File, c.SHA256)
	if err != nil {
		return "", err
	}
	if err := provider.checkProvider(a.Arch, a.Version); err != nil {
		return "", fmt.Errorf("%w: %s %w", ErrOtherProgram, c.File, err)
	}
	if err := signedAlike(agent.report, provider.report); err != nil {
		return "", fmt.Errorf("%w: %s %w", ErrIntegrity, c.File, err)
	}
	if provider.report == nil {
		return c.File + ", not signed", nil
	}
	// Who is trusted is judged by the catalog, which speaks for all that the package
	// holds; Windows judges programs by themselves once more.
	if err := cmp.Or(agent.distrust, provider.distrust); err != nil {
		v.warn("%s: the signature of %s and its agent: %v", name, c.File, err)
	}
	return c.File + ", signed " + signedBy(provider.report), nil
}

// commandFilesOf gives the files that Windows puts beside the enrollment: those of
// the same command. A package without an enrollment has none.
func commandFilesOf(r *ppkg.Reader) []ppkg.Asset {
	for _, c := range r.Commands() {
		if assetOf(c.Files, api.EnrollmentFile) != nil {
			return c.Files
		}
	}
	return nil
}

// assetOf finds a file by its name; nil: it is not there.
func assetOf(files []ppkg.Asset, name string) *ppkg.Asset {
	i := slices.IndexFunc(files, func(a ppkg.Asset) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &files[i]
}

// packedProgram is a program in a package.
type packedProgram struct {
	*Program
	report   *signing.Report // nil: nobody signed it
	distrust error           // of who did
}

// packedProgram reads a program of the package that must have a hash.
func (v *verifier) packedProgram(ctx context.Context, tree fs.FS, asset *ppkg.Asset, name, sum string) (*packedProgram, error) {
	if asset == nil {
		return nil, fmt.Errorf("%w: it lacks %s", ErrIntegrity, name)
	}
	p := new(packedProgram)
	return p, unpacked(ctx, tree, *asset, func(f *os.File, size int64) (err error) {
		h := sha256.New()
		if _, err := io.Copy(h, &watchedReader{ctx, io.NewSectionReader(f, 0, size), func(int64) {}}); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != sum {
			return fmt.Errorf("%w: %s in it has SHA-256 %s, the enrollment says %s", ErrIntegrity, name, got, sum)
		}
		if p.Program, err = readProgram(f); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrOtherProgram, name, err)
		}
		p.report, err = signerOfProgram(ctx, f, size, v.VerifyOptions.VerifyOptions)
		if p.report == nil && err != nil {
			return fmt.Errorf("the signature of %s: %w", name, err)
		}
		p.distrust = err
		return nil
	})
}
