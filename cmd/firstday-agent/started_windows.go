package main

import (
	"errors"
	"io/fs"
	"os"

	"firstday.dev/agent/local"
	"firstday.dev/agent/window"
	"github.com/spf13/cobra"
)

// started are commands that only the agent's service starts.
func started() []*cobra.Command { return []*cobra.Command{newSigninWindow()} }

func newSigninWindow() *cobra.Command {
	return &cobra.Command{
		Use:    "signin-window",
		Short:  "Show the sign-in in a window",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, f := range []*os.File{os.Stdin, os.Stdout} {
				if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
					return usageError{errors.New("signin-window is for the agent's service, which speaks with it over pipes")}
				}
			}
			return window.Run(c.Context(), local.TwoPipes{ReadCloser: os.Stdin, Out: os.Stdout})
		},
	}
}
