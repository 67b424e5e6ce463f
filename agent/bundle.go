package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
)

// Bundle is the folder in which Windows puts a package's command files: the
// enrollment, the agents and the payloads, side by side (formats/ppkg.md §4).
type Bundle struct {
	*api.Enrollment
	raw  []byte
	root *os.Root
}

// OpenBundle reads and checks the enrollment file. The files it lists are
// taken from the folder the enrollment file lies in, and nowhere else.
func OpenBundle(enrollment string) (*Bundle, error) {
	root, err := os.OpenRoot(filepath.Dir(enrollment))
	if err != nil {
		return nil, unusable(err)
	}
	b := &Bundle{root: root}
	if err := b.read(filepath.Base(enrollment)); err != nil {
		return nil, errors.Join(unusable(err), root.Close())
	}
	return b, nil
}

// unusable marks an error as the package's fault.
func unusable(err error) error { return fmt.Errorf("%w: %w", ErrEnrollment, err) }

func (b *Bundle) read(name string) error {
	f, err := b.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b.raw, err = io.ReadAll(io.LimitReader(f, api.MaxEnrollmentSize+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	b.Enrollment, err = api.ReadEnrollment(bytes.NewReader(b.raw))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Close lets go of the folder.
func (b *Bundle) Close() error { return b.root.Close() }

// open opens a regular file of the bundle: a link would lead to what nobody
// has checked, a pipe would never end.
func (b *Bundle) open(name string) (*os.File, error) {
	named, err := b.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(named, opened) {
		return nil, errors.Join(fmt.Errorf("%s changed while it was opened", name), err, f.Close())
	}
	return f, nil
}

// agentFor picks the agent for an architecture.
func agentFor(e *api.Enrollment, arch string) (api.AgentFile, error) {
	for _, file := range e.Agents {
		if file.Arch == arch {
			return file, nil
		}
	}
	return api.AgentFile{}, fmt.Errorf("%w: its architecture is %s", ErrArchitecture, arch)
}

// check reads a file of the bundle and compares its hash.
func (b *Bundle) check(name, want string) error {
	f, err := b.open(name)
	if err != nil {
		return unusable(err)
	}
	defer f.Close()
	return compareHash(io.Discard, f, name, want)
}

// copyTo copies a file of the bundle. The copy gets its name only if its
// bytes have the hash: what was checked is what will run.
func (b *Bundle) copyTo(dst, name, want string, perm os.FileMode) error {
	src, err := b.open(name)
	if err != nil {
		return unusable(err)
	}
	defer src.Close()
	f, err := atomicfile.Create(dst, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := compareHash(f, src, name, want); err != nil {
		return err
	}
	return f.Commit()
}

func compareHash(w io.Writer, r io.Reader, name, want string) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return unusable(fmt.Errorf("%s has SHA-256 %s, the enrollment says %s", name, got, want))
	}
	return nil
}

// hasHash tells whether a file is there and has the hash.
func hasHash(path, want string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = compareHash(io.Discard, f, path, want)
	if errors.Is(err, ErrEnrollment) {
		return false, nil
	}
	return err == nil, err
}
