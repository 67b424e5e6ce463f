package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/agent"
)

func newTile() *cobra.Command {
	c := &cobra.Command{
		Use:   "tile",
		Short: "Switch the tile of Windows' sign-in screen off and on",
		Long: `Tile looks at the tile "Sign in with <Org>" of Windows' sign-in screen, and
switches it off and on for whoever repairs a device. Windows' own tiles are never
concerned. It needs administrator rights.`,
		Example: `  firstday-agent tile status
  firstday-agent tile off --reason "until the update of May"
  firstday-agent tile on`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTileStatus(), newTileOff(), newTileOn())
	return c
}

func newTileStatus() *cobra.Command {
	return tileCommand(&cobra.Command{
		Use:   "status",
		Short: "Say whether the tile is there, and why not",
		Long: `Status tells whether the sign-in screen loads the tile, who has switched it off,
what is wrong with it, and how often the screen has crashed with it. It ends with
14 where there is no tile, for whatever reason.`,
		Example: `  firstday-agent tile status
  firstday-agent tile status --json`,
	}, func(a *agent.Agent) (*agent.TileStatus, error) { return a.TileStatus() })
}

func newTileOff() *cobra.Command {
	var reason string
	c := tileCommand(&cobra.Command{
		Use:   "off",
		Short: "Switch the tile off, until it is switched on again",
		Long: `Off switches the tile off on this device, also for versions that are installed
later. The sign-in screen heeds it when it comes up next. The directory is told.`,
		Example: `  firstday-agent tile off
  firstday-agent tile off --reason "until the update of May" --json`,
	}, func(a *agent.Agent) (*agent.TileStatus, error) { return a.SwitchTile(false, reason) })
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever asks")
	return c
}

func newTileOn() *cobra.Command {
	return tileCommand(&cobra.Command{
		Use:   "on",
		Short: "Switch the tile on, and forgive its crashes",
		Long: `On switches the tile on, whoever has switched it off: an administrator, or the
watchdog after three crashes of the sign-in screen, which are forgiven. Where only
the registration was lost, it is made again. It leaves alone what others decide:
Windows' own switch for the provider, and policies. It ends with 14 where there is
no tile all the same.`,
		Example: `  firstday-agent tile on
  firstday-agent tile on --json`,
	}, func(a *agent.Agent) (*agent.TileStatus, error) { return a.SwitchTile(true, "") })
}

// tileCommand makes a command that does something with the tile, and says how it
// is then.
func tileCommand(c *cobra.Command, do func(*agent.Agent) (*agent.TileStatus, error)) *cobra.Command {
	var asJSON bool
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		a, err := openAgent(c)
		if err != nil {
			return err
		}
		s, err := do(a)
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetIndent("", "  ")
			err = enc.Encode(s)
		} else {
			err = printTile(c.OutOrStdout(), s)
		}
		if err == nil && s.State != agent.TileOn && c.Name() != "off" {
			return answer(exitNoTile)
		}
		return err
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON (fields may be added, none changes)")
	return c
}

func printTile(w io.Writer, s *agent.TileStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("tile", describeTile(s))
	if s.File != "" {
		row("file", s.File)
	}
	if !s.Since.IsZero() {
		row("since", s.Since.Local().Format(time.DateTime))
	}
	if s.Strikes > 0 {
		row("crashes", fmt.Sprintf("%d of the sign-in screen", s.Strikes))
	}
	return t.Flush()
}

// describeTile tells in a line how the tile is.
func describeTile(s *agent.TileStatus) string {
	switch s.State {
	case agent.TileNone:
		return "none: the package carries none"
	case agent.TilePending:
		return "not there yet: an installation is at work"
	case agent.TileOn:
		return "on"
	case agent.TileOff:
		return "off: " + s.Problem()
	default:
		return "broken: " + s.Reason
	}
}
