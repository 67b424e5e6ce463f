package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/signing"
)

// kit checks the folder: first who vouches for the checksums, then that every
// file is the one they list and no other is there, then what the files say.
func (v *verifier) kit(ctx context.Context, dir string) error {
	data, err := readSmall(filepath.Join(dir, SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return v.noSums(dir)
	}
	if err != nil {
		return err
	}
	listed, err := ParseSums(data)
	v.add(SumsFile, "format", "", integrity(err))
	if err != nil {
		return nil //nolint:nilerr // it stands among the checks
	}
	v.Sums = data
	p7s, err := readSmall(filepath.Join(dir, SignatureFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v.sumsSignature(ctx, data, p7s, listed[SignerFile] != "")
	found, err := v.files(ctx, dir, listed)
	if err != nil {
		return err
	}
	if found[ManifestFile] == "" {
		return nil // it stands among the checks, as does a manifest that cannot be read
	}
	m, err := v.manifest(dir)
	if err != nil || m == nil {
		return err
	}
	return v.packages(ctx, dir, m, found)
}

// noSums tells a kit that lost its checksums from a folder that is no kit.
func (v *verifier) noSums(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, ManifestFile)); err != nil {
		return fmt.Errorf("%s is %w: it has neither %s nor %s", dir, ErrNotAKit, SumsFile, ManifestFile)
	}
	v.add(SumsFile, "format", "", fmt.Errorf("%w: it is missing", ErrIntegrity))
	return nil
}

// integrity marks a malformed file of ours as changed: we write it only well.
func integrity(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrIntegrity, err)
}

// VerifySums checks the form of the checksums of a kit, and who vouches for them,
// wherever its files are; p7s is their signature, nil if there is none.
func VerifySums(ctx context.Context, data, p7s []byte, o VerifyOptions) *Verification {
	v := &verifier{VerifyOptions: o}
	listed, err := ParseSums(data)
	v.add(SumsFile, "format", "", integrity(err))
	if err == nil {
		v.Sums = data
		v.sumsSignature(ctx, data, p7s, listed[SignerFile] != "")
	}
	return &v.Verification
}

// sumsSignature checks who vouches for the checksums. A kit that names its
// signer was signed.
func (v *verifier) sumsSignature(ctx context.Context, data, p7s []byte, signed bool) {
	const what = "signature"
	switch {
	case p7s == nil && signed:
		v.add(SumsFile, what, "", fmt.Errorf("%w: the kit was signed, and %s is missing", signing.ErrNoSignature, SignatureFile))
	case p7s == nil:
		v.unsigned(SumsFile)
	default:
		report, err := signing.VerifyDetached(ctx, bytes.NewReader(data), p7s, v.VerifyOptions.VerifyOptions)
		v.add(SumsFile, what, signedBy(report), err)
	}
}

func (v *verifier) unsigned(file string) {
	if v.RequireSignature {
		v.add(file, "signature", "", signing.ErrNoSignature)
		return
	}
	v.warn("%s is not signed: it may have been replaced as a whole", file)
}

// files compares every file with its checksum, and gives back the checksums of
// what is there.
func (v *verifier) files(ctx context.Context, dir string, listed sums) (sums, error) {
	files, err := listFolder(dir)
	if err != nil {
		return nil, err
	}
	found, err := sumFiles(ctx, dir, files, nil, func(done, total int64) { v.progress("checksums", done, total) })
	if err != nil {
		return nil, err
	}
	for _, name := range files.odd {
		v.add(name, "SHA-256", "", fmt.Errorf("%w: it is not a regular file", ErrIntegrity))
		delete(listed, name)
	}
	names := maps.Clone(listed)
	maps.Copy(names, found)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var err error
		switch {
		case found[name] == "":
			err = fmt.Errorf("%w: it is missing", ErrIntegrity)
		case listed[name] == "":
			err = fmt.Errorf("%w: it does not belong to the kit", ErrIntegrity)
		case found[name] != listed[name]:
			err = fmt.Errorf("%w: its SHA-256 is %s", ErrIntegrity, found[name])
		}
		v.add(name, "SHA-256", "", err)
	}
	return found, nil
}

func (v *verifier) manifest(dir string) (*Manifest, error) {
	data, err := readSmall(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil, err
	}
	m, err := ReadManifest(bytes.NewReader(data))
	v.add(ManifestFile, "format", "", integrity(err))
	if err != nil {
		return nil, nil //nolint:nilerr // it stands among the checks
	}
	now := v.Time
	if now.IsZero() {
		now = time.Now()
	}
	if m.ExpiresAt != nil && now.After(*m.ExpiresAt) {
		v.warn("the connect key ended on %s: this kit enrols no devices any more", m.ExpiresAt.Format(time.DateOnly))
	}
	return m, nil
}

// packages checks that the manifest lists the packages in the kit, and each
// of them.
func (v *verifier) packages(ctx context.Context, dir string, m *Manifest, found sums) error {
	unlisted := map[string]bool{}
	for name := range found {
		ext := filepath.Ext(name)
		unlisted[name] = strings.EqualFold(ext, packageExt) || strings.EqualFold(ext, installerExt)
	}
	var missing error
	for _, p := range m.Packages {
		delete(unlisted, p.File)
		if found[p.File] == "" {
			missing = fmt.Errorf("%w: the kit lacks %s", ErrIntegrity, p.File)
			continue
		}
		check := v.ppkg
		if p.Platform == MacOS {
			check = v.installer
		}
		if err := check(ctx, filepath.Join(dir, p.File), &listing{m, p, found[p.File]}); err != nil {
			return err
		}
	}
	if len(m.Packages) == 0 {
		missing = fmt.Errorf("%w: it lists no package", ErrIntegrity)
	}
	for _, name := range slices.Sorted(maps.Keys(unlisted)) {
		if unlisted[name] {
			missing = fmt.Errorf("%w: it does not list %s", ErrIntegrity, name)
		}
	}
	v.add(ManifestFile, "packages", "", missing)
	return nil
}
