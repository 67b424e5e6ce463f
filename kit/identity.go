package kit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"firstday.dev/config"
	"firstday.dev/signing"
)

// identities are who sign; nil: nobody does.
type identities struct {
	// identity signs what is for Windows.
	identity *signing.Identity
	// application signs the programs in a Mac package, installer the package.
	application, installer *signing.Identity
}

// openIdentities opens who signs. A throw-away identity is made for whom is named.
func (i *identities) openIdentities(ctx context.Context, o *Options, whom string) error {
	mac := o.Config.MacOS.Signing
	if !slices.Contains(o.Platforms, MacOS) {
		mac = config.MacSigning{}
	}
	for _, who := range []struct {
		id *(*signing.Identity)
		s  *config.Signing
	}{{&i.identity, o.Config.Signing}, {&i.application, mac.Application}, {&i.installer, mac.Installer}} {
		if who.s == nil {
			continue
		}
		var err error
		if *who.id, err = OpenIdentity(ctx, who.s, whom, o.Prompt); err != nil {
			return err
		}
	}
	return nil
}

// closeIdentities lets go of all that are open.
func (i *identities) closeIdentities() {
	for _, id := range []*signing.Identity{i.identity, i.application, i.installer} {
		if id != nil {
			_ = id.Close() // it has signed already
		}
	}
}

// ofKit is who signs the checksums of the kit.
func (i *identities) ofKit(c *config.Config) (*signing.Identity, *config.Signing) {
	if i.identity != nil {
		return i.identity, c.Signing
	}
	return i.application, c.MacOS.Signing.Application
}

// certificates gives, in PEM, those of all who sign, each once; none if nobody
// signs the kit, because they say that somebody does.
func (i *identities) certificates() ([]byte, error) {
	if i.identity == nil && i.application == nil {
		return nil, nil
	}
	var b bytes.Buffer
	seen := make(map[string]bool)
	for _, id := range []*signing.Identity{i.identity, i.application, i.installer} {
		if id == nil {
			continue
		}
		for _, cert := range id.Chain {
			if seen[string(cert.Raw)] {
				continue
			}
			seen[string(cert.Raw)] = true
			if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// ErrIdentity: the identity that is to sign cannot.
var ErrIdentity = errors.New("cannot sign")

// OpenIdentity opens the identity that a configuration names. Close it after
// use.
func OpenIdentity(ctx context.Context, s *config.Signing, organisation string, prompt func(string) ([]byte, error)) (*signing.Identity, error) {
	password := ""
	if s.Password != nil {
		secret, err := s.Password.Resolve(prompt)
		if err != nil {
			return nil, err
		}
		password = secret.Reveal()
	}
	id, err := loadIdentity(ctx, s, organisation, password)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return id, nil
}

func loadIdentity(ctx context.Context, s *config.Signing, organisation, password string) (*signing.Identity, error) {
	switch {
	case len(s.Signer) > 0:
		return signing.OpenSigner(ctx, signing.SignerProgram{Args: s.Signer, Dir: s.Folder, Hide: s.Hidden})
	case s.PKCS12 != "":
		return signing.LoadPKCS12(string(s.PKCS12), password)
	case s.Throwaway:
		return signing.Throwaway(organisation, time.Now())
	default:
		return signing.LoadPEM(string(s.Certificate), string(s.Key), password)
	}
}

// SigningOptions are the timestamp authorities that a configuration names.
// What is signed is described by description, for those who look.
func SigningOptions(s *config.Signing, description string) signing.Options {
	o := signing.Options{Description: description}
	if len(s.Timestamp) == 0 {
		return o
	}
	o.Timestamps = &signing.Authorities{URLs: s.Timestamp}
	if len(s.TimestampRoots) > 0 {
		o.Timestamps.Roots = x509.NewCertPool()
	}
	for _, root := range s.TimestampRoots {
		for _, cert := range root.Certificates {
			o.Timestamps.Roots.AddCert(cert)
		}
	}
	return o
}

// signerOf describes an identity for the manifest; nil where nobody signs.
func signerOf(id *signing.Identity, s *config.Signing) *Signer {
	if id == nil {
		return nil
	}
	cert := id.Chain[0]
	return &Signer{
		Subject:    cert.Subject.String(),
		Issuer:     cert.Issuer.String(),
		SHA256:     fingerprint(cert),
		NotAfter:   cert.NotAfter.UTC(),
		Throwaway:  signing.IsThrowaway(cert),
		Timestamps: s.Timestamp,
	}
}

// fingerprint tells certificates apart: the SHA-256 in lower-case hex.
func fingerprint(cert *x509.Certificate) string { return fmt.Sprintf("%x", sha256.Sum256(cert.Raw)) }

// signCatalog signs the catalog if somebody signs.
func (b *builder) signCatalog(ctx context.Context, cat []byte) ([]byte, error) {
	if b.identity == nil {
		return cat, nil
	}
	signed, err := signing.SignCatalog(ctx, cat, b.identity, SigningOptions(b.Config.Signing, b.Config.Package.Name))
	if err != nil {
		return nil, fmt.Errorf("signing the catalog: %w", err)
	}
	return signed, nil
}

// descriptions are what Windows calls our programs when it asks whether to run them.
var descriptions = map[string]string{kindAgent: "Firstday agent", kindProvider: "Firstday credential provider"}

// signProgram replaces an agent, or what goes with it, by a signed copy in the
// folder work.
func (b *builder) signProgram(ctx context.Context, program *part, work string) error {
	in, err := os.Open(program.path)
	if err != nil {
		return err
	}
	defer in.Close()
	path := filepath.Join(work, program.File)
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := signing.SignPE(ctx, in, program.Size, out, b.identity, SigningOptions(b.Config.Signing, descriptions[program.Kind])); err != nil {
		return fmt.Errorf("signing %s: %w", program.File, err)
	}
	info, err := out.Stat()
	if err != nil {
		return err
	}
	program.path, program.Size = path, info.Size()
	return out.Close()
}
