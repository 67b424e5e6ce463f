package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/station/media"
)

// errNoSuchStick: nothing that is plugged in is called so.
var errNoSuchStick = errors.New("no such stick")

// ejected is what became of a stick, as JSON.
type ejected struct {
	Name    string `json:"name"`
	Port    string `json:"port,omitempty"`
	Ejected bool   `json:"ejected"`
	Error   string `json:"error,omitempty"`
}

func newUSBEject() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "eject NAME...",
		Short: "Let go of sticks, so that they may be pulled out",
		Long: `Eject has each stick keep all that was written to it, lets go of its folders and
switches it off. A stick that a program has a file open on, or that is being written
by another firstday, stays as it is, and the others are ejected nevertheless.

NAME is a stick's name or path as firstday usb list has it, or where it is mounted.`,
		Example: `  firstday usb eject sdb sdc
  firstday usb eject /media/ann/FIRSTDAY
  firstday usb eject --all`,
		Args: func(c *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("name sticks, or --all of them")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			disks, err := media.List(c.Context())
			if err != nil {
				return err
			}
			chosen, err := choose(disks, args)
			if err != nil {
				return err
			}
			out := make([]ejected, len(chosen))
			var failures []error
			for i := range chosen {
				d := &chosen[i]
				out[i] = ejected{Name: d.Name, Port: d.Port}
				if err := eject(c.Context(), d); err != nil {
					out[i].Error = err.Error()
					failures = append(failures, err)
					continue
				}
				out[i].Ejected = true
			}
			err = show(c, out, func(w *text) {
				if len(chosen) == 0 {
					w.line("No stick is plugged in.")
				}
				for _, e := range out {
					if e.Ejected {
						w.line("%s may be pulled out", e.Name)
					}
				}
			})
			return errors.Join(errors.Join(failures...), err)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "eject every stick")
	return c
}

// choose gives the disks that are named, or all sticks if none is. One that is
// refused can be named, and is refused then.
func choose(disks []media.Disk, names []string) (chosen []media.Disk, err error) {
	if len(names) == 0 {
		return slices.DeleteFunc(disks, func(d media.Disk) bool { return d.Refusal != "" }), nil
	}
	for _, name := range names {
		i := slices.IndexFunc(disks, func(d media.Disk) bool { return isCalled(&d, name) })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", errNoSuchStick, name)
		}
		if !slices.ContainsFunc(chosen, func(d media.Disk) bool { return d.Name == disks[i].Name }) {
			chosen = append(chosen, disks[i])
		}
	}
	return chosen, nil
}

func isCalled(d *media.Disk, name string) bool {
	bare := func(folder string) string { return strings.TrimRight(folder, `/\`) }
	return strings.EqualFold(name, d.Name) || strings.EqualFold(name, d.Path) ||
		slices.ContainsFunc(d.Mounts(), func(m string) bool { return bare(m) != "" && bare(m) == bare(name) })
}

func eject(ctx context.Context, d *media.Disk) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	release, err := media.Claim(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	return d.Eject(ctx)
}
