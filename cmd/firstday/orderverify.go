package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/station/order"
)

func newOrderVerify() *cobra.Command {
	var t trust
	var signer string
	c := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Prove that a bundle is as it was made",
		Long: `Verify checks the bundle of an order, a folder or a .zip of one: who sealed it,
that every file is as it was and no other is there, that the kit is good, and that
order and kit belong together. Whoever has the signer's fingerprint from the
customer, in another way than the bundle came, names it with --signer; else the
signer must lead to a trusted root.

The scripts verify.sh and verify.ps1 in the bundle check signature and files for
those who do not have firstday.`,
		Example: `  firstday order verify PO-4711 --signer 3f5e…
  firstday order verify PO-4711.zip --root acme-ca.pem --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			var o order.VerifyOptions
			if o.VerifyOptions, err = t.options(); err != nil {
				return err
			}
			if signer != "" {
				if o.Signer, err = order.Fingerprint(signer); err != nil {
					return usageError{fmt.Errorf("--signer: %w", err)}
				}
			}
			bars := newProgress(c)
			defer bars.close()
			o.Progress = bars.step
			dir, clean, err := unpacked(c, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, clean()) }()
			v, err := order.Verify(c.Context(), dir, o)
			if err != nil {
				return err
			}
			bars.close()
			if err := show(c, bundleVerdict{v.Err() == nil, v}, func(w *text) { describeBundleCheck(w, v) }); err != nil {
				return err
			}
			if err := v.Err(); err != nil {
				return checksError{err, args[0]}
			}
			return nil
		},
	}
	t.flags(c)
	c.Flags().StringVar(&signer, "signer", "", "fingerprint (SHA-256) of the signer's certificate, as the customer told it")
	c.MarkFlagsMutuallyExclusive("signer", "root")
	return c
}

type bundleVerdict struct {
	OK bool `json:"ok"`
	*order.Verification
}

// unpacked gives the folder of a bundle, for a .zip one that clean removes.
func unpacked(c *cobra.Command, path string) (dir string, clean func() error, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		return path, func() error { return nil }, nil
	}
	temp, err := os.MkdirTemp("", "firstday-order-*")
	if err != nil {
		return "", nil, err
	}
	clean = func() error { return os.RemoveAll(temp) }
	if dir, err = order.Unpack(c.Context(), path, temp); err != nil {
		return "", nil, errors.Join(err, clean())
	}
	return dir, clean, nil
}

func describeBundleCheck(w *text, v *order.Verification) {
	for _, f := range v.Faults {
		w.line("FAILED  %s: %s", f.File, f.Error)
	}
	if v.Signer != nil {
		w.line("signed  by %s", v.Signer.Subject)
		w.line("        %s", v.Signer.SHA256)
	}
	if len(v.Faults) == 0 {
		w.line("ok      %d files are as their signer made them", v.Files)
		w.line("order   %s, %d devices of %s, good until %s", v.Order.PO, v.Order.Quantity, v.Order.Organisation, v.Order.ExpiresAt.Format(time.RFC3339))
	}
	for _, warning := range v.Warnings {
		w.line("note    %s", warning)
	}
}
