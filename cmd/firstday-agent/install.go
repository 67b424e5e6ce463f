package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"firstday.dev/agent"
	"firstday.dev/api"
	"github.com/spf13/cobra"
)

func newInstall() *cobra.Command {
	var enrollment string
	var inPlace bool
	var opts agent.InstallOptions
	c := &cobra.Command{
		Use:   "install",
		Short: "Install the agent and the package's other installers",
		Long: `Install reads enrollment.json beside this program, checks the SHA-256 of every
file it will use, puts the agent for this machine's own architecture into its
place, starts it as a service, and runs the package's other installers in
order. Every step can be repeated: a second run changes nothing, and a run
after a restart goes on where the first one ended. After 25 minutes the service
goes on alone, since Windows gives a package 30.`,
		Example: `  firstday-agent install
  firstday-agent install --enrollment D:\files\enrollment.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return install(c, func(a *agent.Agent) (agent.Outcome, error) {
				if inPlace {
					return a.InstallInPlace(c.Context())
				}
				return installFrom(c.Context(), a, enrollment, opts)
			})
		},
	}
	c.Flags().StringVar(&enrollment, "enrollment", "", "the enrollment file; the others lie beside it (default: beside this program)")
	c.Flags().BoolVar(&opts.Force, "force", false, "replace a newer agent too")
	c.Flags().BoolVar(&inPlace, "in-place", false, "an installer package has put all files into their places; start the service")
	c.MarkFlagsMutuallyExclusive("in-place", "enrollment")
	c.MarkFlagsMutuallyExclusive("in-place", "force")
	return c
}

func install(c *cobra.Command, work func(*agent.Agent) (agent.Outcome, error)) (err error) {
	a, err := openAgent(c)
	if err != nil {
		return err
	}
	a.Console = c.ErrOrStderr()
	defer func() {
		if err != nil && !isAnswer(err) {
			_ = a.RecordFailure(c.Context(), err) // the exit code and the output have it too
		}
	}()
	out, err := work(a)
	if err != nil {
		return err
	}
	switch {
	case out.Unfinished:
		fmt.Fprintf(c.OutOrStdout(), "agent %s installed; the service goes on with the other installers\n", out.AgentVersion)
	case out.Changed:
		fmt.Fprintf(c.OutOrStdout(), "agent %s installed\n", out.AgentVersion)
	default:
		fmt.Fprintf(c.OutOrStdout(), "agent %s is installed already\n", out.AgentVersion)
	}
	if out.RebootNeeded {
		fmt.Fprintln(c.OutOrStdout(), "a restart is needed")
		return answer(exitReboot)
	}
	return nil
}

func installFrom(ctx context.Context, a *agent.Agent, enrollment string, opts agent.InstallOptions) (out agent.Outcome, err error) {
	if enrollment == "" {
		exe, err := os.Executable()
		if err != nil {
			return out, err
		}
		enrollment = filepath.Join(filepath.Dir(exe), api.EnrollmentFile)
	}
	b, err := agent.OpenBundle(enrollment)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return a.Install(ctx, b, opts)
}
