package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/strictjson"
)

func newSettings() *cobra.Command {
	c := &cobra.Command{
		Use:   "settings",
		Short: "Read and change how sign-in goes on devices",
		Example: `  firstday settings get >settings.json
  firstday settings set settings.json`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newSettingsGet(), newSettingsSet())
	return c
}

func newSettingsGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get",
		Short:   "Write the settings as JSON",
		Example: `  firstday settings get >settings.json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			s, err := client.Settings(c.Context())
			if err != nil {
				return err
			}
			return writeJSON(c.OutOrStdout(), s)
		}),
	}
}

func newSettingsSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set FILE",
		Short: "Change the settings, on all devices within seconds",
		Long: `Set replaces the settings by those of a file, as settings get wrote it and you
changed it, or of standard input (-). If somebody else was faster, it says so and
changes nothing.`,
		Example: `  firstday settings set settings.json`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			s := new(api.VersionedSettings)
			if err := readSettings(c.InOrStdin(), args[0], s); err != nil {
				return err
			}
			now, err := client.SetSettings(c.Context(), s)
			if err != nil {
				return err
			}
			return show(c, now, func(w *text) { w.line("the settings have revision %d", now.Revision) })
		}),
	}
}

func readSettings(stdin io.Reader, file string, s *api.VersionedSettings) error {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if err := strictjson.Read(in, api.MaxMessage, s); err != nil {
		return usageError{fmt.Errorf("%s: %w", file, err)}
	}
	if err := s.Check(); err != nil {
		return usageError{fmt.Errorf("%s: %w", file, err)}
	}
	return nil
}

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Export and verify the audit log",
		Example: `  firstday audit export >audit.jsonl
  firstday audit verify audit.jsonl`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newAuditExport(), newAuditVerify())
	return c
}

func newAuditExport() *cobra.Command {
	var after int64
	c := &cobra.Command{
		Use:     "export",
		Short:   "Write the audit log as JSON lines",
		Example: `  firstday audit export >audit.jsonl`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			enc := json.NewEncoder(c.OutOrStdout())
			for at := after; ; {
				page, err := client.Audit(c.Context(), at)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, e := range page {
					if err := enc.Encode(e); err != nil {
						return err
					}
					at = e.Seq
				}
			}
		}),
	}
	c.Flags().Int64Var(&after, "after", 0, "number of the last entry you have")
	return c
}

func newAuditVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Prove that an exported audit log is whole and unchanged",
		Long: `Verify checks that each entry of an exported audit log follows the one before it:
nothing was changed, left out or added. Keep the last hash it tells somewhere
else: who can write the whole log could write another.`,
		Example: `  firstday audit verify audit.jsonl`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			proof, err := api.VerifyAudit(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return show(c, proof, func(w *text) { w.line("%s: %d entries, the last has the hash %s", args[0], proof.Entries, proof.Hash) })
		},
	}
}
