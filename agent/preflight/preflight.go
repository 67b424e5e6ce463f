// Package preflight looks at the plug-in of the login window, on the very Mac on
// which it is to take the place of macOS' own: whether its files are there and
// nobody else can change them, who has signed them, whether it is of the agent's
// version and for this processor, and whether it loads and answers as authd's hosts
// want it to. That last happens in a process of its own, which may crash.
//
// What it cannot tell is whether macOS' own hosts load the plug-in, and whether
// anybody sees the window: for that there is the dead man's switch.
package preflight

import (
	"context"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"firstday.dev/agent/authdb"
	"firstday.dev/internal/propertylist"
)

// Check is something that must be in order.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`           // what was found
	Remedy string `json:"remedy,omitempty"` // what to do, where it has not passed
}

// Judge makes a check of what was found, or of why it has not passed.
func Judge(name, found string, err error, remedy string) Check {
	if err != nil {
		return Check{Name: name, Detail: err.Error(), Remedy: remedy}
	}
	return Check{Name: name, Passed: true, Detail: found}
}

// Failure is why not all have passed; nil if they have.
func Failure(checks []Check) error {
	for _, c := range checks {
		if !c.Passed {
			return fmt.Errorf("%s: %s", c.Name, c.Detail)
		}
	}
	return nil
}

// Plugin is an installed plug-in, and what must hold of it.
type Plugin struct {
	Path    string // of the bundle
	Version string // of the agent, which the plug-in must have, too
	Arch    string // of the machine, in Go's words
	// Files vouches for owners and modes.
	Files authdb.Plugin
	// Signed tells who has signed a bundle. It fails if that does not hold, or if
	// it is not who has signed this program.
	Signed func(path string) (string, error)
	// Load has a process of its own load the program, see package trial.
	Load func(ctx context.Context, program string) error
}

// Checks looks at one thing after the other, and does not load what has not passed.
func (p Plugin) Checks(ctx context.Context) []Check {
	const again = "install the organisation's package again"
	checks := []Check{Judge("files", p.Path, p.Files.Loadable(ctx), again)}
	if Failure(checks) != nil {
		return checks
	}
	i, err := p.info()
	checks = append(checks,
		Judge("version", i.Version, errors.Join(err, p.sameVersion(i.Version)), again+"; agent and plug-in come together"),
		Judge("page", "there", p.page(), again))
	program := filepath.Join(p.Path, "Contents", "MacOS", filepath.Base(i.Executable))
	checks = append(checks, Judge("architecture", p.Arch, p.slice(program), again))
	by, err := p.Signed(p.Path)
	checks = append(checks, Judge("signature", by, err, "have agent and plug-in signed by the same identity, and install the package again"))
	if Failure(checks) != nil {
		return checks
	}
	return append(checks, Judge("loading", "it loads, and answers as macOS wants it to", p.Load(ctx, program),
		"report it, with 'firstday-agent diagnose'; macOS' own login window stays"))
}

type info struct {
	Version    string `plist:"CFBundleShortVersionString"`
	Executable string `plist:"CFBundleExecutable"`
}

const maxInfo = 64 << 10 // bytes

func (p Plugin) info() (i info, err error) {
	f, err := os.Open(filepath.Join(p.Path, "Contents", "Info.plist"))
	if err != nil {
		return i, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInfo))
	if err != nil {
		return i, err
	}
	return i, propertylist.Unmarshal(data, &i)
}

func (p Plugin) sameVersion(version string) error {
	if version != p.Version {
		return fmt.Errorf("the plug-in has version %.40q, the agent %s", version, p.Version)
	}
	return nil
}

func (p Plugin) page() error {
	path := filepath.Join(p.Path, "Contents", "Resources", "index.html")
	switch at, err := os.Lstat(path); {
	case err != nil:
		return err
	case !at.Mode().IsRegular() || at.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

// slice looks for the machine's own code in the program.
func (p Plugin) slice(program string) error {
	want, known := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[p.Arch]
	if !known {
		return fmt.Errorf("%s is no processor of Macs", p.Arch)
	}
	fat, err := macho.OpenFat(program)
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer func() { _ = fat.Close() }() // it was only read
	for _, a := range fat.Arches {
		if a.Cpu == want {
			return nil
		}
	}
	return fmt.Errorf("%s has no code for %s", program, p.Arch)
}
