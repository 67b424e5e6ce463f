package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newOverview() *cobra.Command {
	return &cobra.Command{
		Use:   "overview",
		Short: "Show how the devices stand, and what ends soon",
		Long: `Overview counts the devices that enrolled and got their person within a day, those
that wait or report problems, and lists the keys, tokens, certificates and orders
that are about to end.`,
		Example: `  firstday overview
  firstday overview --json`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			o, err := client.Overview(c.Context())
			if err != nil {
				return err
			}
			return show(c, o, func(w *text) { describeOverview(w, o) })
		}),
	}
}

func describeOverview(w *text, o *api.Overview) {
	w.line("devices    %d, as of %s", o.Devices, o.Time.Format(time.RFC3339))
	w.line("enrolled   %d within a day", o.Enrolled)
	w.line("signed in  %d got their person within a day", o.SignedIn)
	w.line("pending    %d wait for approval", o.Pending)
	w.line("waiting    %d wait for their person", o.Waiting)
	w.line("trouble    %d report problems", o.Trouble)
	w.line("off        %d have the sign-in switched off", o.Off)
	for _, p := range o.Problems {
		w.line("problem    %d report %q", p.Devices, p.Problem)
	}
	for i := range o.Ending {
		w.line("ends       %s", describeEnding(&o.Ending[i]))
	}
}

// describeEnding tells what ends, and what is left of it by then.
func describeEnding(e *api.Ending) string {
	line := e.Ends.Format(time.RFC3339) + "  "
	switch e.Kind {
	case api.EndingKey, api.EndingUses:
		line += fmt.Sprintf("connect key %q, uses left: %d", e.Name, e.Left)
	case api.EndingOrder:
		line += fmt.Sprintf("order %q, devices missing: %d", e.Name, e.Left)
	default:
		line += fmt.Sprintf("%s %q", e.Kind, e.Name)
	}
	if e.ID != uuid.Nil {
		line += "  " + e.ID.String()
	}
	return line
}
