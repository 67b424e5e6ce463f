package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"firstday.dev/signing"
)

// ErrNoCredentialProvider says that a credential provider, the tile of Windows'
// sign-in screen, is not where its agent is, or is not the one that goes with it.
var ErrNoCredentialProvider = errors.New("no usable credential provider")

// providerExports are what COM calls in a DLL.
var providerExports = []string{"DllCanUnloadNow", "DllGetClassObject"}

// openProvider checks the credential provider that is to go with an agent.
func openProvider(path string, agent *part) (*part, error) {
	program, size, err := openProgram(path, ErrNoCredentialProvider)
	if err != nil {
		return nil, err
	}
	if err := program.checkProvider(agent.Arch, agent.Version); err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrNoCredentialProvider, path, err)
	}
	return &part{
		Content: Content{File: filepath.Base(path), Kind: kindProvider, Arch: agent.Arch, Version: program.Version, Size: size},
		path:    path,
	}, nil
}

// checkProvider holds a program against what the sign-in screen of a machine is to
// load together with its agent.
func (p *Program) checkProvider(arch, version string) error {
	switch {
	case !p.library:
		return errors.New("is no DLL")
	case p.Arch != arch:
		return fmt.Errorf("is for %s, its agent for %s", p.Arch, arch)
	case p.Version == "":
		return errors.New("has no version resource")
	case p.Version != version:
		return fmt.Errorf("has version %s, its agent %s", p.Version, version)
	case !p.hardened:
		return errors.New("lacks NX, ASLR or high entropy")
	}
	for _, name := range providerExports {
		if !slices.Contains(p.exports, name) {
			return fmt.Errorf("does not export %s", name)
		}
	}
	return nil
}

// checkSigners makes sure that programs which nobody signs now are signed alike.
func checkSigners(ctx context.Context, parts []part) error {
	var agent *signing.Report
	for _, p := range parts {
		f, size, err := openRegular(p.path)
		if err != nil {
			return err
		}
		report, err := signerOfProgram(ctx, f, size, signing.VerifyOptions{})
		f.Close()
		switch {
		case report == nil && err != nil:
			return fmt.Errorf("%s: %w", p.path, err)
		case p.Kind == kindAgent:
			agent = report
		default:
			if err := signedAlike(agent, report); err != nil {
				return fmt.Errorf("%w: %s %w", ErrNoCredentialProvider, p.path, err)
			}
		}
	}
	return nil
}

// signerOfProgram gives no report of a program that is not signed, and an error
// beside a report if the signature is good and its signer is not.
func signerOfProgram(ctx context.Context, f io.ReaderAt, size int64, o signing.VerifyOptions) (*signing.Report, error) {
	o.Foreign = true // whose signature it is counts, not by which tool
	report, err := signing.VerifyPE(ctx, f, size, o)
	if errors.Is(err, signing.ErrNoSignature) {
		return nil, nil
	}
	return report, err
}

// signedAlike compares as the credential provider does: if it is signed it talks to
// an agent of the same subject only, and if not to whoever took the agent's place.
func signedAlike(agent, provider *signing.Report) error {
	switch {
	case agent == nil && provider == nil:
		return nil
	case provider == nil:
		return fmt.Errorf("is not signed, its agent is, by %s", commonName(agent.Signer))
	case agent == nil:
		return fmt.Errorf("is signed by %s, its agent by nobody", commonName(provider.Signer))
	case !bytes.Equal(agent.Signer.RawSubject, provider.Signer.RawSubject):
		return fmt.Errorf("is signed by %s, its agent by %s", provider.Signer.Subject, agent.Signer.Subject)
	}
	return nil
}
