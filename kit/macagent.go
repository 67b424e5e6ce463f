package kit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"firstday.dev/api"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/signing"
)

// macAgents are the agents that become the universal one of a Mac package.
var macAgents = []struct {
	source string
	cpu    macho.CPU
}{
	{"firstday-agent-darwin-amd64", macho.AMD64},
	{"firstday-agent-darwin-arm64", macho.ARM64},
}

// codeIdentifier is how macOS knows our programs.
const codeIdentifier = "dev.firstday.agent"

// agentStamp is what comes before the version in our agents, and a semicolon
// after it: a Mach-O file has no place of its own for that.
const agentStamp = "firstday-agent-version="

// macAgent gives the agent for Macs, which is made once for all kits of a batch.
func (b *builder) macAgent(ctx context.Context, work string) (*part, error) {
	s := b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mac == nil {
		work, err := s.folder(work)
		if err != nil {
			return nil, err
		}
		if s.mac, err = b.universalAgent(ctx, work); err != nil {
			return nil, err
		}
	}
	agent := *s.mac
	return &agent, nil
}

// universalAgent makes the agent for Macs in the folder work: one file for both
// architectures, signed by who signs programs or, without anybody, ad hoc.
func (b *builder) universalAgent(ctx context.Context, work string) (*part, error) {
	var programs []macho.Program
	var version string
	for _, a := range macAgents {
		path := filepath.Join(b.Agents, a.source)
		f, size, err := openRegular(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrNoAgent, err)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		slices, err := macho.Slices(f, size)
		if err != nil || len(slices) != 1 || slices[0].CPU != a.cpu {
			return nil, fmt.Errorf("%w: %s is no program of macOS for %v alone (%w)", ErrNoAgent, path, a.cpu, err)
		}
		own, err := stampedVersion(f)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %s: %w", ErrNoAgent, path, err)
		case version != "" && own != version:
			return nil, fmt.Errorf("%w: %s has version %s, its sibling %s", ErrNoAgent, path, own, version)
		}
		version = own
		programs = append(programs, macho.Program{ReaderAt: f, Size: size})
	}
	plain, err := writeWork(filepath.Join(work, "universal"), func(w io.Writer) error { return macho.MakeFat(w, programs...) })
	if err != nil {
		return nil, err
	}
	signed, err := writeWork(filepath.Join(work, "universal-signed"), func(w io.Writer) error {
		return b.signMacAgent(ctx, plain, w)
	})
	if err != nil {
		return nil, fmt.Errorf("signing the agent for macOS: %w", err)
	}
	agent := &part{Content: Content{File: "firstday-agent", Kind: kindAgent, Arch: "universal", Version: version}, path: signed}
	info, err := os.Stat(signed)
	if err != nil {
		return nil, err
	}
	agent.Size = info.Size()
	agent.SHA256, err = sumFile(ctx, signed, func(int64) {})
	return agent, err
}

func (b *builder) signMacAgent(ctx context.Context, path string, w io.Writer) error {
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return signing.SignMachO(ctx, f, size, w, signing.Code{Identifier: codeIdentifier}, b.application, b.applicationOptions())
}

// writeWork writes a new file among the work and gives its path back.
func writeWork(path string, write func(io.Writer) error) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return "", err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	return path, errors.Join(write(buffered), buffered.Flush(), f.Close())
}

// stampedVersion finds the version in a program of ours.
func stampedVersion(r io.ReaderAt) (string, error) {
	const window, longest = 1 << 20, 256
	b := make([]byte, window)
	for at := int64(0); ; at += window - longest {
		n, err := r.ReadAt(b, at)
		for rest := b[:n]; ; {
			i := bytes.Index(rest, []byte(agentStamp))
			if i < 0 {
				break
			}
			rest = rest[i+len(agentStamp):]
			version, _, found := bytes.Cut(rest[:min(longest-len(agentStamp), len(rest))], []byte(";"))
			if found && api.IsVersion(string(version)) {
				return string(version), nil
			}
		}
		if errors.Is(err, io.EOF) {
			return "", errors.New("it does not say its version")
		}
		if err != nil {
			return "", err
		}
	}
}
