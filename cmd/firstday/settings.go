package main

import (
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
  firstday settings set settings.json
  firstday settings set windows.ssap off
  firstday settings history`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newSettingsGet(), newSettingsSet(), newSettingsHistory(), newSettingsRevert(), newSettingsRecoveryKey())
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
		Use:   "set FILE | KEY VALUE",
		Short: "Change the settings, on all devices within seconds",
		Long: `Set replaces the settings by those of a file, as settings get wrote it and you
changed it, or of standard input (-). With a key and a value it changes that one:
switches are on or off, lists are separated by commas. If somebody else was faster,
it says so and changes nothing.

A PIN, of six digits and kept by the TPM of devices with Windows, is "off" (those
there are do not work), "offered" or "required". Devices without a TPM have none.

Where "hello" of "windows" is "offered", who got an account is led to the page of
Windows' settings where they may choose a PIN of Windows Hello, once, in their
first session.

What stands beside the tile of Windows' sign-in screen is "signInWindow" of
"windows": "qr", a code for a phone; "web", the pages themselves, or the code where
they cannot be shown; "off", nothing. "signInOrigins" are further origins that pages
may have, besides the directory's and its providers'.

With "signInWindow" of "macos" at "beside", a window of ours stands over Apple's login
window; at "instead", ours takes its place, on Macs whose build of macOS is among
"signInBuilds" (24* is all that begin with 24) and that find nothing against it; at
"off" there is none. "userList" is "names", or "fields" where names are typed.

"logo" is a PNG of at most 24,000 bytes, named by its file.`,
		Example: `  firstday settings set settings.json
  firstday settings set windows.ssap off
  firstday settings set windows.signInWindow web
  firstday settings set macos.domains acme.example,acme.test
  firstday settings set macos.signInBuilds 24*,25A354
  firstday settings set macos.signInWindow instead
  firstday settings set logo acme.png`,
		Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return settingKeys(), cobra.ShellCompDirectiveDefault
		},
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			s, err := wantedSettings(c, client, args)
			if err != nil {
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

// wantedSettings are those of a file, or those there are but for one.
func wantedSettings(c *cobra.Command, client *api.Client, args []string) (*api.VersionedSettings, error) {
	if len(args) == 1 {
		s := new(api.VersionedSettings)
		return s, readSettings(c.InOrStdin(), args[0], s)
	}
	s, err := client.Settings(c.Context())
	if err != nil {
		return nil, err
	}
	return s, setSetting(&s.Settings, args[0], args[1])
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
