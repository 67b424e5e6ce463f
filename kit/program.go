package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// ProgramInspection is a Windows program and who signed it.
type ProgramInspection struct {
	File string `json:"file"`
	*Program
	Error     string          `json:"error,omitempty"` // why it cannot be read as a program
	Signature *SignatureState `json:"signature"`
}

// SignatureState is what can be said of a signature.
type SignatureState struct {
	// State is "unsigned", "ad hoc" (by nobody), "valid", "untrusted" (good, by
	// somebody who is not trusted) or "invalid".
	State       string     `json:"state"`
	Signer      string     `json:"signer,omitempty"`
	Issuer      string     `json:"issuer,omitempty"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	Timestamp   *time.Time `json:"timestamp,omitempty"`
	Description string     `json:"description,omitempty"`
	Error       string     `json:"error,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
}

// inspectProgram reads a program and judges its signature. What cannot be read
// is said, not refused: a package may hold anything.
func inspectProgram(ctx context.Context, f *os.File, size int64, name string, o InspectOptions) (ProgramInspection, error) {
	p := ProgramInspection{File: name}
	program, err := readProgram(f)
	if err != nil {
		p.Error = err.Error()
	}
	p.Program = program
	trust := o.VerifyOptions.VerifyOptions
	trust.Foreign = true // payloads come from anybody
	report, err := signing.VerifyPE(ctx, f, size, trust)
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	p.Signature = stateOf(report, err)
	return p, nil
}

// unpacked takes a program out of the package into a temporary file, because that
// is what can be mapped into memory instead of read into it, and lets look at it.
func unpacked(ctx context.Context, tree fs.FS, a ppkg.Asset, look func(f *os.File, size int64) error) error {
	in, err := tree.Open(a.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	temp, err := os.CreateTemp("", "firstday-program-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // a leftover in the temporary folder is not worth an error
	defer temp.Close()
	size, err := io.Copy(temp, &watchedReader{ctx, in, func(int64) {}})
	if err != nil {
		return fmt.Errorf("reading %s: %w", a.Path, err)
	}
	return look(temp, size)
}

func catalogState(der []byte, c *catalog.Catalog, o InspectOptions) *SignatureState {
	if !c.Signed {
		return stateOf(nil, signing.ErrNoSignature)
	}
	return stateOf(signing.VerifyCatalog(der, o.VerifyOptions.VerifyOptions))
}

func stateOf(r *signing.Report, err error) *SignatureState {
	s := &SignatureState{State: "valid"}
	switch {
	case errors.Is(err, signing.ErrNoSignature):
		return &SignatureState{State: "unsigned"}
	case r == nil:
		s.State = "invalid"
	case errors.Is(err, signing.ErrUntrusted):
		s.State = "untrusted"
	case err != nil:
		s.State = "invalid"
	}
	if err != nil {
		s.Error = err.Error()
	}
	if r == nil {
		return s
	}
	s.Signer, s.Issuer, s.NotAfter = r.Signer.Subject.String(), r.Signer.Issuer.String(), &r.Signer.NotAfter
	s.Description, s.Warnings = r.Description, r.Warnings
	if r.Timestamp != nil {
		s.Timestamp = &r.Timestamp.Time
	}
	return s
}
