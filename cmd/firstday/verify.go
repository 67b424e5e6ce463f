package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
)

func newVerify() *cobra.Command {
	var t trust
	var strict, foreign bool
	c := &cobra.Command{
		Use:   "verify KIT|FILE|BUNDLE",
		Short: "Prove that a kit or package is as it was made",
		Long: `Verify checks a kit as a whole, or a provisioning package with its catalog, an
installer package or bundle for macOS, a catalog, a program, a PowerShell script,
or any file with a .p7s signature beside it: every checksum, signature, certificate
chain and timestamp, and that the package can be read to its last byte. Who
names whom to trust (--root) also asks that all is signed. What is for macOS
must lead to Apple's root unless another one is named.`,
		Example: `  firstday verify kit
  firstday verify --root acme-ca.pem --require-signature kit
  firstday verify kit/Acme.ppkg --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := t.options()
			if err != nil {
				return err
			}
			bars := newProgress(c)
			defer bars.close()
			o.RequireSignature, o.Progress = strict || len(t.roots) > 0, bars.step
			o.Foreign = foreign
			v, err := kit.Verify(c.Context(), args[0], o)
			if errors.Is(err, kit.ErrNotAKit) {
				return withHint(err, "name the folder that `firstday build` made, or a single file")
			}
			if err != nil {
				return err
			}
			bars.close()
			if err := show(c, verdict{v.OK(), v}, func(w *text) { describeChecks(w, v) }); err != nil {
				return err
			}
			if err := v.Err(); err != nil {
				return checksError{err, args[0]}
			}
			return nil
		},
	}
	t.flags(c)
	c.Flags().BoolVar(&strict, "require-signature", false, "fail if something is not signed")
	c.Flags().BoolVar(&foreign, "foreign", false, "it was made by other tools: what they are known to do is a note, not a failure")
	return c
}

type verdict struct {
	OK bool `json:"ok"`
	*kit.Verification
}

func describeChecks(w *text, v *kit.Verification) {
	for _, c := range v.Checks {
		switch {
		case c.Error != "":
			w.line("FAILED  %s: %s: %s", c.File, c.What, c.Error)
		case c.Detail != "":
			w.line("ok      %s: %s (%s)", c.File, c.What, c.Detail)
		default:
			w.line("ok      %s: %s", c.File, c.What)
		}
	}
	for _, warning := range v.Warnings {
		w.line("note    %s", warning)
	}
}

// checksError says how many checks failed; what failed has been printed.
type checksError struct {
	error
	path string
}

func (f checksError) Unwrap() error { return f.error }

func (f checksError) Error() string {
	n := 1
	if joined, ok := f.error.(interface{ Unwrap() []error }); ok {
		n = len(joined.Unwrap())
	}
	if n == 1 {
		return fmt.Sprintf("%s is not good: 1 check failed", f.path)
	}
	return fmt.Sprintf("%s is not good: %d checks failed", f.path, n)
}
