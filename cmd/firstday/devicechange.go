package main

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

// newDeviceChange makes a command that does one thing to all devices named.
func newDeviceChange(verb, short string, action api.BulkAction, done string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ID…",
		Short:   short,
		Example: "  firstday device " + verb + " 019f…\n  firstday device " + verb + " 019f… 019f…",
		Args:    cobra.MinimumNArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			return changeDevices(c, client, action, args, done)
		}),
	}
}

func newDeviceSSAP() *cobra.Command {
	return &cobra.Command{
		Use:   "ssap on|off ID…",
		Short: "Switch the sign-in off on devices, or on again",
		Long: `Ssap off takes the sign-in of the organisation from devices, whatever the settings
say; accounts that are there stay. Ssap on lets it be as the settings say again. The
devices hear of it within seconds, or once they are online.`,
		Example: `  firstday device ssap off 019f… 019f…
  firstday device ssap on 019f…`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []cobra.Completion{"on", "off"}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			switch args[0] {
			case "off":
				return changeDevices(c, client, api.BulkSSAPOff, args[1:], "has no sign-in")
			case "on":
				return changeDevices(c, client, api.BulkSSAPOn, args[1:], "has the sign-in that the settings say")
			}
			return usageError{fmt.Errorf("%.60q is neither on nor off", args[0])}
		}),
	}
}

// changeDevices does the same to all devices named, in one call, and tells what
// became of each. That some are refused stops none of the others, but is an error.
func changeDevices(c *cobra.Command, client *api.Client, action api.BulkAction, args []string, done string) error {
	r := &api.BulkRequest{Action: action}
	for _, a := range args {
		id, err := parseID(a)
		if err != nil {
			return err
		}
		r.IDs = append(r.IDs, id)
	}
	if err := r.Check(); err != nil {
		return usageError{err}
	}
	results, err := client.BulkDevices(c.Context(), r)
	if err != nil {
		return err
	}
	if err := show(c, results, func(w *text) { describeResults(w, results, done) }); err != nil {
		return err
	}
	return refusedOf(r.IDs, results)
}

func describeResults(w *text, results []api.BulkResult, done string) {
	for _, r := range results {
		if r.Code == "" {
			w.line("%s %s", r.ID, done)
		} else {
			w.line("%s is refused: %s: %s", r.ID, r.Code, r.Detail)
		}
	}
}

// refusedOf is the error of devices that were not changed: the first refusal, and
// how many there are. What nothing is told of was not changed, either.
func refusedOf(asked []uuid.UUID, results []api.BulkResult) error {
	told := make(map[uuid.UUID]*api.BulkResult)
	for i := range results {
		told[results[i].ID] = &results[i]
	}
	var first error
	all, refused := make(map[uuid.UUID]bool), 0
	for _, id := range asked {
		if all[id] {
			continue
		}
		all[id] = true
		r := told[id]
		if r == nil {
			r = &api.BulkResult{ID: id, Code: api.CodeUnavailable, Detail: "the directory tells nothing of it"}
		}
		if r.Code == "" {
			continue
		}
		if refused++; first == nil {
			first = fmt.Errorf("device %s: %w", id, api.Refuse(r.Code, "%s", r.Detail))
		}
	}
	if refused == 0 || len(all) == 1 {
		return first
	}
	return fmt.Errorf("%d of %d devices are not changed; %w", refused, len(all), first)
}
