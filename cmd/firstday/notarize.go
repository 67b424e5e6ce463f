package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild/notary"
)

func newPkgNotarize() *cobra.Command {
	var file, key string
	var n config.Notary
	var unstapled bool
	c := &cobra.Command{
		Use:   "notarize FILE",
		Short: "Have a signed package notarised by Apple",
		Long: `Notarize submits a signed package to Apple's notary service, waits for the
verdict, and staples the ticket to the package. Apple's reasons are told where it
refuses. An upload that was interrupted goes on when the command is run again.

It takes a team key of App Store Connect: named under macos.notary in
firstday.yaml (-c), or by the flags.`,
		Example: `  firstday pkg notarize -c firstday.yaml kit/Acme.pkg
  firstday pkg notarize --issuer 57246542-96fe-1a63-e053-0824d011072a --key-id 2X9R4HXF34 --key AuthKey_2X9R4HXF34.p8 Acme.pkg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.Key = config.Path(key)
			client, err := notaryClient(c, file, n)
			if err != nil {
				return err
			}
			bars := newProgress(c)
			defer bars.close()
			client.Progress = func(done, total int64) { bars.step("uploading", done, total) }
			s, err := kit.Notarize(c.Context(), args[0], client)
			if err == nil && !unstapled {
				err = kit.Staple(c.Context(), args[0], client)
			}
			if err != nil {
				return err
			}
			bars.close()
			return show(c, s, func(w *text) { w.line("%s is notarised: submission %s", args[0], s.ID) })
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration file that names the key")
	f.StringVar(&n.Issuer, "issuer", "", "issuer id of the team's keys")
	f.StringVar(&n.KeyID, "key-id", "", "id of the key")
	f.StringVar(&key, "key", "", "private key (AuthKey_….p8)")
	f.BoolVar(&unstapled, "no-staple", false, "leave the package as it is")
	c.MarkFlagsRequiredTogether("issuer", "key-id", "key")
	c.MarkFlagsMutuallyExclusive("config", "key")
	return c
}

// notaryClient takes the key from the configuration, or from the flags.
func notaryClient(c *cobra.Command, file string, n config.Notary) (*notary.Client, error) {
	if file != "" {
		cfg, err := loadConfig(c, file)
		if err != nil {
			return nil, err
		}
		return configuredNotary(cfg)
	}
	if n.Key == "" {
		return nil, usageError{errors.New("no key is named; give -c, or --issuer, --key-id and --key")}
	}
	return kit.NotaryClient(&n)
}

func configuredNotary(cfg *config.Config) (*notary.Client, error) {
	if cfg.MacOS.Notary == nil {
		return nil, cfg.ErrorAt("macos", "add the section macos.notary", "%w", kit.ErrNoNotary)
	}
	return kit.NotaryClient(cfg.MacOS.Notary)
}

func newPkgStaple() *cobra.Command {
	return &cobra.Command{
		Use:   "staple FILE",
		Short: "Staple Apple's ticket to a notarised package",
		Long: `Staple fetches the ticket of a package that was notarised, by whomever, and puts
it at the package's end: Macs then need no network to believe it. It needs no key.`,
		Example: `  firstday pkg staple Acme.pkg`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := kit.Staple(c.Context(), args[0], new(notary.Client)); err != nil {
				return err
			}
			return show(c, stapled{args[0], true}, func(w *text) { w.line("%s carries its ticket", args[0]) })
		},
	}
}

func newPkgUnstaple() *cobra.Command {
	return &cobra.Command{
		Use:     "unstaple FILE",
		Short:   "Take the ticket off a package",
		Example: `  firstday pkg unstaple Acme.pkg`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := kit.Unstaple(c.Context(), args[0]); err != nil {
				return fmt.Errorf("taking the ticket off: %w", err)
			}
			return show(c, stapled{args[0], false}, func(w *text) { w.line("%s carries no ticket", args[0]) })
		},
	}
}

type stapled struct {
	File    string `json:"file"`
	Stapled bool   `json:"stapled"`
}
