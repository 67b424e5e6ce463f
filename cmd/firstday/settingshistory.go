package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newSettingsHistory() *cobra.Command {
	return &cobra.Command{
		Use:     "history",
		Short:   "Show who changed which settings, the last first",
		Example: `  firstday settings history`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			all := []api.SettingsChange{}
			for before := int64(0); ; {
				page, err := client.SettingsHistory(c.Context(), before)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				all = append(all, page...)
				before = page[len(page)-1].Revision
			}
			return show(c, all, func(w *text) {
				for i := range all {
					describeSettingsChange(w, &all[i])
				}
			})
		}),
	}
}

func describeSettingsChange(w *text, s *api.SettingsChange) {
	w.line("revision %d  %s by %s", s.Revision, s.ChangedAt.Format(time.RFC3339), s.ChangedBy)
	for _, change := range s.Changes {
		w.line("  %s: %s → %s", change.Key, cmp.Or(change.From, "nothing"), cmp.Or(change.To, "nothing"))
	}
}

func newSettingsRevert() *cobra.Command {
	return &cobra.Command{
		Use:   "revert REVISION",
		Short: "Go back to the settings of an earlier revision",
		Long: `Revert sets the settings that were in force at a revision of settings history anew,
on all devices within seconds; 0 is those of a new directory. They become the newest
revision, so that this can be taken back, too. If somebody changes the settings
meanwhile, it says so and changes nothing.`,
		Example: `  firstday settings revert 7`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			to, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || to < 0 {
				return usageError{fmt.Errorf("%.40q is no revision", args[0])}
			}
			s, err := client.Settings(c.Context())
			if err != nil {
				return err
			}
			now, err := client.RevertSettings(c.Context(), &api.RevertRequest{To: to, Revision: s.Revision})
			if err != nil {
				return err
			}
			return show(c, now, func(w *text) { w.line("the settings are those of revision %d, and have revision %d", to, now.Revision) })
		}),
	}
}
