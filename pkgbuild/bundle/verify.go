package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild/macho"
)

// Judge verifies the signature of a program, at path in the bundle, and says
// whether who signed it is to be trusted. [macho.Verify] does the first half.
type Judge func(ctx context.Context, path string, program macho.Program) ([]*macho.Signature, error)

// Verify checks that the bundle is what its signature says: the program, the
// Info.plist, everything that the seal lists and nothing else, and code inside,
// bundles, too. Errors wrap ErrSeal or ErrFormat, or are those of judge.
func (b *Bundle) Verify(ctx context.Context, judge Judge) error {
	v := verifier{program: judge}
	_, err := v.bundle(ctx, b)
	return err
}

// maxDepth bounds bundles in bundles.
const maxDepth = 16

// verifier is inside of so many bundles, of which the innermost is at path.
type verifier struct {
	program Judge
	path    string
	depth   int
}

// bundle gives the signatures of the bundle's program.
func (v verifier) bundle(ctx context.Context, b *Bundle) ([]*macho.Signature, error) {
	if v.depth++; v.depth > maxDepth {
		return nil, badFormat("%d bundles, each in the other", v.depth)
	}
	signatures, err := v.judge(ctx, b.files, b.Executable)
	if err != nil {
		return nil, err
	}
	resources, err := readFile(b.files, b.Resources, maxCodeResources)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badSeal("%s is missing", b.Resources)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range signatures {
		switch {
		case s.InfoPlist == nil || !s.InfoPlist.Matches(b.InfoPlist):
			return nil, badSeal("the signature is for another Info.plist")
		case s.CodeResources == nil || !s.CodeResources.Matches(resources):
			return nil, badSeal("the signature is for another %s", b.Resources)
		}
	}
	return signatures, v.contents(ctx, b, resources)
}

func (v verifier) judge(ctx context.Context, files fs.FS, name string) ([]*macho.Signature, error) {
	p, closeProgram, err := openProgram(files, name)
	if err != nil {
		return nil, err
	}
	signatures, err := v.program(ctx, path.Join(v.path, name), p)
	return signatures, errors.Join(err, closeProgram())
}

// code verifies an entry that is code.
func (v verifier) code(ctx context.Context, b *Bundle, e entry) ([]*macho.Signature, error) {
	at := b.path(e)
	info, err := fs.Stat(b.files, at)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		s, err := v.judge(ctx, b.files, at)
		return s, within(at, err)
	}
	inner, err := fs.Sub(b.files, at)
	if err != nil {
		return nil, err
	}
	nested, err := Open(inner)
	if err != nil {
		return nil, within(at, err)
	}
	v.path = path.Join(v.path, at)
	s, err := v.bundle(ctx, nested)
	return s, within(at, err)
}

func within(at string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// contents compares what the bundle holds with its seal.
func (v verifier) contents(ctx context.Context, b *Bundle, resources []byte) error {
	var s seal
	if err := propertylist.Unmarshal(resources, &s); err != nil {
		return badSeal("%s: %w", b.Resources, err)
	}
	own, err := parseRules(s.Rules)
	if err != nil {
		return err
	}
	standard, err := parseRules(newRules)
	if err != nil {
		return err
	}
	missing := s.Files // until it is seen
	err = b.scan(ctx, own, func(e entry) error {
		want, listed := missing[e.name]
		delete(missing, e.name)
		switch {
		case e.covered == nil && standard.find(e.name) != nil:
			return badSeal("its rules leave out %s", b.path(e))
		case e.covered == nil:
			return nil
		case !listed:
			return badSeal("%s was added", b.path(e))
		case e.code:
			return v.checkCode(ctx, b, e, want)
		}
		return b.checkFile(ctx, e, want)
	})
	if err != nil {
		return err
	}
	for name, entry := range missing {
		if !entry.Optional {
			return badSeal("%s is missing", path.Join(b.base, name))
		}
	}
	return nil
}

func (b *Bundle) checkFile(ctx context.Context, e entry, want sealed) error {
	got, err := b.hash(ctx, e)
	if err != nil {
		return err
	}
	good := bytes.Equal(got.Hash2, want.Hash2)
	if e.link {
		good = want.Symlink == got.Symlink && want.Hash2 == nil
	}
	if !good || want.Hash != nil && !bytes.Equal(got.Hash, want.Hash) {
		return badSeal("%s was changed", b.path(e))
	}
	return nil
}

// checkCode compares code with what the seal names it by. A requirement in
// words of its signer's own cannot be tested here: then it is by its cdhash.
func (v verifier) checkCode(ctx context.Context, b *Bundle, e entry, want sealed) error {
	signatures, err := v.code(ctx, b, e)
	if err != nil {
		return err
	}
	got := sealCode(signatures)
	if got.Requirement == want.Requirement && want.Requirement != "" {
		return nil
	}
	if slices.ContainsFunc(signatures, func(s *macho.Signature) bool { return bytes.Equal(s.CDHash, want.CDHash) }) {
		return nil
	}
	return badSeal("%s is other code", b.path(e))
}
