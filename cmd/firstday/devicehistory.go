package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newDeviceHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history ID",
		Short: "Show what happened to a device, the last first",
		Long: `History shows how a device enrolled, who tried to sign in there and what became of
it, who it was given to and taken from, which settings it has, and when its agent
reported problems. What came from the device stands between quotes.`,
		Example: `  firstday device history 019f…
  firstday device history 019f… --json`,
		Args: cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			events := []api.DeviceEvent{}
			for before := int64(0); ; {
				page, err := client.DeviceEvents(c.Context(), id, before)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				events = append(events, page...)
				before = page[len(page)-1].Number
			}
			return show(c, events, func(w *text) {
				for i := range events {
					w.line("%s", describeEvent(&events[i]))
				}
			})
		}),
	}
}

func describeEvent(e *api.DeviceEvent) string {
	line := fmt.Sprintf("%s  %-9s  by %s", e.Time.Format(time.RFC3339), e.Kind, e.Actor)
	if e.Code != "" {
		line += ", refused: " + string(e.Code)
	}
	var details []string
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		details = append(details, fmt.Sprintf("%s %q", name, e.Detail[name]))
	}
	if len(details) > 0 {
		line += "  " + strings.Join(details, ", ")
	}
	return line
}
