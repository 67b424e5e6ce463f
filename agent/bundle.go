package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"github.com/google/uuid"
)

// Bounds on what an enrollment may ask for, generous for any real package.
const (
	maxPayloads  = 100
	maxCodes     = 64
	maxArguments = 8191 // bytes; the whole command line may hold 32767 characters
	maxText      = 4096 // bytes, of any other text
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
	b.Enrollment, err = parseEnrollment(b.raw)
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
func (b *Bundle) agentFor(arch string) (api.AgentFile, error) {
	for _, file := range b.Agents {
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

// parseEnrollment decodes and checks an enrollment.
func parseEnrollment(raw []byte) (*api.Enrollment, error) {
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if err := checkEnrollment(e); err != nil {
		return nil, err
	}
	return e, nil
}

// checkEnrollment refuses what the agent could not follow safely.
func checkEnrollment(e *api.Enrollment) error {
	for _, text := range []struct{ name, value string }{
		{"organisation", e.Organisation}, {"packageName", e.PackageName},
		{"packageVersion", e.PackageVer}, {"breakGlassUser", e.BreakGlass},
		{"connectKey", e.ConnectKey.Reveal()},
	} {
		if len(text.value) > maxText || strings.ContainsFunc(text.value, unicode.IsControl) {
			return fmt.Errorf("%s is too long or holds control characters", text.name)
		}
	}
	if e.Organisation == "" {
		return errors.New("organisation is empty")
	}
	if e.PackageID == uuid.Nil {
		return errors.New("packageId is missing")
	}
	if err := checkDirectory(e.Directory); err != nil {
		return err
	}
	if len(e.Agents) == 0 {
		return errors.New("no agent is listed")
	}
	if len(e.Payloads) > maxPayloads {
		return fmt.Errorf("%d payloads are listed, at most %d are allowed", len(e.Payloads), maxPayloads)
	}
	// Windows tells no upper from lower case; a file listed twice would make
	// one mean the other.
	taken := map[string]bool{api.EnrollmentFile: true}
	take := func(name, hash string) error {
		if err := checkFileName(name); err != nil {
			return fmt.Errorf("%.260q: %w", name, err)
		}
		folded := strings.ToLower(name)
		if taken[folded] {
			return fmt.Errorf("%s is listed twice", name)
		}
		taken[folded] = true
		if sum, err := hex.DecodeString(hash); err != nil || len(sum) != sha256.Size || strings.ToLower(hash) != hash {
			return fmt.Errorf("%s: sha256 is not 64 lower-case hexadecimal digits", name)
		}
		return nil
	}
	for i, a := range e.Agents {
		// One file may serve several architectures: macOS has universal ones.
		same := func(o api.AgentFile) bool { return o.File == a.File && o.SHA256 == a.SHA256 }
		if !slices.ContainsFunc(e.Agents[:i], same) {
			if err := take(a.File, a.SHA256); err != nil {
				return fmt.Errorf("agent %d: %w", i+1, err)
			}
		}
		if err := checkAgent(a, e.Agents[:i]); err != nil {
			return fmt.Errorf("agent %d: %w", i+1, err)
		}
	}
	for i, p := range e.Payloads {
		if err := take(p.File, p.SHA256); err != nil {
			return fmt.Errorf("payload %d: %w", i+1, err)
		}
		if err := checkPayload(p); err != nil {
			return fmt.Errorf("payload %d: %w", i+1, err)
		}
	}
	return nil
}

func checkDirectory(d api.Directory) error {
	u, err := url.Parse(d.URL)
	if err != nil || len(d.URL) > maxText {
		return errors.New("directory.url is not a URL")
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("directory.url must be https://host[:port][/path], without user, query or fragment")
	}
	if d.Pin == "" {
		return nil
	}
	digits, ok := strings.CutPrefix(d.Pin, "sha256:")
	if sum, err := hex.DecodeString(digits); !ok || err != nil || len(sum) != sha256.Size || strings.ToLower(digits) != digits {
		return errors.New(`directory.pin must be "sha256:" and 64 lower-case hexadecimal digits`)
	}
	return nil
}

func checkAgent(a api.AgentFile, earlier []api.AgentFile) error {
	if a.Arch != "amd64" && a.Arch != "arm64" {
		return fmt.Errorf("architecture %.20q is neither amd64 nor arm64", a.Arch)
	}
	if slices.ContainsFunc(earlier, func(o api.AgentFile) bool { return o.Arch == a.Arch }) {
		return fmt.Errorf("there are two agents for %s", a.Arch)
	}
	if !isVersion(a.Version) {
		return fmt.Errorf("%.70q is not a semantic version", a.Version)
	}
	return nil
}

func checkPayload(p api.Payload) error {
	if p.Kind != "msi" && p.Kind != "exe" {
		return fmt.Errorf(`%s: kind %.20q is neither "msi" nor "exe"`, p.File, p.Kind)
	}
	// The system finds out what a file is by its name, too.
	if ext := strings.ToLower(filepath.Ext(p.File)); ext != "."+p.Kind {
		return fmt.Errorf("%s: a payload of kind %s must have that extension", p.File, p.Kind)
	}
	if len(p.Arguments) > maxArguments || strings.ContainsFunc(p.Arguments, unicode.IsControl) {
		return fmt.Errorf("%s: arguments are too long or hold control characters", p.File)
	}
	if len(p.SuccessCodes) > maxCodes || len(p.RebootCodes) > maxCodes {
		return fmt.Errorf("%s: more than %d exit codes", p.File, maxCodes)
	}
	return nil
}
