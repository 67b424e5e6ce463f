package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"firstday.dev/agent/desktop"
	"firstday.dev/agent/local"
	"firstday.dev/agent/window"
	"github.com/spf13/cobra"
)

// started are commands that only the agent's service starts.
func started() []*cobra.Command { return []*cobra.Command{newSigninWindow(), newSigninWeb()} }

func newSigninWindow() *cobra.Command {
	return &cobra.Command{
		Use:    desktop.WindowCommand,
		Short:  "Show the sign-in in a window",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			pipes, err := servicePipes(c)
			if err != nil {
				return err
			}
			return window.Run(c.Context(), pipes)
		},
	}
}

func newSigninWeb() *cobra.Command {
	return &cobra.Command{
		Use:    desktop.PagesCommand + " FOLDER",
		Short:  "Show the sign-in's pages in a window",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			pipes, err := servicePipes(c)
			if err != nil {
				return err
			}
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() || !filepath.IsAbs(args[0]) {
				return usageError{fmt.Errorf("%.200q is no folder that the browser could write to", args[0])}
			}
			return window.RunPages(c.Context(), pipes, args[0])
		},
	}
}

// servicePipes are the standard input and output, as the service makes them.
func servicePipes(c *cobra.Command) (local.TwoPipes, error) {
	for _, f := range []*os.File{os.Stdin, os.Stdout} {
		if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
			return local.TwoPipes{}, usageError{fmt.Errorf("%s is for the agent's service, which speaks with it over pipes", c.Name())}
		}
	}
	return local.TwoPipes{ReadCloser: os.Stdin, Out: os.Stdout}, nil
}
