package main

import (
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newUserShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show USER",
		Short: "Show what is known of a user, named by id, name or e-mail address, with their devices and last sign-ins",
		Example: `  firstday user show ann
  firstday user show ann@acme.example --json`,
		Args: cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			u, err := client.User(c.Context(), args[0])
			if err != nil {
				return err
			}
			devices, err := client.UserDevices(c.Context(), u.ID.String())
			if err != nil {
				return err
			}
			signIns, err := client.UserSignIns(c.Context(), u.ID.String())
			if err != nil {
				return err
			}
			shown := struct {
				*api.User
				Devices []api.UserDevice `json:"devices"`
				SignIns []api.UserSignIn `json:"signIns"`
			}{u, devices, signIns}
			return show(c, shown, func(w *text) {
				describeUser(w, u)
				describeUserDevices(w, devices, signIns)
			})
		}),
	}
}

func describeUser(w *text, u *api.User) {
	w.line("user      %s, %s, %s", u.Name, u.ID, u.State)
	w.line("person    %s <%s>", u.FullName, u.Email)
	w.line("created   %s by %s", u.CreatedAt.Format(time.RFC3339), u.CreatedBy)
	switch {
	case u.Provider != "":
		w.line("signs in  with %s", u.Provider)
	case u.Temporary:
		w.line("signs in  with a temporary password; second factor %v", u.TOTP)
	default:
		w.line("signs in  with a password; second factor %v", u.TOTP)
	}
	if !u.SignedInAt.IsZero() {
		w.line("last      %s", u.SignedInAt.Format(time.RFC3339))
	}
	if !u.LockedUntil.IsZero() {
		w.line("locked    until %s, after wrong passwords", u.LockedUntil.Format(time.RFC3339))
	}
}

// describeUserDevices tells where a user has accounts, and what became of their
// sign-ins. Names of devices are strangers' text.
func describeUserDevices(w *text, devices []api.UserDevice, signIns []api.UserSignIn) {
	for _, d := range devices {
		w.line("device    %s  %q, %s, serial %q, %s; %s, account %q, since %s", d.ID, d.Name, d.Platform, d.Serial, d.State,
			d.Binding.State, d.Binding.Account, d.Binding.ChangedAt.Format(time.RFC3339))
	}
	for _, s := range signIns {
		outcome := "done"
		if s.Code != "" {
			outcome = "refused: " + string(s.Code)
		}
		w.line("sign-in   %s  %s on %s %q", s.Time.Format(time.RFC3339), outcome, s.Device, s.Name)
	}
}
