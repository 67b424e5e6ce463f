package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newDevice() *cobra.Command {
	c := &cobra.Command{
		Use:   "device",
		Short: "Find devices, approve and remove them, give them to users",
		Example: `  firstday device list --state pending
  firstday device approve 019f… 019f…
  firstday device unbind 019f… ann`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newDeviceList(), newDeviceShow(), newDeviceHistory(), newDeviceExport(),
		newDeviceChange("approve", "Let devices in that wait for approval", api.BulkApprove, "is approved"),
		newDeviceChange("remove", "End devices' enrolment at once; they may come back with a new package", api.BulkRemove, "is removed"),
		newDeviceSSAP(),
		newDeviceUser("bind", "Give a user a device; the account waits there until they sign in", "bound", (*api.Client).Bind),
		newDeviceUser("unbind", "Take a device from a user; the account there is disabled, never deleted", "unbound", (*api.Client).Unbind),
		newDeviceReveal(), newDeviceOpen())
	return c
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
	w.line("system    %s %s, %s, agent %s", f.OS, f.OSVersion, f.Arch, f.AgentVersion)
	if d.SSAPOff {
		w.line("sign-in   is off on this device, whatever the settings say")
	}
	w.line("key       %s", describeKey(f))
	w.line("disk      %s", describeDisk(f))
	w.line("enrolled  %s, seen %s", d.EnrolledAt.Format(time.RFC3339), d.SeenAt.Format(time.RFC3339))
	w.line("brought   by package %s, connect key %s, batch %q", d.PackageID, d.KeyID, d.Batch)
	if d.Replaces != uuid.Nil {
		w.line("before    it was device %s", d.Replaces)
	}
	for _, b := range d.Users {
		w.line("belongs   to %s (%s), %s, account %q, since %s by %s", b.User.Name, b.User.FullName, b.State, b.Account, b.ChangedAt.Format(time.RFC3339), b.ChangedBy)
	}
	for _, u := range f.Users {
		w.line("account   %s (%s), administrator %v, managed %v", u.Name, u.FullName, u.Administrator, u.Managed)
	}
	for _, p := range f.Problems {
		w.line("problem   %s", p)
	}
}

func describeDisk(f *api.Facts) string {
	switch {
	case f.Encrypted == nil:
		return "not known whether encrypted"
	case *f.Encrypted:
		return "encrypted"
	}
	return "not encrypted"
}

// describeKey tells where the device says its key is.
func describeKey(f *api.Facts) string {
	where := "in a " + string(f.KeyStorage)
	if f.KeyStorage == api.KeyInTPM {
		where = "in its TPM"
		if f.TPM != nil {
			where += fmt.Sprintf(" (%s, firmware %s)", f.TPM.Manufacturer, f.TPM.Firmware)
		}
	}
	return where + ", as the device says"
}

// newDeviceUser makes a command that is about a user and a device.
func newDeviceUser(verb, short, done string, change func(*api.Client, context.Context, uuid.UUID, string) error) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ID USER",
		Short:   short,
		Example: "  firstday device " + verb + " 019f… ann@acme.example",
		Args:    cobra.ExactArgs(2),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if err := change(client, c.Context(), id, args[1]); err != nil {
				return err
			}
			return show(c, map[string]any{done: args[1], "device": id}, func(w *text) { w.line("%s is %s, device %s", args[1], done, id) })
		}),
	}
}
