package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/sheet"
)

func newUser() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Add, import, list, disable and link users",
		Example: `  firstday user add ann --email ann@acme.example --full-name "Ann Example"
  firstday user import people.csv >passwords.csv
  firstday user reset ann`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newUserAdd(), newUserImport(), newUserList(), newUserShow(),
		newChange("user disable", "USER", "Let a user sign in no more; accounts on devices stay, unless you unbind them", "disabled", asIs, (*api.Client).DisableUser),
		newChange("user enable", "USER", "Let a disabled user sign in again", "active", asIs, (*api.Client).EnableUser),
		newUserReset(),
		newChange("user reset-factors", "USER", "Take a user's second factor away; their password stays", "reset", asIs, (*api.Client).ResetFactors),
		newUserLink(), newUserUnlink())
	return c
}

func newUserAdd() *cobra.Command {
	var n api.NewUser
	var passwordFile string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, with a temporary password",
		Long: `Add makes a user and shows a temporary password to hand over. At the first
sign-in the user chooses another, and sets up a second factor where the settings
want one.`,
		Example: `  firstday user add ann --email ann@acme.example --full-name "Ann Example"`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			n.Name = args[0]
			if passwordFile != "" {
				password, err := readPassword(passwordFile)
				if err != nil {
					return err
				}
				n.Password = password
			}
			n.Normalise()
			if err := n.Check(); err != nil {
				return usageError{err}
			}
			created, err := client.CreateUsers(c.Context(), []api.NewUser{n})
			if err != nil {
				return err
			}
			return show(c, created[0], func(w *text) { describeCreated(w, &created[0]) })
		}),
	}
	f := c.Flags()
	f.StringVar(&n.Email, "email", "", "e-mail address; accounts' names are made from it")
	f.StringVar(&n.FullName, "full-name", "", "as the sign-in screen shows it")
	f.StringVar(&passwordFile, "password-file", "", "file with the temporary password (default: one is made)")
	_ = c.MarkFlagFilename("password-file")
	return c
}

func readPassword(file string) (api.Secret, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	defer clear(data)
	return api.Secret(strings.TrimRight(string(data), "\r\n")), nil
}

func describeCreated(w *text, u *api.CreatedUser) {
	if u.Password == "" {
		w.line("%s may sign in with the temporary password", u.Name)
		return
	}
	w.line("%s  %s", u.Name, u.Password.Reveal())
}

func newUserImport() *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Add the users of a CSV file, all of them or none",
		Long: `Import adds the users of a CSV file (- for standard input). Its first line names
the columns: name, and any of email, fullName and password. Who gets no password
there gets one that is shown: name and temporary password, as CSV.`,
		Example: `  firstday user import people.csv >passwords.csv`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			in := c.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			users, err := readUsers(in)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", args[0], err)}
			}
			if dry {
				return checkUsers(c, client, users)
			}
			created, err := client.CreateUsers(c.Context(), users)
			if err != nil {
				return err
			}
			return show(c, created, func(w *text) {
				w.line("name,password")
				for _, u := range created {
					w.line("%s,%s", u.Name, u.Password.Reveal())
				}
			})
		}),
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "tell what the import would come to, and add nobody")
	return c
}

// checkUsers tells what adding users would come to.
func checkUsers(c *cobra.Command, client *api.Client, users []api.NewUser) error {
	checks, err := client.CheckUsers(c.Context(), users)
	if err != nil {
		return err
	}
	return show(c, checks, func(w *text) {
		for _, u := range checks {
			verdict := "would be added"
			if u.Code != "" {
				verdict = string(u.Code) + ": " + u.Detail
			}
			w.line("%-20s  %s", u.Name, verdict)
		}
	})
}

// readUsers reads a list of users. Errors name the line.
func readUsers(r io.Reader) ([]api.NewUser, error) {
	list, err := sheet.Users(r)
	if err != nil {
		return nil, err
	}
	users := make([]api.NewUser, len(list))
	for i, u := range list {
		if err := u.Check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", u.Line, err)
		}
		users[i] = u.NewUser
	}
	return users, nil
}

func newUserList() *cobra.Command {
	var q api.UserQuery
	c := &cobra.Command{
		Use:   "list",
		Short: "List users by name",
		Example: `  firstday user list --json
  firstday user list --search example`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			if err := q.Check(); err != nil {
				return usageError{err}
			}
			users, err := client.Users(c.Context(), q)
			if err != nil {
				return err
			}
			return show(c, users, func(w *text) {
				for _, u := range users {
					w.line("%-20s  %-8s  %-30s  %s", u.Name, u.State, u.Email, u.FullName)
				}
			})
		}),
	}
	c.Flags().StringVar(&q.Text, "search", "", "words that users have in their name, address or full name (default: all users)")
	return c
}

func newUserReset() *cobra.Command {
	return newTemporary("reset", "Give a user another temporary password",
		`Reset gives a user a temporary password to hand over, takes the second factor
away, and lets them try again at once after wrong passwords.`, (*api.Client).ResetUser)
}

func newUserUnlink() *cobra.Command {
	return newTemporary("unlink", "Let a user sign in with a password of the directory again",
		`Unlink forgets who a user is at an identity provider, and gives them a temporary
password to hand over.`, (*api.Client).UnlinkUser)
}

// newTemporary makes the command that gives a user a temporary password.
func newTemporary(verb, short, long string, change func(*api.Client, context.Context, string) (*api.CreatedUser, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " USER",
		Short:   short,
		Long:    long,
		Example: "  firstday user " + verb + " ann",
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			u, err := change(client, c.Context(), args[0])
			if err != nil {
				return err
			}
			return show(c, u, func(w *text) { describeCreated(w, u) })
		}),
	}
}

func newUserLink() *cobra.Command {
	var l api.UserLink
	c := &cobra.Command{
		Use:   "link USER",
		Short: "Let a user sign in with an identity provider",
		Long: `Link says who a user is at an identity provider: by the subject, which the
provider's own console shows, and the directory's log where it refused them. Their
password here, and their second factor here, end.`,
		Example: `  firstday user link ann --provider google --subject 110248495921238986420`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			if err := l.Check(); err != nil {
				return usageError{err}
			}
			u, err := client.LinkUser(c.Context(), args[0], &l)
			if err != nil {
				return err
			}
			return show(c, u, func(w *text) { w.line("%s signs in with %s from now on", u.Name, l.Provider) })
		}),
	}
	c.Flags().StringVar(&l.Provider, "provider", "", "id of the provider")
	c.Flags().StringVar(&l.Subject, "subject", "", "who they are there: the claim sub")
	_ = c.MarkFlagRequired("provider")
	_ = c.MarkFlagRequired("subject")
	return c
}
