package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newAdministrator() *cobra.Command {
	c := &cobra.Command{
		Use:   "administrator",
		Short: "Invite people to the console, change their roles, disable and reset them",
		Example: `  firstday administrator invite ann --role technician --full-name "Ann Example"
  firstday administrator list
  firstday administrator disable ann`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newAdministratorInvite(), newAdministratorList(), newAdministratorShow(), newAdministratorRole(),
		newChange("administrator disable", "NAME", "Let an administrator sign in no more; their sessions end at once", "disabled", asIs, (*api.Client).DisableAdministrator),
		newChange("administrator enable", "NAME", "Let a disabled administrator sign in again", "active", asIs, (*api.Client).EnableAdministrator),
		newAdministratorReset(),
		newChange("administrator sign-out", "NAME", "End all sessions of an administrator in the console", "signed out", asIs, (*api.Client).SignOutAdministrator))
	return c
}

func newAdministratorInvite() *cobra.Command {
	var n api.NewAdministrator
	var role string
	c := &cobra.Command{
		Use:   "invite NAME",
		Short: "Give a link by which somebody becomes an administrator",
		Long: `Invite makes an administrator, and writes to standard output the link to hand to
them. It is shown once, good once, and for 24 hours; there they choose how to
sign in: with a passkey, a password and a second factor, or an identity provider.
Who was invited before, and has not come yet, gets another link. The name stands
in the audit log. Roles: owner does everything; technician sees to devices, users
and connect keys; auditor reads, the audit log too.`,
		Example: `  firstday administrator invite ann --role technician --full-name "Ann Example" --email ann@acme.example`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			n.Name, n.Role = args[0], api.Role(role)
			n.Normalise()
			if err := n.Check(); err != nil {
				return usageError{err}
			}
			i, err := client.InviteAdministrator(c.Context(), &n)
			if err != nil {
				return err
			}
			return showInvitation(c, i)
		}),
	}
	f := c.Flags()
	f.StringVar(&role, "role", string(api.Technician), "owner, technician or auditor")
	f.StringVar(&n.FullName, "full-name", "", "as the console shows it")
	f.StringVar(&n.Email, "email", "", "e-mail address, for other administrators to see")
	return c
}

// showInvitation writes the link alone to standard output, for a pipe.
func showInvitation(c *cobra.Command, i *api.Invitation) error {
	return show(c, i, func(w *text) { w.line("%s", i.Link.Reveal()) })
}

func newAdministratorList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List administrators by name",
		Example: `  firstday administrator list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			list, err := client.Administrators(c.Context())
			if err != nil {
				return err
			}
			return show(c, list, func(w *text) {
				for _, a := range list {
					w.line("%-20s  %-10s  %-8s  %s", a.Name, a.Role, a.State, a.FullName)
				}
			})
		}),
	}
}

func newAdministratorShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show how an administrator signs in, and where they are signed in",
		Example: `  firstday administrator show ann`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			a, err := client.Administrator(c.Context(), args[0])
			if err != nil {
				return err
			}
			sessions, err := client.ConsoleSessions(c.Context(), a.ID.String())
			if err != nil {
				return err
			}
			shown := struct {
				*api.Admin
				Sessions []api.ConsoleSession `json:"sessions"`
			}{a, sessions}
			return show(c, shown, func(w *text) { describeAdministrator(w, a, sessions) })
		}),
	}
}

func describeAdministrator(w *text, a *api.Admin, sessions []api.ConsoleSession) {
	w.line("administrator  %s, %s, %s, %s", a.Name, a.ID, a.Role, a.State)
	w.line("person         %s <%s>", a.FullName, a.Email)
	w.line("created        %s by %s", a.CreatedAt.Format(time.RFC3339), a.CreatedBy)
	for _, p := range a.Passkeys {
		w.line("signs in       with the passkey %s, of %s", p.Name, p.CreatedAt.Format(time.RFC3339))
	}
	if a.Password {
		w.line("signs in       with a password and a second factor")
	}
	if a.Provider != "" {
		w.line("signs in       with %s", a.Provider)
	}
	for _, s := range sessions {
		w.line("session        since %s, used %s, at %s, by %s, %s", s.BeganAt.Format(time.RFC3339), s.UsedAt.Format(time.RFC3339), s.Address, s.Way, s.Browser)
	}
}

func newAdministratorRole() *cobra.Command {
	var words []string
	for _, r := range api.AdministratorRoles {
		words = append(words, string(r))
	}
	return &cobra.Command{
		Use:       "role NAME ROLE",
		Short:     "Give an administrator another role; their sessions end at once",
		Example:   `  firstday administrator role ann owner`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: words,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			role := api.Role(strings.ToLower(args[1]))
			if err := role.CheckAdministrator(); err != nil {
				return usageError{err}
			}
			if err := client.SetAdministratorRole(c.Context(), args[0], role); err != nil {
				return err
			}
			return show(c, map[string]string{args[0]: string(role)}, func(w *text) { w.line("%s is %s", args[0], article(role)) })
		}),
	}
}

// article puts one before a role.
func article(r api.Role) string {
	if strings.ContainsAny(string(r)[:1], "aeiou") {
		return fmt.Sprintf("an %s", r)
	}
	return fmt.Sprintf("a %s", r)
}

func newAdministratorReset() *cobra.Command {
	return &cobra.Command{
		Use:   "reset NAME",
		Short: "Take all ways in from an administrator, and give a link by which they choose others",
		Long: `Reset takes passkeys, password, second factor and the link to an identity provider
from an administrator, ends their sessions, and writes to standard output a link
to hand to them. It is shown once, good once, and for 24 hours.`,
		Example: `  firstday administrator reset ann`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			i, err := client.ResetAdministrator(c.Context(), args[0])
			if err != nil {
				return err
			}
			return showInvitation(c, i)
		}),
	}
}
