package kit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoAgent says that an agent binary is not where it should be, or is not
// what its name says.
var ErrNoAgent = errors.New("no usable agent")

// windowsAgents are the agents a Windows package carries. The amd64 one is
// what Windows starts, on ARM64 too; it installs the one of the machine's own
// architecture.
//
// With each goes the credential provider of its build: on the sign-in screen of an
// ARM64 machine no amd64 one is loaded.
var windowsAgents = []struct{ arch, source, name, provider string }{
	{"amd64", "firstday-agent-windows-amd64.exe", "firstday-agent-amd64.exe", "firstday-credprov-amd64.dll"},
	{"arm64", "firstday-agent-windows-arm64.exe", "firstday-agent-arm64.exe", "firstday-credprov-arm64.dll"},
}

// FindAgents returns the folder of agent binaries that belongs to the running
// program: agents beside it, as in the release archives and in bin, or
// ../lib/firstday/agents, as in /usr.
func FindAgents() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", err
	}
	return agentsOf(exe)
}

func agentsOf(program string) (string, error) {
	beside := filepath.Dir(program)
	dir := filepath.Join(beside, "agents")
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(beside) == "bin" {
		dir = filepath.Join(beside, "..", "lib", "firstday", "agents")
		_, err = os.Stat(dir)
	}
	if err != nil {
		return "", fmt.Errorf("looking for agents: %w: %w", ErrNoAgent, err)
	}
	return dir, nil
}

// openAgents checks the agents in dir: each must be a program for its
// architecture and say its version, and all the same one. After each comes its
// credential provider.
func openAgents(dir string) ([]part, error) {
	var agents []part
	for _, a := range windowsAgents {
		path := filepath.Join(dir, a.source)
		program, size, err := openProgram(path, ErrNoAgent)
		switch {
		case err != nil:
			return nil, err
		case program.Arch != a.arch:
			return nil, fmt.Errorf("%w: %s is a program for %s", ErrNoAgent, path, program.Arch)
		case program.Version == "":
			return nil, fmt.Errorf("%w: %s has no version resource", ErrNoAgent, path)
		case len(agents) > 0 && program.Version != agents[0].Version:
			return nil, fmt.Errorf("%w: %s has version %s, its sibling %s", ErrNoAgent, path, program.Version, agents[0].Version)
		}
		agent := part{
			Content: Content{File: a.name, Kind: kindAgent, Arch: a.arch, Version: program.Version, Size: size},
			path:    path,
		}
		provider, err := openProvider(filepath.Join(dir, a.provider), &agent)
		if err != nil {
			return nil, err
		}
		agents = append(agents, agent, *provider)
	}
	return agents, nil
}

// openProgram reads a program; what is wrong with it wraps unusable.
func openProgram(path string, unusable error) (*Program, int64, error) {
	f, size, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%w: %w", unusable, err)
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	program, err := readProgram(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", unusable, err)
	}
	return program, size, nil
}
