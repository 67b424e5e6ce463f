package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newUninstall() *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the agent and everything it made",
		Long: `Uninstall stops and removes the service, and removes all files, data, logs and
system entries of the agent. What the package's other installers brought stays.
It may be repeated.`,
		Example: `  firstday-agent uninstall`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			if err := a.Uninstall(c.Context()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "agent removed")
			return nil
		},
	}
}
