package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"firstday.dev/agent/beside"
	"github.com/spf13/cobra"
)

// AppKit wants the main thread, on which initialisation runs: who leaves it before
// main begins may not find it again.
func init() {
	if len(os.Args) > 1 && os.Args[1] == beside.Command {
		runtime.LockOSThread()
	}
}

// started are commands that only the system starts.
func started() []*cobra.Command {
	c := &cobra.Command{
		Use:   beside.Command,
		Short: "Show the sign-in beside macOS' login window",
		Long: `Login-beside runs wherever a login window is, by launchd. With --check it sees
whether this macOS has all that it uses, and opens no window.`,
		Args:   cobra.NoArgs,
		Hidden: true,
	}
	check := c.Flags().Bool("check", false, "see whether this macOS has all that is used")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *check {
			return checkBeside(c)
		}
		a, err := openAgent(c)
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		return beside.Run(c.Context(), a.System.Layout().Surfaces, log)
	}
	return []*cobra.Command{c}
}

// checkBeside writes a line for each thing that was looked at.
func checkBeside(c *cobra.Command) error {
	missing := 0
	for _, f := range beside.Check() {
		found := "ok"
		if f.Problem != "" {
			found = f.Problem
			missing++
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", f.What, found)
	}
	if missing > 0 {
		return errors.New("this macOS lacks what the window beside the login window is made of")
	}
	return nil
}
