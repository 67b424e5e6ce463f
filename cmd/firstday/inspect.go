package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
)

func newInspect() *cobra.Command {
	var t trust
	var reveal, tree bool
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a package, catalog or program is and holds",
		Long: `Inspect shows what a package sets, runs, installs and carries: of a provisioning
package the settings, commands and certificates, of an installer package for
macOS the components, scripts and files; of both every program with its
architectures and signatures, and every secret. Secrets are named, not shown,
unless you ask: with --reveal this is also how IT reads the password of the
break-glass account.`,
		Example: `  firstday inspect kit/Acme.ppkg
  firstday inspect --tree kit/Acme.ppkg
  firstday inspect --json kit/Acme.ppkg | jq .package.commands
  firstday inspect --reveal kit/Acme.ppkg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := t.options()
			if err != nil {
				return err
			}
			i, err := kit.Inspect(c.Context(), args[0], kit.InspectOptions{Reveal: reveal, VerifyOptions: v})
			if err != nil {
				return err
			}
			return show(c, i, func(w *text) { describe(w, i, tree) })
		},
	}
	t.flags(c)
	c.Flags().BoolVar(&reveal, "reveal", false, "show the values of secrets")
	c.Flags().BoolVar(&tree, "tree", false, "list every file of the package, too")
	return c
}

func describe(w *text, i *kit.Inspection, tree bool) {
	w.line("%s: %s, %s", i.File, i.Kind, size(i.Size))
	if p := i.Package; p != nil {
		describePackage(w, p, tree)
	}
	if p := i.Installer; p != nil {
		describeInstaller(w, p, tree)
	}
	if m := i.MachO; m != nil {
		describeMachO(w, m)
	}
	if c := i.Catalog; c != nil {
		w.line("  time      %s", c.Time.Format(time.RFC3339))
		w.line("  sha1      %s", c.SHA1)
		w.line("  sha256    %s", c.SHA256)
	}
	if p := i.Program; p != nil {
		describeProgram(w, *p)
	}
	if i.Signature != nil {
		describeSignature(w, i.Signature)
	}
}

func describePackage(w *text, p *kit.PackageInspection, tree bool) {
	w.line("  name      %s, version %s", p.Name, p.Version)
	w.line("  id        %s, altitude %d", p.ID, p.Altitude)
	w.line("  created   %s", p.Created.Format(time.RFC3339))
	w.line("settings")
	for _, s := range p.Settings {
		value := short(s.Value)
		if s.Secret {
			value = "[secret]"
		}
		w.line("  %s = %s (%s)", s.Path, value, s.Type)
	}
	w.line("commands")
	for _, c := range p.Commands {
		w.line("  %s: %s", c.Context, c.Line)
		for _, f := range c.Files {
			w.line("    with %s", f)
		}
	}
	if len(p.Certificates) > 0 {
		w.line("certificates")
	}
	for _, c := range p.Certificates {
		w.line("  %s, until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
	}
	if len(p.Programs) > 0 {
		w.line("programs")
	}
	for _, program := range p.Programs {
		w.line("  %s", program.File)
		describeProgram(w, program)
	}
	describeSecrets(w, p.Secrets)
	if tree {
		w.line("files")
		for _, f := range p.Tree {
			w.line("  %12d  %s", f.Size, f.Path)
		}
	}
}

func describeProgram(w *text, p kit.ProgramInspection) {
	if p.Program != nil {
		w.line("    %s, version %s, %s", p.Arch, orNone(p.Version), orNone(p.Description))
	}
	if p.Error != "" {
		w.line("    unreadable: %s", p.Error)
	}
	describeSignature(w, p.Signature)
}

func describeSignature(w *text, s *kit.SignatureState) {
	switch {
	case s.Signer == "":
		w.line("    signature %s %s", s.State, s.Error)
	case s.Timestamp != nil:
		w.line("    signature %s, by %s, timestamped %s", s.State, s.Signer, s.Timestamp.Format(time.RFC3339))
	default:
		w.line("    signature %s, by %s", s.State, s.Signer)
	}
	for _, warning := range s.Warnings {
		w.line("    note: %s", warning)
	}
}

func orNone(s string) string {
	if s == "" {
		return "not given"
	}
	return s
}

// short keeps a value on one line of a screen.
func short(s string) string {
	const limit = 100
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + " …"
	}
	return s
}

func describeSecrets(w *text, secrets []kit.SecretInspection) {
	if len(secrets) > 0 {
		w.line("secrets: whoever holds the package can read them")
	}
	for _, s := range secrets {
		if s.Value == "" {
			w.line("  %s", s.What)
		} else {
			w.line("  %s: %s", s.What, s.Value)
		}
	}
}
