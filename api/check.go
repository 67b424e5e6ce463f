package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// Bounds on what an enrollment may ask for, generous for any real package.
const (
	maxPayloads  = 100
	maxCodes     = 64
	maxArguments = 8191 // bytes; the whole command line may hold 32767 characters
	maxText      = 4096 // bytes, of any other text
)

// Check refuses an enrollment that an agent could not follow safely.
func (e *Enrollment) Check() error {
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
	if err := e.Directory.Check(); err != nil {
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
	taken := map[string]bool{EnrollmentFile: true}
	take := func(name, hash string) error {
		if err := CheckFileName(name); err != nil {
			return err
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
		same := func(o AgentFile) bool { return o.File == a.File && o.SHA256 == a.SHA256 }
		if !slices.ContainsFunc(e.Agents[:i], same) {
			if err := take(a.File, a.SHA256); err != nil {
				return fmt.Errorf("agent %d: %w", i+1, err)
			}
		}
		if c := a.CredentialProvider; c != (CarriedFile{}) {
			if err := take(c.File, c.SHA256); err != nil {
				return fmt.Errorf("agent %d: credential provider: %w", i+1, err)
			}
		}
		shared := func(o AgentFile) bool { return o.LoginPlugin == a.LoginPlugin }
		if c := a.LoginPlugin; c != (CarriedFile{}) && !slices.ContainsFunc(e.Agents[:i], shared) {
			if err := take(c.File, c.SHA256); err != nil {
				return fmt.Errorf("agent %d: login plug-in: %w", i+1, err)
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

// Check refuses an address that is none, or not over TLS, and a pin that is none.
func (d Directory) Check() error {
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

func checkAgent(a AgentFile, earlier []AgentFile) error {
	if a.Arch != "amd64" && a.Arch != "arm64" {
		return fmt.Errorf("architecture %.20q is neither amd64 nor arm64", a.Arch)
	}
	if slices.ContainsFunc(earlier, func(o AgentFile) bool { return o.Arch == a.Arch }) {
		return fmt.Errorf("there are two agents for %s", a.Arch)
	}
	if !IsVersion(a.Version) {
		return fmt.Errorf("%.70q is not a semantic version", a.Version)
	}
	return nil
}

func checkPayload(p Payload) error {
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
