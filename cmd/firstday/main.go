// Firstday makes signed Windows provisioning packages that carry an agent
// preconfigured for self-service account provisioning, and says what is in
// such packages and whether they are what they were.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"firstday.dev/station"
)

// version is set by the linker.
var version = "devel"

// memoryLimit is what the garbage collector aims at, in bytes: nothing that
// Firstday does needs more, and an imaging station may be small. Who sets GOMEMLIMIT
// knows better.
const memoryLimit = 40 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends a program that does not end by itself.
	context.AfterFunc(ctx, stop)
	root := newRoot()
	root.InitDefaultCompletionCmd()
	begun := false
	markBegin(root, &begun)
	c, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		err = usageError{err}
	}
	code := exitCode(ctx, err)
	if code == exitInterrupted && !errors.Is(err, station.ErrSticks) { // which says how each is left
		err = errors.New("interrupted; what was there before is untouched")
	}
	if err != nil {
		report(root.ErrOrStderr(), err, code, asJSON(c))
	}
	return code
}

// markBegin lets every command note that it has begun: what goes wrong before
// is wrong usage.
func markBegin(c *cobra.Command, begun *bool) {
	if work := c.RunE; work != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*begun = true
			return work(c, args)
		}
	}
	for _, sub := range c.Commands() {
		markBegin(sub, begun)
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
		RunE:          help,
	}
	root.PersistentFlags().Bool("json", false, "write the result as JSON to standard output, errors as JSON to standard error")
	root.PersistentFlags().BoolP("quiet", "q", false, "show no progress")
	root.AddCommand(newInit(), newBuild(), newInspect(), newVerify(), newSign(), newLint(), newPpkg(), newPkg(),
		newUSB(), newStation(), newImage(), newSimulate(), newServe(), newWorker(), newDirectory(), newLogin(), newOverview(), newKey(), newOrder(), newPackage(), newDevice(), newUser(), newAdministrator(), newProvider(), newSettings(), newToken(), newAudit(), newMan())
	return root
}

// help is what a command does that only has others below it.
func help(c *cobra.Command, _ []string) error { return c.Help() }
