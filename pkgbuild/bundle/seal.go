package bundle

import (
	"context"
	"crypto/sha1" //nolint:gosec // for readers before OS X 10.9.5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/micromdm/plist"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/macho"
)

// seal is a file CodeResources.
type seal struct {
	OldFiles map[string]any    `plist:"files"`
	Files    map[string]sealed `plist:"files2"`
	OldRules map[string]any    `plist:"rules"`
	Rules    map[string]any    `plist:"rules2"`
}

// sealed is what a seal says of an entry.
type sealed struct {
	// Of code: one of its cdhashes, and the requirement that tells it from other
	// code.
	CDHash      []byte `plist:"cdhash,omitempty"`
	Requirement string `plist:"requirement,omitempty"`
	// Of files: the hash by SHA-256; old ones have SHA-1, too.
	Hash     []byte `plist:"hash,omitempty"`
	Hash2    []byte `plist:"hash2,omitempty"`
	Optional bool   `plist:"optional,omitempty"` // it may be missing
	// Of a symbolic link: where it leads.
	Symlink string `plist:"symlink,omitempty"`
}

// Seal gives the seal of the bundle as it is. Code inside must be signed: else
// errors wrap ErrUnsignedCode.
func (b *Bundle) Seal(ctx context.Context) ([]byte, error) {
	current, err := parseRules(newRules)
	if err != nil {
		return nil, err
	}
	old, err := parseRules(oldRules)
	if err != nil {
		return nil, err
	}
	s := seal{map[string]any{}, map[string]sealed{}, oldRules, newRules}
	verify := verifier{program: unjudged}
	err = b.scan(ctx, current, func(e entry) error {
		if e.code {
			code, err := verify.code(ctx, b, e)
			if err != nil {
				return err
			}
			s.Files[e.name] = sealCode(code)
			return nil
		}
		oldRule := old.find(e.name)
		if e.covered == nil && oldRule == nil {
			return nil
		}
		entry, err := b.hash(ctx, e)
		if err != nil {
			return err
		}
		if oldRule != nil && entry.Hash != nil {
			s.OldFiles[e.name] = oldEntry(entry.Hash, oldRule.optional)
		}
		if entry.Hash = nil; e.covered != nil {
			s.Files[e.name] = entry
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return plist.MarshalIndent(s, "\t")
}

func oldEntry(hash []byte, optional bool) any {
	if optional {
		return map[string]any{"hash": hash, "optional": true}
	}
	return hash
}

// hash reads a file or link.
func (b *Bundle) hash(ctx context.Context, e entry) (sealed, error) {
	s := sealed{Optional: e.covered != nil && e.covered.optional}
	var err error
	if e.link {
		s.Symlink, err = fs.ReadLink(b.files, b.path(e))
		return s, err
	}
	f, err := b.files.Open(b.path(e))
	if err != nil {
		return s, err
	}
	defer f.Close()
	h1, h2 := sha1.New(), sha256.New() //nolint:gosec // see above
	if _, err := io.Copy(io.MultiWriter(h1, h2), contextio.Reader(ctx, f)); err != nil {
		return s, err
	}
	s.Hash, s.Hash2 = h1.Sum(nil), h2.Sum(nil)
	return s, nil
}

// sealCode names code by the requirement that its signatures agree on, else by
// the cdhashes of all of them.
func sealCode(signatures []*macho.Signature) sealed {
	first := signatures[0]
	i := slices.IndexFunc(signatures, func(s *macho.Signature) bool { return s.CPU.Type == macho.ARM64.Type })
	s := sealed{CDHash: signatures[max(i, 0)].CDHash}
	if first.Designated != nil && !slices.ContainsFunc(signatures, func(s *macho.Signature) bool { return string(s.Designated) != string(first.Designated) }) {
		s.Requirement = first.Designated.String()
		return s
	}
	var hashes []string
	for _, s := range signatures {
		hashes = append(hashes, fmt.Sprintf(`cdhash H"%s"`, hex.EncodeToString(s.CDHash)))
	}
	s.Requirement = strings.Join(hashes, " or ")
	return s
}

// unjudged leaves it to others who signed.
func unjudged(ctx context.Context, _ string, p macho.Program) ([]*macho.Signature, error) {
	s, err := macho.Verify(ctx, p)
	if errors.Is(err, macho.ErrUnsigned) || errors.Is(err, macho.ErrFormat) {
		return nil, fmt.Errorf("%w: %w", ErrUnsignedCode, err)
	}
	return s, err
}
