package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"firstday.dev/agent"
	"firstday.dev/agent/local"
	"firstday.dev/agent/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newSignin() *cobra.Command {
	return &cobra.Command{
		Use:   "signin",
		Short: "Sign in to this device, in a terminal",
		Long: `Signin shows what the sign-in screen offers: the employee signs in on another
device, with the picture or the code, and gets an account on this one. It needs
the agent's service to run, and a terminal of an administrator. Ctrl-C cancels
the sign-in. With NO_COLOR set, the picture is drawn for dark terminals.`,
		Example: `  firstday-agent signin`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
				return usageError{errors.New("signin shows screens and asks questions: it needs a terminal, not a pipe or a file")}
			}
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			return signIn(c, a)
		},
	}
}

func signIn(c *cobra.Command, a *agent.Agent) error {
	// Who closes the terminal has gone, too.
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP)
	defer stop()
	client, err := local.Dial(ctx, a.System.Layout().Surfaces, "terminal")
	if err != nil {
		return noService(c, a, err)
	}
	defer client.Close() //nolint:errcheck // it always closes
	look, restore, err := terminal.Open(os.Stdin, os.Stdout)
	if err != nil {
		return fmt.Errorf("preparing the terminal: %w", err)
	}
	defer restore()
	return terminal.Show(ctx, client, terminal.Keys(os.Stdin), os.Stdout, look)
}

var errNoService = errors.New("the agent's service does not answer")

// noService says why the service does not answer, as far as the device knows.
func noService(c *cobra.Command, a *agent.Agent, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		if _, err := a.Status(c.Context()); errors.Is(err, agent.ErrNotInstalled) || errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", errNoService, err)
}
