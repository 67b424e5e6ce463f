package main

import (
	"context"
	"os"
	"time"

	"firstday.dev/agent"
	"github.com/spf13/cobra"
)

func newLoginWindow() *cobra.Command {
	c := &cobra.Command{
		Use:   "login-window",
		Short: "Switch our login window of macOS off and on",
		Long: `Login-window says whose login window this Mac shows, and switches ours off and on
for whoever repairs it. It needs administrator rights, and on a Mac only.`,
		Example: `  firstday-agent login-window status
  firstday-agent login-window off --reason "until the update of May"
  firstday-agent login-window on
  firstday-agent login-window doctor`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newLoginWindowOff(), newLoginWindowPrepare())
	return c
}

// guardVariable is in the environment of what the plug-in's guard starts.
const guardVariable = "FIRSTDAY_GUARD"

// offTime bounds what is waited for. The guard waits for 30 seconds.
const offTime = 25 * time.Second

func newLoginWindowOff() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "off",
		Short: "Put macOS' own login window back, until ours is switched on again",
		Long: `Off puts macOS' own login window back. It needs neither the agent's service nor
the network, and works over ssh. A login window that waits is started anew if nobody
is logged in; nobody is logged out. The plug-in itself calls it when something goes
wrong; that holds until macOS is started anew.`,
		Example: `  sudo firstday-agent login-window off
  sudo firstday-agent login-window off --reason "until the update of May"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			by := agent.LoginByAdministrator
			if os.Getenv(guardVariable) != "" {
				by = agent.LoginByGuard
			}
			return disableLoginWindow(c, by, reason)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever asks")
	return c
}

// newLoginWindowPrepare is for the package's scripts.
func newLoginWindowPrepare() *cobra.Command {
	return &cobra.Command{
		Use:    "prepare",
		Short:  "Let an installer replace the plug-in",
		Long:   `Prepare puts macOS' own login window back until the installer has ended, at the latest until macOS is started anew.`,
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return disableLoginWindow(c, agent.LoginByInstaller, "the plug-in is being replaced")
		},
	}
}

func disableLoginWindow(c *cobra.Command, by agent.LoginAuthority, reason string) error {
	a, err := openAgent(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), offTime)
	defer cancel()
	return a.DisableLoginWindow(ctx, by, reason)
}
