package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newDevice() *cobra.Command {
	c := &cobra.Command{
		Use:   "device",
		Short: "List, approve and remove devices",
		Example: `  firstday device list
  firstday device approve 019f…`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newDeviceList(), newDeviceShow(),
		newDeviceChange("approve", "Let a device in that waits for approval", "approved", (*api.Client).ApproveDevice),
		newDeviceChange("remove", "End a device's enrolment at once; it may come back with a new package", "removed", (*api.Client).RemoveDevice))
	return c
}

func newDeviceList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List enrolled devices by name",
		Example: `  firstday device list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			devices, err := client.Devices(c.Context())
			if err != nil {
				return err
			}
			return show(c, devices, func(w *text) {
				for _, d := range devices {
					w.line("%s  %-8s  %-8s  %-20s  serial %s  %s", d.ID, d.State, d.Facts.Platform, d.Facts.Name, d.Facts.Serial, d.Batch)
				}
			})
		}),
	}
}

func newDeviceShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show all that is known of a device",
		Example: `  firstday device show 019f…`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			d, err := client.Device(c.Context(), id)
			if err != nil {
				return err
			}
			return show(c, d, func(w *text) { describeDevice(w, d) })
		}),
	}
}

func describeDevice(w *text, d *api.Device) {
	f := &d.Facts
	w.line("device    %s, %s", d.ID, d.State)
	w.line("name      %s, serial %s, %s %s", f.Name, f.Serial, f.Manufacturer, f.Model)
	w.line("system    %s %s, %s, agent %s, key in %s", f.OS, f.OSVersion, f.Arch, f.AgentVersion, f.KeyStorage)
	w.line("enrolled  %s, seen %s", d.EnrolledAt.Format(time.RFC3339), d.SeenAt.Format(time.RFC3339))
	w.line("brought   by package %s, connect key %s, batch %q", d.PackageID, d.KeyID, d.Batch)
	if d.Replaces != uuid.Nil {
		w.line("before    it was device %s", d.Replaces)
	}
	for _, u := range f.Users {
		w.line("user      %s (%s), administrator %v, managed %v", u.Name, u.FullName, u.Administrator, u.Managed)
	}
	for _, p := range f.Problems {
		w.line("problem   %s", p)
	}
}

func newDeviceChange(verb, short, done string, change func(*api.Client, context.Context, uuid.UUID) error) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ID",
		Short:   short,
		Example: "  firstday device " + verb + " 019f…",
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if err := change(client, c.Context(), id); err != nil {
				return err
			}
			return show(c, map[string]uuid.UUID{done: id}, func(w *text) { w.line("%s is %s", id, done) })
		}),
	}
}
