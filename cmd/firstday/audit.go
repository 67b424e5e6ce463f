package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

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
