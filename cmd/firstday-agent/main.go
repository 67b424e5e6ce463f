// Firstday-agent is what a provisioning package leaves on a device: a system
// service that enrols the device with its organisation's directory.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"firstday.dev/agent"
	"github.com/spf13/cobra"
)

// stamp is set by the linker. Who packs the agent for macOS finds it in the
// program, which has no other place that tells its version.
var stamp string

const stampPrefix = "firstday-agent-version="

var version = cmp.Or(strings.TrimSuffix(strings.TrimPrefix(stamp, stampPrefix), ";"), "0.0.0-devel")

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends a program that does not end by itself.
	context.AfterFunc(ctx, stop)
	// Explorer would be told to open a command prompt, and a service to wait.
	cobra.MousetrapHelpText = ""
	root := newRoot()
	err := root.ExecuteContext(ctx)
	report(root.ErrOrStderr(), err)
	return exitCode(err)
}

// report writes what went wrong on a line of its own, then, where there is
// one, the way on.
func report(w io.Writer, err error) {
	if err == nil || isAnswer(err) {
		return
	}
	// Several errors at once come in lines of their own.
	fmt.Fprintf(w, "error: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if h := hint(err); h != "" {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "firstday-agent",
		Short: "Make this device the organisation's",
		Long: `Firstday-agent is installed by a provisioning package and runs as a system
service. It enrols this device with the organisation's directory, and hears from
there what changes.

` + exitCodesHelp,
		Example: `  firstday-agent install
  firstday-agent status
  firstday-agent status --json
  firstday-agent signin
  firstday-agent diagnose
  firstday-agent tile status
  firstday-agent login-window status
  firstday-agent uninstall`,
		Version:       version,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() }, // without it, a misspelt command would pass
		SilenceErrors: true,
		SilenceUsage:  true,

		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(doorkeeper()...)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
	})
	root.PersistentFlags().String("root", "", "work on the file system tree in this folder instead of the running\nsystem, starting nothing (not on Windows)")
	root.AddCommand(newInstall(), newRun(), newSignin(), newStatus(), newDiagnose(), newTile(), newLoginWindow(), newUninstall())
	root.AddCommand(started()...)
	root.AddCommand(newLoginWatch()...)
	markUsageErrors(root)
	return root
}

// markUsageErrors makes wrong arguments of any command a usage error.
func markUsageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		markUsageErrors(sub)
	}
}

// openAgent gives the agent of this device.
func openAgent(c *cobra.Command) (*agent.Agent, error) {
	root, err := c.Flags().GetString("root")
	if err != nil {
		return nil, err
	}
	system, err := agent.Open(root)
	if err != nil {
		return nil, err
	}
	return &agent.Agent{System: system, Version: version}, nil
}
