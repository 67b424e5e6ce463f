package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/kit"
)

func newSign() *cobra.Command {
	var (
		file, output, description string
		s                         config.Signing
		cert, key, pkcs12         string
		passwordFile, passwordEnv string
		passwordPrompt            bool
		timestampRoots            []string
	)
	c := &cobra.Command{
		Use:   "sign FILE|BUNDLE",
		Short: "Sign a package, bundle, catalog, program, script or any other file",
		Long: `Sign signs a file the way its kind is signed. A provisioning package gets a
signed catalog beside it; catalogs, programs for Windows and macOS, PowerShell
scripts and installer packages and bundles for macOS are signed in place, bundles
after the code in them; any other file gets a detached CMS signature beside it
(.p7s).

Who signs is said in firstday.yaml (-c) or by the flags. Passwords are read from
a file, an environment variable or the terminal, never from the command line.`,
		Example: `  firstday sign -c firstday.yaml Acme.ppkg
  firstday sign --pkcs12 acme.pfx --password-env PFX_PASSWORD setup.exe
  firstday sign -c firstday.yaml Login.bundle
  firstday sign --signer firstday-signer --signer hsm.yaml Acme.cat`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			organisation := ""
			signing := &s
			if file != "" {
				cfg, err := loadConfig(c, file)
				if err != nil {
					return err
				}
				if signing, err = kit.SigningFor(args[0], cfg); err != nil {
					return err
				}
				organisation = cfg.Organisation.Name
			} else {
				s.Certificate, s.Key, s.PKCS12 = config.Path(cert), config.Path(key), config.Path(pkcs12)
				if passwordFile != "" || passwordEnv != "" || passwordPrompt {
					s.Password = &config.SecretSource{File: config.Path(passwordFile), Env: passwordEnv, Prompt: passwordPrompt}
				}
				roots, err := readRoots(timestampRoots)
				if err != nil {
					return err
				}
				s.TimestampRoots = roots
				if s.Certificate == "" && s.PKCS12 == "" && len(s.Signer) == 0 && !s.Throwaway {
					return usageError{errors.New("nobody is named who signs; give -c, --certificate and --key, --pkcs12 or --signer")}
				}
			}
			id, err := kit.OpenIdentity(c.Context(), signing, organisation, prompter(c.Context()))
			if err != nil {
				return err
			}
			defer id.Close()
			for _, w := range id.Warnings {
				fmt.Fprintf(c.ErrOrStderr(), "warning: %s\n", w)
			}
			written, err := kit.Sign(c.Context(), args[0], output, id, kit.SigningOptions(signing, description))
			if err != nil {
				return err
			}
			return show(c, struct {
				File   string `json:"file"`
				Signer string `json:"signer"`
			}{written, id.Chain[0].Subject.String()}, func(w *text) {
				w.line("%s is signed by %s", written, id.Chain[0].Subject)
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration file that says who signs")
	f.StringVarP(&output, "output", "o", "", "file to write (default: depends on the kind)")
	f.StringVar(&description, "description", "", "what is signed, for those who look")
	f.StringVar(&cert, "certificate", "", "certificate chain, the signer's first (PEM file)")
	f.StringVar(&key, "key", "", "private key (PEM file)")
	f.StringVar(&pkcs12, "pkcs12", "", "certificate, chain and key in one file (.p12 or .pfx)")
	f.StringArrayVar(&s.Signer, "signer", nil, "program that signs; repeat for each of its arguments")
	f.BoolVar(&s.Throwaway, "throwaway", false, "sign with an identity made just now, which nobody trusts")
	f.StringVar(&passwordFile, "password-file", "", "file with the password of the key")
	f.StringVar(&passwordEnv, "password-env", "", "environment variable with the password of the key")
	f.BoolVar(&passwordPrompt, "password-prompt", false, "ask for the password of the key")
	f.StringArrayVar(&s.Timestamp, "timestamp", nil, "URL of an RFC 3161 timestamp authority; repeat for others to fall back to")
	f.StringArrayVar(&timestampRoots, "timestamp-root", nil, "certificate that timestamps must lead to (PEM file; default: the system's)")
	c.MarkFlagsMutuallyExclusive("config", "certificate", "pkcs12", "signer", "throwaway")
	c.MarkFlagsRequiredTogether("certificate", "key")
	c.MarkFlagsMutuallyExclusive("password-file", "password-env", "password-prompt")
	return c
}

// readRoots reads certificates as the configuration does for timestampRoots.
func readRoots(files []string) ([]config.RootCertificate, error) {
	var roots []config.RootCertificate
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		root := config.RootCertificate{File: config.Path(file)}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", file, err)
			}
			root.Certificates = append(root.Certificates, cert)
		}
		roots = append(roots, root)
	}
	return roots, nil
}
