// Firstday makes signed Windows provisioning packages that carry an agent
// preconfigured for self-service account provisioning, and says what is in
// such packages and whether they are what they were.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends a program that does not end by itself.
	context.AfterFunc(ctx, stop)
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err != nil {
		report(root.ErrOrStderr(), err)
	}
	return exitCode(ctx, err)
}

// report follows one rule: what went wrong on a line of its own, then, where
// there is one, the way on.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "error: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "firstday",
		Short: "Turn a boxed laptop into a company laptop",
		Long: `Firstday builds signed provisioning packages that make a boxed laptop enrol with
your organisation's directory and greet its new owner with "Sign in with <Org>".

` + exitCodesHelp,
		Example: `  firstday init
  firstday build windows -c firstday.yaml -o kit
  firstday verify kit
  firstday inspect kit/Acme.ppkg`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
	})
	root.PersistentFlags().Bool("json", false, "write the result as JSON to standard output")
	root.PersistentFlags().BoolP("quiet", "q", false, "show no progress")
	root.AddCommand(newInit(), newBuild(), newInspect(), newVerify(), newSign(), newPpkg())
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
