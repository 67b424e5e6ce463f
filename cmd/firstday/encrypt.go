package main

import (
	"context"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/kit"
)

const weak = `Windows' encryption of packages is weak: the password, of at most 16 characters,
is the key itself, and whoever holds the file can try passwords as fast as a
computer can. It keeps a curious finder out, not a thief.`

func newPpkgEncrypt() *cobra.Command {
	return newCipher(&cobra.Command{
		Use:     "encrypt FILE",
		Short:   "Encrypt a package with a password, weakly",
		Long:    "Encrypt encrypts a package; Windows asks for the password when it is applied.\n\n" + weak,
		Example: `  firstday ppkg encrypt Acme.ppkg -o Acme-locked.ppkg --password-env PPKG_PASSWORD`,
	}, kit.Encrypt)
}

func newPpkgDecrypt() *cobra.Command {
	return newCipher(&cobra.Command{
		Use:     "decrypt FILE",
		Short:   "Decrypt a package that has a password",
		Example: `  firstday ppkg decrypt Acme-locked.ppkg -o Acme.ppkg --password-prompt`,
	}, kit.Decrypt)
}

// newCipher is a command that makes one package of another with a password.
func newCipher(c *cobra.Command, work func(ctx context.Context, path, output, password string) error) *cobra.Command {
	var output, passwordFile string
	var source config.SecretSource
	c.Args = cobra.ExactArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		source.File = config.Path(passwordFile)
		password, err := source.Named("password of the package").Resolve(prompter(c.Context()))
		if err != nil {
			return err
		}
		if err := work(c.Context(), args[0], output, password.Reveal()); err != nil {
			return err
		}
		return show(c, struct {
			File string `json:"file"`
		}{output}, func(w *text) { w.line("%s is written; it needs a catalog of its own", output) })
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "file to write")
	f.StringVar(&passwordFile, "password-file", "", "file with the password")
	f.StringVar(&source.Env, "password-env", "", "environment variable with the password")
	f.BoolVar(&source.Prompt, "password-prompt", false, "ask for the password")
	_ = c.MarkFlagRequired("output")
	c.MarkFlagsOneRequired("password-file", "password-env", "password-prompt")
	c.MarkFlagsMutuallyExclusive("password-file", "password-env", "password-prompt")
	return c
}
