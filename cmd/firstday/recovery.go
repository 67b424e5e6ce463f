package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
)

func newSettingsRecoveryKey() *cobra.Command {
	return &cobra.Command{
		Use:   "recovery-key FILE",
		Short: "Make the recovery key that opens break-glass passwords",
		Long: `Recovery-key writes a new age identity to a file that only you can read, and tells
all devices its recipient: they change the passwords of their break-glass
accounts, and seal them to it. Keep the file where the directory is not: who has
both can open every device.`,
		Example: `  firstday settings recovery-key /media/safe/acme-recovery.txt`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return usageError{fmt.Errorf("%s exists; what it opens would be lost", args[0])}
			}
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			content := fmt.Sprintf("# recovery key of Firstday, made %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), identity.Recipient(), identity)
			if err := atomicfile.WriteFile(args[0], []byte(content), 0o600); err != nil {
				return err
			}
			s, err := client.Settings(c.Context())
			if err != nil {
				return err
			}
			s.RecoveryKey = identity.Recipient().String()
			if _, err := client.SetSettings(c.Context(), s); err != nil {
				return fmt.Errorf("%s was written, but the directory does not use it: %w", args[0], err)
			}
			return show(c, map[string]string{"recoveryKey": s.RecoveryKey, "file": args[0]}, func(w *text) {
				w.line("%s opens what devices seal to %s from now on", args[0], s.RecoveryKey)
			})
		}),
	}
}

func newDeviceReveal() *cobra.Command {
	var reason, identityFile string
	c := &cobra.Command{
		Use:   "reveal ID",
		Short: "Show the password of a device's break-glass account",
		Long: `Reveal opens the password that a device has put in escrow, with the recovery key,
on this machine: the directory cannot. The reason stands in the audit log, and the
device changes the password a day later, when it has been used.`,
		Example: `  firstday device reveal 019f… --identity acme-recovery.txt --reason "ticket 4711: locked out"`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			// Before anything is revealed: a key that opens nothing would only make
			// the device change its password.
			identities, err := readIdentities(identityFile)
			if err != nil {
				return err
			}
			list, err := client.Reveal(c.Context(), id, reason)
			if err != nil {
				return err
			}
			opened, err := openEscrows(list, identities)
			if err != nil {
				return err
			}
			return show(c, opened, func(w *text) {
				for _, e := range opened {
					note := ""
					if !e.Confirmed {
						note = "  (perhaps: the device did not confirm it)"
					}
					w.line("%s  %s%s", e.Account, e.Password.Reveal(), note)
				}
			})
		}),
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	c.Flags().StringVar(&identityFile, "identity", "", "file with the recovery key")
	_ = c.MarkFlagRequired("reason")
	_ = c.MarkFlagRequired("identity")
	_ = c.MarkFlagFilename("identity")
	return c
}

// escrow is a password that was opened.
type escrow struct {
	Account   string     `json:"account"`
	Password  api.Secret `json:"password"`
	Confirmed bool       `json:"confirmed"`
	CreatedAt time.Time  `json:"createdAt"`
}

// errOtherKey: the recovery key is not the one.
var errOtherKey = errors.New("this recovery key does not open the password")

func openEscrows(list []api.Escrow, identities []age.Identity) ([]escrow, error) {
	var opened []escrow
	var wrong error
	for _, e := range list {
		r, err := age.Decrypt(bytes.NewReader(e.Sealed), identities...)
		if err != nil {
			wrong = fmt.Errorf("%w: it is sealed to %s: %w", errOtherKey, e.RecoveryKey, err)
			continue
		}
		password, err := io.ReadAll(io.LimitReader(r, api.MaxPassword))
		if err != nil {
			return nil, err
		}
		opened = append(opened, escrow{e.Account, api.Secret(password), e.Confirmed, e.CreatedAt})
	}
	if len(opened) == 0 {
		return nil, wrong
	}
	return opened, nil
}
