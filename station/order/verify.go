package order

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/kit"
	"firstday.dev/signing"
)

// What can be wrong with a bundle. What was changed wraps [kit.ErrIntegrity], and
// what is wrong with its signature the errors of package signing.
var (
	// ErrBundle: it is no bundle, or one that is not safe to look at.
	ErrBundle = errors.New("not a bundle of an order")
	// ErrSigner: somebody else signed it than was asked for.
	ErrSigner = errors.New("another signer")
)

// VerifyOptions say whom to trust.
type VerifyOptions struct {
	// Signer is the SHA-256 of the certificate of the one who must have signed, in
	// hexadecimal, however grouped. Who pins a signer asks nobody else about them.
	// Empty: whoever leads to a trusted root.
	Signer string
	kit.VerifyOptions
}

// Verification is what was found of a bundle.
type Verification struct {
	Order  *Order  `json:"order,omitempty"` // nil: it cannot be read
	Files  int     `json:"files"`           // that are as they were made
	Signer *Signer `json:"signer,omitempty"`
	// Faults are what is wrong, by file.
	Faults   []Fault  `json:"faults,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	embedded []*x509.Certificate // in the signature
	kit      kit.VerifyOptions   // by which the kit is good
	kitID    [sha256.Size]byte
}

// Signer is who signed a bundle.
type Signer struct {
	Subject string `json:"subject"`
	SHA256  string `json:"sha256"` // of the certificate's DER
}

// Fault is one thing that is wrong.
type Fault struct {
	File  string `json:"file"`
	Error string `json:"error"`
	err   error
}

// Err joins what is wrong; nil if nothing is.
func (v *Verification) Err() error {
	var errs []error
	for _, f := range v.Faults {
		errs = append(errs, fmt.Errorf("%s: %w", f.File, f.err))
	}
	return errors.Join(errs...)
}

func (v *Verification) fault(file string, err error) {
	if err != nil {
		v.Faults = append(v.Faults, Fault{file, err.Error(), err})
	}
}

func (v *Verification) warn(format string, args ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
}

// Bundle is one that was verified.
type Bundle struct {
	Order *Order
	// Kit is the folder of the kit, and KitID the SHA-256 of its checksums.
	Kit   string
	KitID [sha256.Size]byte
	// Trust is by what the kit was verified, and is good again.
	Trust    kit.VerifyOptions
	Warnings []string
}

// Open verifies the folder of a bundle, and gives the order and the kit in it.
func Open(ctx context.Context, dir string, o VerifyOptions) (*Bundle, error) {
	v, err := Verify(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	if err := v.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &Bundle{Order: v.Order, Kit: filepath.Join(dir, KitFolder), KitID: v.kitID, Trust: v.kit, Warnings: v.Warnings}, nil
}

// IsBundle tells the folder of a bundle from that of a kit.
func IsBundle(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, File))
	return err == nil && info.Mode().IsRegular()
}

// verification is one at work.
type verification struct {
	Verification
	o    VerifyOptions
	dir  string
	root *os.Root
}

// Verify checks the folder of a bundle: who sealed it, that every file is the one
// that was sealed and no other is there, that the kit is good, and that order and
// kit belong together. The error says that it could not be checked at all.
func Verify(ctx context.Context, dir string, o VerifyOptions) (_ *Verification, err error) {
	if o.Signer != "" {
		if o.Signer, err = Fingerprint(o.Signer); err != nil {
			return nil, err
		}
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	v := &verification{o: o, dir: dir}
	if v.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.root.Close()) }()
	sums, err := readSmall(v.root, kit.SumsFile, maxSums)
	if errors.Is(err, fs.ErrNotExist) && !IsBundle(dir) {
		return nil, fmt.Errorf("%s is %w: it has neither %s nor %s", dir, ErrBundle, File, kit.SumsFile)
	}
	if err != nil {
		v.fault(kit.SumsFile, integrity(err))
		return &v.Verification, nil
	}
	listed, err := parseSums(sums)
	if err != nil {
		v.fault(kit.SumsFile, integrity(err))
		return &v.Verification, nil
	}
	if listed[File] == "" {
		return nil, fmt.Errorf("%s is %w: its %s does not list %s", dir, ErrBundle, kit.SumsFile, File)
	}
	if err := v.signature(ctx, sums); err != nil {
		return nil, err
	}
	if err := v.files(ctx, listed); err != nil || len(v.Faults) > 0 {
		return &v.Verification, err
	}
	return &v.Verification, v.contents(ctx)
}

// Fingerprint reads the SHA-256 of a certificate as people write it down.
func Fingerprint(text string) (string, error) {
	digits := strings.ToLower(strings.NewReplacer(":", "", " ", "", "-", "").Replace(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "sha256:")))
	if b, err := hex.DecodeString(digits); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("%.80q is no fingerprint: it has 64 hexadecimal digits", text)
	}
	return digits, nil
}

// integrity marks a malformed file of ours as changed: we write it only well.
func integrity(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is missing", kit.ErrIntegrity)
	}
	return fmt.Errorf("%w: %w", kit.ErrIntegrity, err)
}

// signature checks who sealed the bundle.
func (v *verification) signature(ctx context.Context, sums []byte) error {
	p7s, err := readSmall(v.root, kit.SignatureFile, maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		v.fault(kit.SignatureFile, fmt.Errorf("%w: it is missing", signing.ErrNoSignature))
		return nil
	}
	if err != nil {
		v.fault(kit.SignatureFile, integrity(err))
		return nil
	}
	report, err := signing.VerifyDetached(ctx, bytes.NewReader(sums), p7s, v.o.VerifyOptions.VerifyOptions)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if report == nil || report.Signer == nil {
		v.fault(kit.SumsFile, err)
		return nil
	}
	v.Signer, v.embedded = signerOf(report.Signer), report.Embedded
	switch {
	case v.o.Signer == "":
		v.fault(kit.SumsFile, err)
	case v.Signer.SHA256 != v.o.Signer:
		v.fault(kit.SumsFile, fmt.Errorf("%w: it was signed by %s, whose certificate has the fingerprint %s", ErrSigner, v.Signer.Subject, v.Signer.SHA256))
	case err == nil:
	case errors.Is(err, signing.ErrExpired) && !errors.Is(err, signing.ErrNotCodeSigning):
		v.warn("the signer's certificate ended on %s; it is the one that you named", report.Signer.NotAfter.Format(time.DateOnly))
	case !errors.Is(err, signing.ErrUntrusted) || errors.Is(err, signing.ErrNotCodeSigning):
		v.fault(kit.SumsFile, err)
	}
	return nil
}

func signerOf(c *x509.Certificate) *Signer {
	sum := sha256.Sum256(c.Raw)
	return &Signer{c.Subject.String(), hex.EncodeToString(sum[:])}
}

// files compares what is there with what was sealed.
func (v *verification) files(ctx context.Context, listed map[string]string) error {
	c, err := listBundle(v.root)
	if err != nil {
		return err
	}
	sums, err := c.sum(ctx, v.root, func(done, total int64) { v.o.Progress("checksums", done, total) })
	if err != nil {
		return err
	}
	for _, name := range c.odd {
		v.fault(name, fmt.Errorf("%w: it is not a regular file", kit.ErrIntegrity))
		delete(listed, name)
	}
	names := maps.Clone(listed)
	maps.Copy(names, sums)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch {
		case sums[name] == "":
			v.fault(name, fmt.Errorf("%w: it is missing", kit.ErrIntegrity))
		case listed[name] == "":
			v.fault(name, fmt.Errorf("%w: it does not belong to the bundle", kit.ErrIntegrity))
		case listed[name] != sums[name]:
			v.fault(name, fmt.Errorf("%w: its SHA-256 is %s", kit.ErrIntegrity, sums[name]))
		default:
			v.Files++
		}
	}
	return nil
}

// contents checks what the files say, once they are those that were sealed.
func (v *verification) contents(ctx context.Context) error {
	data, err := readSmall(v.root, File, maxSize)
	if err != nil {
		return err
	}
	if v.Order, err = ReadOrder(bytes.NewReader(data)); err != nil {
		v.fault(File, err)
		return nil
	}
	if v.now().After(v.Order.ExpiresAt) {
		v.warn("the order ended on %s: it brings no devices any more", v.Order.ExpiresAt.Format(time.DateOnly))
	}
	if err := v.certificates(); err != nil {
		v.fault(kit.SignatureFile, err)
		return nil
	}
	if v.kit, err = v.trust(); err != nil {
		v.fault(KitFolder+"/"+kit.SignerFile, err)
		return nil
	}
	k, err := kit.Verify(ctx, filepath.Join(v.dir, KitFolder), v.kit)
	if err != nil {
		return err
	}
	for _, check := range k.Checks {
		if err := check.Err(); err != nil {
			v.fault(KitFolder+"/"+check.File, fmt.Errorf("%s: %w", check.What, err))
		}
	}
	v.Warnings = append(v.Warnings, k.Warnings...)
	v.kitID = sha256.Sum256(k.Sums)
	manifest, err := readSmall(v.root, KitFolder+"/"+kit.ManifestFile, maxSize)
	if err != nil || len(v.Faults) > 0 {
		return err
	}
	m, err := kit.ReadManifest(bytes.NewReader(manifest))
	if err != nil {
		return err
	}
	v.fault(File, v.Order.checkKit(m))
	return nil
}

// certificates makes sure that those in the signature are those that the signer
// listed: the signature does not cover them.
func (v *verification) certificates() error {
	data, err := readSmall(v.root, kit.SignerFile, maxSmall)
	if err != nil {
		return integrity(err)
	}
	known := make(map[string]bool)
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		known[string(block.Bytes)] = true
	}
	for _, c := range v.embedded {
		if !known[string(c.Raw)] {
			return fmt.Errorf("%w: it holds a certificate that is not in %s", kit.ErrIntegrity, kit.SignerFile)
		}
	}
	return nil
}

func (v *verification) now() time.Time {
	if v.o.Time.IsZero() {
		return time.Now()
	}
	return v.o.Time
}

// trust is by what the kit is judged. Where a signer was pinned it is by the
// certificates that lie in the kit: the signer has vouched for that file, too, at
// the time of the order.
func (v *verification) trust() (kit.VerifyOptions, error) {
	o := v.o.VerifyOptions
	o.RequireSignature = true
	if v.o.Signer == "" {
		return o, nil
	}
	data, err := readSmall(v.root, KitFolder+"/"+kit.SignerFile, maxSmall)
	if err != nil {
		return o, integrity(err)
	}
	o.Roots, o.Time = x509.NewCertPool(), v.Order.Created
	if !o.Roots.AppendCertsFromPEM(data) {
		return o, fmt.Errorf("%w: no certificate is in it", kit.ErrIntegrity)
	}
	return o, nil
}
