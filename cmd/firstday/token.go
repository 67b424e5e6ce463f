package main

import (
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Give tokens to those who administer, and take them back",
		Example: `  firstday token create ann --role technician
  firstday token create ci --role builder --life 8760h`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newTokenCreate(), newTokenList(), newChange("token revoke", "ID", "Take a token back at once", "revoked", parseID, (*api.Client).RevokeToken))
	return c
}

func newTokenCreate() *cobra.Command {
	var role string
	var life time.Duration
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Give a token to somebody",
		Long: `Create makes a token for somebody, or for CI, and writes it to standard output. It
is shown once. The name stands in the audit log. Roles: owner does everything;
technician sees to devices and connect keys; auditor reads, the audit log too;
builder mints connect keys.`,
		Example: `  firstday token create ann --role technician >ann.token`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			t, err := client.CreateToken(c.Context(), &api.NewToken{Name: args[0], Role: api.Role(role), Life: api.Duration(life)})
			if err != nil {
				return err
			}
			return show(c, t, func(w *text) { w.line("%s", t.Secret.Reveal()) })
		}),
	}
	c.Flags().StringVar(&role, "role", string(api.Technician), "owner, technician, auditor or builder")
	c.Flags().DurationVar(&life, "life", 90*24*time.Hour, "how long it holds")
	return c
}

func newTokenList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List tokens",
		Example: `  firstday token list`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			tokens, err := client.Tokens(c.Context())
			if err != nil {
				return err
			}
			return show(c, tokens, func(w *text) {
				for _, t := range tokens {
					state := "until " + t.ExpiresAt.Format(time.RFC3339)
					if !t.RevokedAt.IsZero() {
						state = "revoked"
					}
					w.line("%s  %-10s  %s  %s", t.ID, t.Role, t.Name, state)
				}
			})
		}),
	}
}
