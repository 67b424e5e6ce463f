package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/station/order"
)

func newOrder() *cobra.Command {
	c := &cobra.Command{
		Use:   "order",
		Short: "Make sealed bundles for purchasing partners, and see what came of them",
		Long: `Order makes what a partner gets who sets up laptops and never sees your console: a
sealed bundle of a kit whose connect keys are good for one purchase order, its
serial numbers and its quantity, and end with its last device. The partner checks
it without any program of ours, and you see which devices came.`,
		Example: `  firstday order create --po PO-4711 --serials list.csv -o PO-4711
  firstday order verify PO-4711.zip --signer 3f5e…
  firstday order report PO-4711 --html -o report.html`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newOrderCreate(), newOrderVerify(), newOrderList(), newOrderShow(), newOrderReport(),
		newChange("order close", "PO", "End an order and its connect keys; its devices stay", "closed", asIs, func(client *api.Client, ctx context.Context, po string) error {
			o, err := client.OrderOf(ctx, po)
			if err != nil {
				return err
			}
			return client.CloseOrder(ctx, o.ID)
		}))
	return c
}

func newOrderList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List orders, the newest first",
		Example: `  firstday order list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			orders, err := client.Orders(c.Context())
			if err != nil {
				return err
			}
			return show(c, orders, func(w *text) {
				for _, o := range orders {
					w.line("%-20s  %d of %d  %s  %s", o.PO, o.Used, o.Quantity, order.Standing(&o, time.Now()), o.Partner)
				}
			})
		}),
	}
}

func newOrderShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show PO",
		Short:   "Show an order",
		Example: `  firstday order show PO-4711`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			o, err := client.OrderOf(c.Context(), args[0])
			if err != nil {
				return err
			}
			return show(c, o, func(w *text) { describeOrder(w, o) })
		}),
	}
}

func describeOrder(w *text, o *api.Order) {
	which := "whatever comes"
	if o.Listed {
		which = "listed serial numbers only"
	}
	w.line("order     %s, id %s", o.PO, o.ID)
	w.line("partner   %s", o.Partner)
	w.line("devices   %d of %d, %s", o.Used, o.Quantity, which)
	w.line("tags      %s", strings.Join(o.Tags, ", "))
	w.line("state     %s", order.Standing(o, time.Now()))
	w.line("made      %s by %s", o.CreatedAt.Format(time.RFC3339), o.CreatedBy)
}
