package main

import (
	"firstday.dev/agent"
	"github.com/spf13/cobra"
)

func newRun() *cobra.Command {
	var foreground bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Be the service",
		Long: `Run is what the service manager starts. In a terminal, use --foreground: then
the log is shown too, and Ctrl-C ends it.`,
		Example: `  firstday-agent run --foreground`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			if foreground {
				a.Console = c.ErrOrStderr()
				return a.Run(c.Context())
			}
			return agent.Serve(c.Context(), a)
		},
	}
	c.Flags().BoolVar(&foreground, "foreground", false, "run in this terminal")
	return c
}
