package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
	"firstday.dev/station"
	"firstday.dev/station/order"
)

// source is a kit, or the bundle of an order with one in it, and by whom it must be.
type source struct {
	trust
	strict bool
	signer string
}

func (s *source) flags(c *cobra.Command) {
	s.trust.flags(c)
	c.Flags().BoolVar(&s.strict, "require-signature", false, "refuse checksums that are not signed; --root asks for it, too")
	c.Flags().StringVar(&s.signer, "signer", "", "fingerprint (SHA-256) of the signer of an order's bundle, as the customer told it")
	c.MarkFlagsMutuallyExclusive("signer", "root")
}

// open verifies what is in a folder, and lays out the stick of it. The order is nil
// if it is a kit.
func (s *source) open(c *cobra.Command, dir, label string) (*station.Stick, *order.Order, error) {
	o, err := s.options()
	if err != nil {
		return nil, nil, err
	}
	bars := newProgress(c)
	defer bars.close()
	o.RequireSignature, o.Progress = s.strict || len(s.roots) > 0, bars.step
	if !order.IsBundle(dir) {
		if s.signer != "" {
			return nil, nil, usageError{fmt.Errorf("--signer is for the bundle of an order, and %s is none", dir)}
		}
		stick, err := station.Open(c.Context(), dir, label, o)
		return stick, nil, err
	}
	signer := s.signer
	if signer != "" {
		if signer, err = order.Fingerprint(signer); err != nil {
			return nil, nil, usageError{fmt.Errorf("--signer: %w", err)}
		}
	}
	b, err := order.Open(c.Context(), dir, order.VerifyOptions{Signer: signer, VerifyOptions: o})
	if err != nil {
		return nil, nil, err
	}
	b.Trust.Progress = bars.step
	stick, err := station.Open(c.Context(), b.Kit, label, b.Trust)
	if err != nil {
		return nil, nil, err
	}
	if stick.KitID != b.KitID {
		return nil, nil, errors.Join(fmt.Errorf("%s %w since it was verified", b.Kit, kit.ErrIntegrity), stick.Close())
	}
	stick.Warnings = append(stick.Warnings, b.Warnings...)
	return stick, b.Order, nil
}
