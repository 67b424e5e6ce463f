package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/preflight"
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
	c.AddCommand(newLoginWindowStatus(), newLoginWindowOff(), newLoginWindowOn(), newLoginWindowDoctor(), newLoginWindowPrepare())
	c.AddCommand(newLoginWindowPreflight()...)
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
				by, reason = agent.LoginByGuard, "the plug-in has put macOS' own login window back, by itself or because somebody asked for it"
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

func newLoginWindowStatus() *cobra.Command {
	return loginWindowCommand(&cobra.Command{
		Use:   "status",
		Short: "Say whose login window this Mac shows, and why",
		Long: `Status tells whose login window the authorization database names, who keeps ours
off and why, when its plug-in last spoke with the agent, and how often it has failed
on this build of macOS. It ends with 15 where the next login window is not ours, for
whatever reason.`,
		Example: `  sudo firstday-agent login-window status
  sudo firstday-agent login-window status --json`,
	}, (*agent.Agent).LoginWindowStatus)
}

func newLoginWindowOn() *cobra.Command {
	return loginWindowCommand(&cobra.Command{
		Use:   "on",
		Short: "Let the organisation's login window come back",
		Long: `On takes back "off" on this Mac, whoever said it, and forgives what has failed. Our
login window comes if the organisation wants it on this build of macOS, and nothing
is found against it: "doctor" tells. It comes with the next login window; nobody is
logged out. It ends with 15 where the next login window is not ours all the same.`,
		Example: `  sudo firstday-agent login-window on`,
	}, (*agent.Agent).EnableLoginWindow)
}

// loginWindowCommand makes a command that says how our login window is.
func loginWindowCommand(c *cobra.Command, do func(*agent.Agent, context.Context) (*agent.LoginWindowStatus, error)) *cobra.Command {
	var asJSON bool
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		a, err := openAgent(c)
		if err != nil {
			return err
		}
		s, err := do(a, c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			err = writeIndented(c.OutOrStdout(), s)
		} else {
			err = printLoginWindow(c.OutOrStdout(), s)
		}
		if err == nil && s.State != agent.LoginWindowOn {
			return answer(exitNoLoginWindow)
		}
		return err
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON (fields may be added, none changes)")
	return c
}

func writeIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printLoginWindow(w io.Writer, s *agent.LoginWindowStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("login window", describeLoginWindow(s))
	if s.Window != "" {
		row("shown by", s.Window)
	}
	if s.Build != "" {
		row("macOS", "build "+s.Build)
	}
	if !s.Since.IsZero() {
		row("since", s.Since.Local().Format(time.DateTime))
	}
	if !s.Hello.IsZero() {
		row("last seen", s.Hello.Local().Format(time.DateTime))
	}
	if s.Misses > 0 {
		row("failed", fmt.Sprintf("%d times on this build", s.Misses))
	}
	return t.Flush()
}

// describeLoginWindow tells in a line how our login window is.
func describeLoginWindow(s *agent.LoginWindowStatus) string {
	switch {
	case s.State == agent.LoginWindowOn:
		return "ours"
	case s.State == agent.LoginWindowNone:
		return "macOS' own: there is no plug-in of ours on this Mac"
	case s.State == agent.LoginWindowPending:
		return "macOS' own for now: " + s.Reason
	case s.Reason == "":
		return "macOS' own: switched off by the " + string(s.By)
	default:
		return fmt.Sprintf("macOS' own, by the %s: %s", s.By, s.Reason)
	}
}

func newLoginWindowDoctor() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check what must be in order before our login window comes",
		Long: `Doctor makes each check that comes before our login window takes the place of
macOS' own, and says what to do where one has not passed. It loads the plug-in in a
process of its own, shows nothing and changes nothing. What only a login window can
show, it cannot. It ends with 15 where a check has not passed.`,
		Example: `  sudo firstday-agent login-window doctor
  sudo firstday-agent login-window doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			checks, err := a.LoginWindowDoctor(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = writeIndented(c.OutOrStdout(), struct {
					Checks []preflight.Check `json:"checks"`
				}{checks})
			} else {
				err = printChecks(c.OutOrStdout(), checks)
			}
			if err == nil && preflight.Failure(checks) != nil {
				return answer(exitNoLoginWindow)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON (fields may be added, none changes)")
	return c
}

func printChecks(w io.Writer, checks []preflight.Check) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		word := "ok"
		if !c.Passed {
			word = "FAILED"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", word, c.Name, c.Detail)
		if !c.Passed && c.Remedy != "" {
			fmt.Fprintf(t, "\t\t-> %s\n", c.Remedy)
		}
	}
	return t.Flush()
}
