package main

import (
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
		RunE: func(c *cobra.Command, _ []string) error { return install(c, enrollment, opts) },
	}
	c.Flags().StringVar(&enrollment, "enrollment", "", "the enrollment file; the others lie beside it (default: beside this program)")
	c.Flags().BoolVar(&opts.Force, "force", false, "replace a newer agent too")
	return c
}

func install(c *cobra.Command, enrollment string, opts agent.InstallOptions) (err error) {
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
	if enrollment == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		enrollment = filepath.Join(filepath.Dir(exe), api.EnrollmentFile)
	}
	b, err := agent.OpenBundle(enrollment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	out, err := a.Install(c.Context(), b, opts)
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
