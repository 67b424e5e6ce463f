package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"firstday.dev/directory"
)

func newDirectory() *cobra.Command {
	c := &cobra.Command{
		Use:   "directory",
		Short: "Back up the directory's folder, and restore it",
		Example: `  firstday directory backup /var/lib/firstday-directory -o directory.backup
  firstday directory restore directory.backup -o /var/lib/firstday-directory`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newDirectoryBackup(), newDirectoryRestore())
	return c
}

func newDirectoryBackup() *cobra.Command {
	var output string
	var recipients []string
	c := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Back up a directory, while it runs or not",
		Long: `Backup writes the folder of a directory into one file: the database as of one
moment, examined from its pages to its audit log, and the key that opens the
secrets in it. Whoever has both can be the directory: encrypt the file to
somebody with --recipient, or guard it like the folder.

A directory in PostgreSQL is backed up with pg_dump, and a copy of its file
directory.key, kept apart from each other.`,
		Example: `  firstday directory backup /var/lib/firstday-directory -o directory.backup --recipient age1…`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			to, err := directory.ParseRecipients(recipients)
			if err != nil {
				return usageError{fmt.Errorf("--recipient: %w", err)}
			}
			b, err := directory.WriteBackup(c.Context(), args[0], output, to)
			if err != nil {
				return err
			}
			return show(c, b, func(w *text) {
				w.line("%s is the directory of %s as of %s: %d audit entries, pin %s", output, b.Organisation, b.Time.Format(time.RFC3339), b.Audit.Entries, b.Pin)
				if !b.Encrypted {
					w.line("guard it: it holds the key to its secrets, and whoever has it can be the directory")
				}
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "file to write; one that is there is replaced")
	f.StringArrayVar(&recipients, "recipient", nil, "age recipient (age1…) to encrypt it to; repeat for others")
	_ = c.MarkFlagRequired("output")
	return c
}

func newDirectoryRestore() *cobra.Command {
	var output, identityFile string
	var o directory.RestoreOptions
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a directory's folder of a backup",
		Long: `Restore makes the folder of a directory of a backup, after it has examined all of
it, and notes so in the audit log. It replaces nothing that is there.

The world has gone on since the backup. Devices that enrolled later are not
known and must enrol again; devices, tokens and users that were ended later are
back. Uses of connect keys that were taken later would be free again, also to
thieves: restore revokes the keys that have uses left, unless --keep-keys.`,
		Example: `  firstday directory restore directory.backup -o /var/lib/firstday-directory
  firstday directory restore directory.backup -o /var/lib/firstday-directory --identity age.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Identities, err = readIdentities(identityFile); err != nil {
				return err
			}
			r, err := directory.Restore(c.Context(), args[0], output, o)
			if err != nil {
				return err
			}
			return show(c, r, func(w *text) {
				w.line("%s is the directory of %s as of %s: %d audit entries, pin %s", output, r.Organisation, r.Time.Format(time.RFC3339), r.Audit.Entries, r.Pin)
				w.line("%d connect keys with uses left were revoked", r.RevokedKeys)
				w.line("devices that enrolled later must enrol again; devices, tokens and users that were ended later are back")
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "folder to make")
	f.StringVar(&identityFile, "identity", "", "file with the age identity (AGE-SECRET-KEY-…) that opens an encrypted backup")
	f.BoolVar(&o.KeepKeys, "keep-keys", false, "let connect keys hold that have uses left")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagDirname("output")
	return c
}

var errIdentityFile = errors.New("no age identity in this file")

func readIdentities(file string) ([]age.Identity, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	identities, err := age.ParseIdentities(f)
	if err != nil {
		// Its text may quote the secret.
		return nil, fmt.Errorf("%s: %w", file, errIdentityFile)
	}
	return identities, nil
}
