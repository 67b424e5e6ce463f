package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
)

func newKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Mint, list and revoke connect keys",
		Example: `  firstday key create --uses 50 --output connect.key
  firstday key list
  firstday key revoke 019f…`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newKeyCreate(), newKeyList(), newKeyUses(), newChange("key revoke", "ID", "End a connect key; devices that it brought stay", "revoked", parseID, (*api.Client).RevokeKey))
	return c
}

func newKeyCreate() *cobra.Command {
	var n api.NewConnectKey
	var life time.Duration
	var platforms []string
	var serials, output, packageID string
	c := &cobra.Command{
		Use:   "create",
		Short: "Mint a connect key",
		Long: `Create mints a connect key, by which devices may enrol until it expires or its
uses are taken. It is shown once: the directory keeps only its hash.`,
		Example: `  firstday key create --uses 50 --life 72h --label "spring hires" --output connect.key
  firstday key create --serials serials.txt --platform windows`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			n.Life = api.Duration(life)
			for _, p := range platforms {
				n.Platforms = append(n.Platforms, api.Platform(p))
			}
			if serials != "" {
				data, err := os.ReadFile(serials)
				if err != nil {
					return err
				}
				n.Serials = strings.Fields(string(data))
			}
			if packageID != "" {
				id, err := parseID(packageID)
				if err != nil {
					return err
				}
				n.PackageID = id
			}
			k, err := client.MintKey(c.Context(), &n)
			if err != nil {
				return err
			}
			if output != "" {
				if err := atomicfile.WriteFile(output, []byte(k.Secret.Reveal()+"\n"), 0o600); err != nil {
					return fmt.Errorf("the key %s was minted, and is lost; revoke it: %w", k.ID, err)
				}
				return show(c, k.ConnectKey, func(w *text) {
					w.line("%s holds connect key %s, for %d uses until %v", output, k.ID, k.MaxUses, k.ExpiresAt)
				})
			}
			return show(c, k, func(w *text) { w.line("%s", k.Secret.Reveal()) })
		}),
	}
	f := c.Flags()
	f.StringVar(&n.Label, "label", "", "what it is for")
	f.DurationVar(&life, "life", time.Duration(api.DefaultKeyLife), "how long it holds")
	f.IntVar(&n.Uses, "uses", api.DefaultKeyUses, "how many devices it brings")
	f.StringArrayVar(&platforms, "platform", nil, "platform it is for: windows, macos or linux; repeat for others (default: all)")
	f.StringVar(&serials, "serials", "", "file with the serial numbers it is for (default: all)")
	f.StringVar(&packageID, "package", "", "id of the package it is for (default: any)")
	f.StringVar(&n.Batch, "batch", "", "delivery or order that its devices are of")
	f.StringArrayVar(&n.Tags, "tag", nil, "tag that its devices get; repeat for others")
	f.BoolVar(&n.Approval, "approval", false, "each device waits until somebody approves it")
	f.StringVarP(&output, "output", "o", "", "file for the key (default: standard output)")
	return c
}

func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, usageError{fmt.Errorf("%q is no id", text)}
	}
	return id, nil
}

func newKeyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List connect keys",
		Example: `  firstday key list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			keys, err := client.Keys(c.Context())
			if err != nil {
				return err
			}
			return show(c, keys, func(w *text) {
				for _, k := range keys {
					w.line("%s  %s  %d of %d uses  %s", k.ID, keyState(&k, time.Now()), k.Uses, k.MaxUses, k.Label)
				}
			})
		}),
	}
}

func keyState(k *api.ConnectKey, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(k.ExpiresAt):
		return "expired"
	case k.Uses >= k.MaxUses:
		return "spent"
	default:
		return "good until " + k.ExpiresAt.Format(time.RFC3339)
	}
}

func newKeyUses() *cobra.Command {
	return &cobra.Command{
		Use:     "uses ID",
		Short:   "Show who tried to enrol with a connect key, and what came of it",
		Example: `  firstday key uses 019f…`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			uses, err := client.KeyUses(c.Context(), id)
			if err != nil {
				return err
			}
			return show(c, uses, func(w *text) {
				for _, u := range uses {
					outcome := "device " + u.Device.String()
					if u.Refusal != "" {
						outcome = "refused: " + string(u.Refusal)
					}
					w.line("%s  %s  serial %q  from %s", u.Time.Format(time.RFC3339), outcome, u.Serial, u.Remote)
				}
			})
		}),
	}
}
