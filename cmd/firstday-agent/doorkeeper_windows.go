package main

import (
	"os"

	"firstday.dev/agent/desktop"
	"github.com/spf13/cobra"
)

// doorkeeper is a command that only the agent's service starts.
func doorkeeper() []*cobra.Command {
	return []*cobra.Command{{
		Use:    desktop.DoorkeeperCommand,
		Short:  "Let the sign-in window onto the desktop of the sign-in screen",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return desktop.KeepDoor(os.Stdin, os.Stdout) },
	}}
}
