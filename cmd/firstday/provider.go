package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newProvider() *cobra.Command {
	c := &cobra.Command{
		Use:   "provider",
		Short: "Let people sign in with an OpenID Connect provider",
		Example: `  firstday provider add google --name Google --issuer https://accounts.google.com --client-id … --secret-file client.secret --hosted-domain acme.example --create-users
  firstday provider test google
  firstday provider list`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newProviderAdd(), newProviderList(), newProviderShow(), newProviderTest(),
		newChange("provider remove", "PROVIDER", "Let nobody sign in with a provider any more; its users stay", "removed", asIs, (*api.Client).RemoveProvider))
	return c
}

func newProviderAdd() *cobra.Command {
	var n api.NewProvider
	var secretFile string
	var maxAge time.Duration
	c := &cobra.Command{
		Use:   "add ID",
		Short: "Add a provider, and say which redirect URI to register there",
		Long: `Add lets people sign in with an OpenID Connect provider, which stands as a button
on the sign-in pages. The ID is a word for commands and for the redirect URI, which
must be registered with the provider to the letter. The client secret is read from
a file or asked for; the directory keeps it sealed and shows it to nobody.

Users of a provider are known by its issuer and their subject there. With
--create-users who is admitted becomes a user at the first sign-in, with a name made
of claims; nobody who is a user already is taken over by a name or an address. Else
users are made by user add, and linked by user link.

E-mail addresses are believed only where the provider says that they are verified.`,
		Example: `  firstday provider add google --name Google --issuer https://accounts.google.com --client-id … --secret-file client.secret --hosted-domain acme.example --create-users
  firstday provider add okta --name Okta --issuer https://acme.okta.com --client-id … --scope profile --scope email --scope groups --group staff --user-name preferred_username --create-users`,
		Args: cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			n.ID, n.MaxAge = args[0], api.Duration(maxAge)
			n.Normalise()
			if err := n.ProviderConfig.Check(); err != nil {
				return usageError{err}
			}
			var err error
			if n.ClientSecret, err = readSecret(c, secretFile, "client secret"); err != nil {
				return err
			}
			if err := n.Check(); err != nil {
				return usageError{err}
			}
			p, err := client.CreateProvider(c.Context(), &n)
			if err != nil {
				return err
			}
			return show(c, p, func(w *text) {
				w.line("register this redirect URI with %s: %s", p.Name, p.RedirectURI)
				w.line("then: firstday provider test %s", p.ID)
			})
		}),
	}
	f := c.Flags()
	f.StringVar(&n.Name, "name", "", "its name, as the button shows it")
	f.StringVar(&n.Issuer, "issuer", "", "its issuer, to the letter")
	f.StringVar(&n.ClientID, "client-id", "", "what it knows the directory by")
	f.StringVar(&secretFile, "secret-file", "", "file with the client secret, - for standard input (default: it is asked for)")
	f.StringArrayVar(&n.Scopes, "scope", nil, "scope to ask for besides openid; repeat for others (default: profile and email)")
	f.StringArrayVar(&n.HostedDomains, "hosted-domain", nil, "domain of Google Workspace that people must be of; repeat for others")
	f.StringArrayVar(&n.Domains, "domain", nil, "domain that people's verified e-mail addresses must be of; repeat for others")
	f.StringArrayVar(&n.Groups, "group", nil, "group that people must be in; repeat for others, one of them is enough")
	f.StringVar(&n.GroupsClaim, "groups-claim", "", "claim that names groups (default: groups)")
	f.StringVar(&n.VerifiedClaim, "verified-claim", "", "claim that says whether an e-mail address is verified (default: email_verified)")
	f.StringVar(&n.UserName, "user-name", "", "claim, or template of claims, that makes new users' names (default: {email}, up to the @)")
	f.BoolVar(&n.CreateUsers, "create-users", false, "make users of people at their first sign-in")
	f.StringArrayVar(&n.ACRValues, "acr", nil, "acr value to ask for, such as that of a second factor; repeat for others, one of them must come back")
	f.DurationVar(&maxAge, "max-age", 0, "how long ago people may have signed in at the provider (default: any time)")
	f.StringVar(&n.Prompt, "prompt", "", "what the provider must do in any case: login, select_account or consent")
	for _, name := range []string{"name", "issuer", "client-id"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.MarkFlagFilename("secret-file")
	_ = c.RegisterFlagCompletionFunc("prompt", cobra.FixedCompletions([]string{"login", "select_account", "consent"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func newProviderList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List providers",
		Example: `  firstday provider list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			providers, err := client.Providers(c.Context())
			if err != nil {
				return err
			}
			return show(c, providers, func(w *text) {
				for _, p := range providers {
					w.line("%-20s  %-30s  %s", p.ID, p.Name, p.Issuer)
				}
			})
		}),
	}
}

func newProviderShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show whom a provider lets in, and as whom",
		Example: `  firstday provider show google`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			p, err := client.Provider(c.Context(), args[0])
			if err != nil {
				return err
			}
			return show(c, p, func(w *text) { describeProvider(w, p) })
		}),
	}
}

func describeProvider(w *text, p *api.Provider) {
	w.line("provider  %s, %s", p.ID, p.Name)
	w.line("issuer    %s", p.Issuer)
	w.line("client    %s, at %s", p.ClientID, p.RedirectURI)
	w.line("scopes    openid %s", strings.Join(p.Scopes, " "))
	w.line("created   %s by %s", p.CreatedAt.Format(time.RFC3339), p.CreatedBy)
	for _, limit := range []struct {
		what string
		list []string
	}{
		{"hd       ", p.HostedDomains}, {"domains  ", p.Domains}, {"groups   ", p.Groups}, {"acr      ", p.ACRValues},
	} {
		if len(limit.list) > 0 {
			w.line("%s one of %s", limit.what, strings.Join(limit.list, ", "))
		}
	}
	if p.MaxAge > 0 {
		w.line("sign-in   at most %v ago", time.Duration(p.MaxAge))
	}
	if p.CreateUsers {
		w.line("users     are made at their first sign-in, named %s", p.UserName)
		return
	}
	w.line("users     are linked by: firstday user link")
}

// errProviderTest: a provider is not ready for people.
var errProviderTest = errors.New("people cannot sign in with it yet")

func newProviderTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test ID",
		Short: "Find out whether people can sign in with a provider",
		Long: `Test lets the directory look at what it can without a person: what the provider says
of itself, its keys, and whether it knows the directory's client id and secret. What
is wrong is said in words, and the exit code is 7.`,
		Example: `  firstday provider test google`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			checks, err := client.TestProvider(c.Context(), args[0])
			if err != nil {
				return err
			}
			wrong := 0
			err = show(c, checks, func(w *text) {
				for _, check := range checks {
					w.line("%-6s  %s: %s", map[bool]string{true: "ok", false: "FAILED"}[check.OK], check.What, check.Detail)
				}
			})
			for _, check := range checks {
				if !check.OK {
					wrong++
				}
			}
			if err == nil && wrong > 0 {
				err = fmt.Errorf("%s: %w: %d of %d checks failed", args[0], errProviderTest, wrong, len(checks))
			}
			return err
		}),
	}
}
