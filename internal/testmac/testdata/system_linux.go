package agent

import (
	"context"
	"errors"
	"os"
	"strings"

	"firstday.dev/templates/macos"
)

// linuxSystem is a Mac whose disk is a folder: its files lie where macOS has them,
// and what only macOS does is in files and scripts of the test's. Nothing else
// differs from the agent that is shipped.
type linuxSystem struct{ unixSystem }

// Open wants a root.
func Open(root string) (System, error) {
	if root == "" {
		return nil, errors.New("this agent is one of tests, which give a root")
	}
	s, err := newUnixSystem(root, Layout{
		Program:    macos.ProgramFolder,
		Data:       macos.DataFolder,
		Executable: macos.Executable,
		Surfaces:   "/var/run/firstday/agent.sock",

		LoginPlugin: macos.PluginPath,
	})
	if err != nil {
		return nil, err
	}
	return linuxSystem{s}, nil
}

func (linuxSystem) Arch() (string, error) { return "arm64", nil }

// BootID is in a file. It stays as long as the Mac is not started anew.
func (s linuxSystem) BootID() string {
	id, err := os.ReadFile(s.path("boot"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// The test starts the service, as launchd does.

func (linuxSystem) ServiceState(context.Context) (ServiceState, error) { return ServiceOffline, nil }
func (linuxSystem) Registered(string) (bool, error)                    { return true, nil }
func (linuxSystem) Register(context.Context, string) error             { return nil }
func (linuxSystem) StartService(context.Context) error                 { return nil }
func (linuxSystem) StopService(context.Context) error                  { return nil }
func (linuxSystem) Unregister(context.Context) error                   { return nil }
